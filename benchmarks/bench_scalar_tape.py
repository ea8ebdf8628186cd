"""Reverse mode for one sample of a multilayer perceptron 2-16-16-1 with relu, all 337 derivatives.

Peer: micrograd, whose network this is. Ours: the same network node by node (every weight a Var),
and as its author would write it here, three matrix products.
"""

import numpy as np
from micrograd.nn import MLP
from side_by_side import show_comparison

from companion.engines import grad, relu

X = [0.3, -0.7]
PEER = MLP(2, [16, 16, 1])
WEIGHTS = [
    [
        np.array([[w.data for w in n.w] for n in layer.neurons]),
        np.array([n.b.data for n in layer.neurons]),
    ]
    for layer in PEER.layers
]
SCALARS = [p.data for p in PEER.parameters()]


def with_micrograd():
    PEER.zero_grad()
    y = PEER(X)
    y.backward()
    return [p.grad for p in PEER.parameters()]


def network_of_nodes(*parameters):
    """The network on scalars, in the order of micrograd's: the weights of a neuron, then its bias."""
    given, x = iter(parameters), X
    for W, biases in WEIGHTS:
        outputs = []
        for _ in biases:
            products = [next(given) * x_i for x_i in x]
            outputs.append(sum(products, next(given)))
        x = outputs if W is WEIGHTS[-1][0] else [relu(y) for y in outputs]
    return x[0]


def with_nodes():
    return grad(network_of_nodes)(*SCALARS)


def network(W1, b1, W2, b2, W3, b3):
    return (W3 @ relu(W2 @ relu(W1 @ np.array(X) + b1) + b2) + b3)[0]


def with_matrices():
    return grad(network)(*[p for layer in WEIGHTS for p in layer])


def flat(gradient):
    """The gradients of the matrices in micrograd's order."""
    pairs = zip(gradient[::2], gradient[1::2])
    return np.concatenate([np.column_stack([W, b]).ravel() for W, b in pairs])


if __name__ == "__main__":
    for gradient in (flat(with_matrices()), with_nodes()):
        assert np.allclose(gradient, with_micrograd(), rtol=0, atol=1e-12)
    show_comparison(
        "Reverse mode, MLP 2-16-16-1, one sample, all parameters",
        {
            "micrograd": with_micrograd,
            "Var, node by node": with_nodes,
            "Var, matrix products": with_matrices,
        },
        reference="micrograd",
    )
