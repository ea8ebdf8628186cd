"""Reverse mode over arrays: the gradient of a multilayer perceptron 2-64-64-1, tanh, batch 256.

Peers: backpropagation written by hand in NumPy, HIPS autograd, mygrad. Fresh memory costs page
faults, which a tape, keeping more, pays more often; so everything is measured twice, the second
time with an allocator told to keep what it has.
"""

import os
import subprocess
import sys

import autograd
import autograd.numpy as anp
import mygrad
import numpy as np
from side_by_side import show_comparison

from companion.engines import grad, mean, tanh

RNG = np.random.default_rng(0)
SHAPES = [(2, 64), (64,), (64, 64), (64,), (64, 1), (1,)]
WEIGHTS = [RNG.normal(size=s) * 0.3 for s in SHAPES]
X, Y = RNG.normal(size=(256, 2)), RNG.normal(size=(256, 1))
KEEP = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"}


def loss(W1, b1, W2, b2, W3, b3, tanh, mean):
    h = tanh(X @ W1 + b1)
    h = tanh(h @ W2 + b2)
    r = h @ W3 + b3 - Y
    return mean(r * r)


def by_hand():
    W1, b1, W2, b2, W3, b3 = WEIGHTS
    h1 = np.tanh(X @ W1 + b1)
    h2 = np.tanh(h1 @ W2 + b2)
    r = h2 @ W3 + b3 - Y
    (r * r).mean()
    g3 = 2 * r / r.size
    g2 = (g3 @ W3.T) * (1 - h2 * h2)
    g1 = (g2 @ W2.T) * (1 - h1 * h1)
    return X.T @ g1, g1.sum(0), h1.T @ g2, g2.sum(0), h2.T @ g3, g3.sum(0)


OURS = grad(lambda *weights: loss(*weights, tanh, mean))
HIPS = autograd.grad(lambda weights: loss(*weights, anp.tanh, anp.mean))


def with_tape():
    return OURS(*WEIGHTS)


def with_autograd():
    return HIPS(WEIGHTS)


def with_mygrad():
    weights = [mygrad.tensor(w) for w in WEIGHTS]
    loss(*weights, mygrad.tanh, mygrad.mean).backward()
    return [w.grad for w in weights]


def main():
    for gradient in (with_tape, with_autograd, with_mygrad):
        assert all(np.allclose(a, b, atol=1e-14) for a, b in zip(gradient(), by_hand()))
    candidates = {
        "NumPy, by hand": by_hand,
        "Var": with_tape,
        "mygrad": with_mygrad,
        "HIPS autograd": with_autograd,
    }
    heap = "memory kept" if KEEP.keys() <= os.environ.keys() else "memory as it comes"
    show_comparison(
        f"Reverse mode, MLP 2-64-64-1, batch 256 ({heap})", candidates, "NumPy, by hand"
    )


if __name__ == "__main__":
    main()
    if not KEEP.keys() <= os.environ.keys():
        subprocess.run([sys.executable, __file__], env=os.environ | KEEP, check=True)
