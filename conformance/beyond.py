"""The operators on the functions of op_db that torch itself has no derivative of: Bessel's, Airy's.

Their values are torch's, and everything above them is judged by quotients.
"""

from conformance import ops

trial = ops.trial


def names() -> list[str]:
    """The entries that torch can only evaluate."""
    return [name for name, op in ops.entries().items() if not op.supports_autograd]
