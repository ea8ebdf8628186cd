"""Forward mode over floats: 40 chained operations of two variables.

Peers: hyperjet (C++; both partial derivatives always), ad (second derivatives always), plain
floats.
"""

import math

import ad
import ad.admath
import hyperjet
from side_by_side import show_comparison

from companion.engines import Dual, exp, sin

X, Y = 1.2, 0.3


def program(x, y, sin, exp):
    """Forty operations: ten times ×, sin, exp, +."""
    for _ in range(10):
        y = exp(sin(x * y))
        x = x + y
    return x


def with_hyperjet():
    x, y = hyperjet.DScalar.variables([X, Y])
    return program(x, y, hyperjet.DScalar.sin, hyperjet.DScalar.exp)


def with_ad():
    return program(ad.adnumber(X), ad.adnumber(Y), ad.admath.sin, ad.admath.exp)


def with_dual():
    return program(Dual(X, 1.0), Dual(Y, 0.0), sin, exp)


def with_two_seeds():
    return program(Dual(X, 1.0, 0.0), Dual(Y, 0.0, 1.0), sin, exp)


if __name__ == "__main__":
    assert all(math.isclose(a, b) for a, b in zip(with_two_seeds().tangents, with_hyperjet().g))
    show_comparison(
        "Forward mode, 40 chained operations of two variables",
        {
            "Dual, one derivative": with_dual,
            "Dual, both derivatives": with_two_seeds,
            "hyperjet (C++), both": with_hyperjet,
            "ad, both and second": with_ad,
            "floats, none": lambda: program(X, Y, math.sin, math.exp),
        },
        reference="hyperjet (C++), both",
    )
