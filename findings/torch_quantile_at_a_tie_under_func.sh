#!/usr/bin/env bash
# torch 2.14.1: at a tie the gradient of a quantile depends on who asks. For the median of (1, 3, 3, 0) autograd.grad
# halves it between the entries 0 and 2, torch.func.grad between 0 and 1; of four equal numbers the one takes the first
# and the last, the other the two between. In 2.13.0 both gave the second answer; 2.15.0 does as 2.14.1. Either is a
# subgradient: only a test that holds one way to the other at a tie breaks, as one here did.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet torch==2.14.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import torch


def both(values):
    """The gradient of the median by torch.autograd.grad, and by torch.func.grad."""
    x = torch.tensor(values, requires_grad=True)
    (by_grad,) = torch.autograd.grad(x.quantile(0.5), x)
    return by_grad.tolist(), torch.func.grad(lambda x: x.quantile(0.5))(x.detach()).tolist()


print(f"torch {torch.__version__}: the gradient of a median, by autograd.grad and by func.grad")
for values in ([1.0, 3.0, 3.0, 0.0], [2.0, 2.0, 2.0, 2.0]):
    print(values, *both(values))
assert both([1.0, 3.0, 3.0, 0.0]) == ([0.5, 0.0, 0.5, 0.0], [0.5, 0.5, 0.0, 0.0])
assert both([2.0, 2.0, 2.0, 2.0]) == ([0.5, 0.0, 0.0, 0.5], [0.0, 0.5, 0.5, 0.0])
PYTHON
