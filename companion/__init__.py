"""The companion package of *The Derivative Ladder*: what the chapters build, to be imported.

    series       truncated power series on plain lists; imports nothing
    engines      Part I, NumPy alone: difference quotients, Dual, Var, Jet, and the checks between
                 them;  from companion.engines import Dual, Var, gradients, sin
    show         pictures for readers: the ledger, the graph of a tape, error and cost curves

Nothing is imported here, so that `import companion` costs nothing. Arrows point one way: show may
use engines, engines may use series, and nobody uses show but the chapters.
"""
