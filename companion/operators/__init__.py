"""Part II: derivatives of functions that torch can evaluate.

partials.py      u(X, X) reads as u_xx: value and partial derivatives at points
partial_op.py    a partial derivative as an op
nested.py        nested reverse mode, and a zero that is none
torch_faults.py  to which order torch's own derivatives are right
orders.py        whether they are, for a function of one's own
jets.py          Taylor mode through an unchanged nn.Module, to any order
laplace.py       Δf by a collapsed second-order jet
dispatch.py      how a series takes the place of a tensor
asks.py          isinstance(x, torch.Tensor), asked of a series
names.py         which of torch's functions are one operation
rules.py         what torch's functions do to a series, by their kind
powers.py        xⁿ, at x = 0 too
affine.py        functions that are linear in their tensors, and what picks or pools
products.py      einsum, convolutions and other products
normalising.py   norms, distances, normalisation layers
losses.py        losses
activations.py   activations, and what is composed
selections.py    what selects, sorts and spreads: max, median, var
special.py       special functions: erf's relatives, lgamma, Bessel's
towers.py        functions by all their derivatives: sinc, Bessel's, erfcx
attention.py     attention of one head and of several
recurrent.py     LSTM, GRU, RNN and their cells
fallback.py      what has no rule: one operation differentiated step by step, in the midst of a series
linear_algebra.py  inverses, determinants, Cholesky factors, exponentials of matrices
complexes.py     complex values and Fourier transforms
recurrences.py   pointwise functions, coefficient by coefficient
compiled.py      a loss and its gradient as one program
tracing.py       what torch does in a function, as one graph
rewritten.py     the same graph, as a compiler makes the right program of it
graphs.py        how large a graph is, what it keeps, and which tensors never die
audit.py         what a gradient computation really did
conventions.py   where a derivative of torch is a choice
devices.py       where tensors live
"""

from companion._project import require

require(__name__, "torch", "torch")

from companion.operators.audit import Audit, gradient_audit
from companion.operators.compiled import compiled
from companion.operators.devices import device
from companion.operators.dispatch import RULES
from companion.operators.graphs import LeakProbe, graph_size, saved_bytes
from companion.operators.jets import Jet, derivatives, taylor
from companion.operators.laplace import laplacian
from companion.operators.orders import check_orders
from companion.operators.partial_op import partial
from companion.operators.partials import Partials

__all__ = [
    "RULES",
    "Audit",
    "Jet",
    "LeakProbe",
    "Partials",
    "check_orders",
    "compiled",
    "derivatives",
    "device",
    "gradient_audit",
    "graph_size",
    "laplacian",
    "partial",
    "saved_bytes",
    "taylor",
]
