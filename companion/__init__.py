"""The companion package of *The Derivative Ladder*: what the chapters build, to be imported.

    series       truncated power series on plain lists; imports nothing
    engines      Part I, NumPy alone: difference quotients, Dual, Var, Jet, and the checks between
                 them;  from companion.engines import Dual, Var, gradients, sin
    operators    Part II, torch: partial derivatives and jets of any torch function, a derivative as
                 an op, audits;  from companion.operators import Partials, derivatives
    pinn         Part III: a differential equation as a declaration, and fit, which trains a
                 network to solve it;  from companion.pinn import Problem, fit
    problems     the equations of Part III, declared, each with a solution found in another way;
                 from companion.problems import oscillator
    practice     the exercises, checked;  from companion.practice import check
    show         pictures for readers: ledgers, the graph of a tape, curves, solutions

Nothing is imported here, so that `import companion` costs nothing. `python -m companion` says what
of it runs here, and `companion.__version__` which one it is. Arrows point one way: show and practice may use
all, problems may use pinn, pinn may use operators, engines and operators may use series, and nobody
uses show or practice but the chapters and their readers.
"""

__version__: str


def __getattr__(name: str) -> str:
    """`__version__`, looked up when it is asked for."""
    if name == "__version__":
        from companion._project import version

        return version()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
