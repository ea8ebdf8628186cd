"""One training step of chapter 8's model, for each way to write the derivative inside it.

A step is: the model forward, the gradients reset, the loss backward, Adam; batch 3000, one thread.
The model and the eager ways are the chapter's own cells. With the name of a file as its argument the
script also writes the table there, for the chapter:

    .venv-bench/bin/python benchmarks/bench_partial_op.py companion/data/partial_op_ratios.json
"""

import json
import sys
import warnings
from pathlib import Path

import torch
from side_by_side import compare, show
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.functional import mse_loss

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from experiments.derivative_as_op import experiment

BATCH = 3000
EAGER = {
    "by hand": "by_hand",
    "autograd.grad of the sum": "grad_of_sum",
    "autograd.grad, grad_outputs": "grad_outputs",
    "autograd.grad of both inputs": "grad_both",
    "backward() on a leaf": "backward_on_leaf",
    "backward() on x": "backward_on_x",
    "partial": "partial_op",
    "torch.func.grad": "func_grad",
    "torch.func.vmap of grad": "func_vmap",
    "torch.func.jvp": "func_jvp",
}
COMPILED = {"by hand": "by_hand", "partial": "partial_op", "torch.func.grad": "func_grad"}
TARGETS = {"partial": 1.3, "partial, compiled": 1.0}  # time against the hand-written one, eager


def eager_step(names, op, x, fused=False, wrap=lambda loss: loss):
    """One step of Adam, as the chapter writes it; `wrap` may compile the loss."""
    model = names["build"](names[op])
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused)
    loss_of = wrap(lambda x: mse_loss(model(x), x))

    def step():
        loss = loss_of(x)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss

    return step


def compiled_step(names, op, x):
    """The same step: make_fx lists all operations of loss and gradients, torch.compile takes it."""
    model = names["build"](names[op])
    parameters = dict(model.named_parameters())
    adam = torch.optim.Adam(parameters.values(), lr=1e-3, fused=True)

    def loss_and_gradients(parameters, x):
        loss = mse_loss(functional_call(model, parameters, (x,)), x)
        return loss.detach(), torch.autograd.grad(loss, list(parameters.values()))

    graph = torch.compile(make_fx(loss_and_gradients)(parameters, x))

    def step():
        with torch.no_grad():
            loss, gradients = graph(parameters, x)
        for parameter, gradient in zip(parameters.values(), gradients):
            parameter.grad = gradient
        adam.step()
        return loss

    return step


def steps():
    """{name: step}: every eager way, and some of them with a fused Adam and compiled."""
    names = experiment()
    torch.manual_seed(0)
    x = torch.randn(BATCH, 1)
    found = {name: eager_step(names, op, x) for name, op in EAGER.items()}
    found["by hand, fused Adam"] = eager_step(names, "by_hand", x, fused=True)
    found["partial, fused Adam"] = eager_step(names, "partial_op", x, fused=True)
    found["partial, loss compiled"] = eager_step(names, "partial_op", x, True, torch.compile)
    return found | {
        f"{name}, compiled": compiled_step(names, op, x) for name, op in COMPILED.items()
    }


def check(candidates):
    """The third loss tells the partial derivative from the total one; the compiled ones must agree."""
    losses = {name: [step().item() for _ in range(3)][-1] for name, step in candidates.items()}
    for name in (*TARGETS, "by hand, compiled", "torch.func.grad, compiled"):
        assert abs(losses[name] / losses["by hand"] - 1) < 1e-5, (name, losses[name])
    return losses


def main():
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", "Using backward\\(\\) with create_graph=True")
    candidates = steps()
    losses = check(candidates)
    table = compare(candidates, "by hand", rounds=25, least=0.05)
    rows = [
        (name, 1e6 * seconds, ratio, losses[name], _verdict(name, ratio))
        for name, seconds, ratio in table
    ]
    headers = ["", "µs", "ratio to by hand", "third loss", "target"]
    show("One training step with a derivative inside the model", headers, rows)
    if sys.argv[1:]:
        ratios = {name: round(ratio, 3) for name, _, ratio in table}
        about = {
            "script": "benchmarks/bench_partial_op.py",
            "environment": f"torch {torch.__version__}, CPU, one thread, {BATCH} samples",
            "ratio to by hand": ratios,
        }
        Path(sys.argv[1]).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def _verdict(name, ratio):
    if name not in TARGETS:
        return ""
    return f"at most {TARGETS[name]}: {'met' if ratio <= TARGETS[name] else 'MISSED'}"


if __name__ == "__main__":
    main()
