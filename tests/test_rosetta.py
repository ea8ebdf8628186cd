"""The appendix on other languages prints what is true: its PyTorch and JAX programs run, and SymPy agrees.

R, Julia and MATLAB are not at hand; of their programs the tests see only that they are there, and
marked as not executed.
"""

import importlib
import re
from functools import reduce
from pathlib import Path

import pytest
import sympy as sp
import torch

from tests.processes import run

PAGE = (Path(__file__).parent.parent / "chapters" / "rosetta.md").read_text("utf-8")
NOT_EXECUTED = "**Not executed here; checked against its documentation, November 2026.**"


def section(anchor: str) -> str:
    """The part of the page from an anchor to the next one."""
    return re.split(r"^\(rosetta-\w+\)=$", PAGE.split(f"(rosetta-{anchor})=")[1], flags=re.M)[0]


def program(language: str, anchor: str) -> str:
    """All blocks of one language in a section, as a reader would type them: one after the other."""
    blocks = re.findall(rf"```{language}\n(.*?)```", section(anchor), re.DOTALL)
    assert blocks, f"no {language} in the section {anchor}"
    return "\n".join(blocks)


def column(anchor: str, title: str) -> list[str]:
    """The cells under a title, in the table of a section."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section(anchor).splitlines()
        if line.startswith("|") and not line.startswith("|---")
    ]
    return [row[rows[0].index(title)] for row in rows[1:]]


ANSWERS = program("text", "answers")


def symbolic_answers() -> str:
    """The six lines from the formulas alone, to six decimals."""
    x, x1, x2 = sp.symbols("x x1 x2")
    w, b, v = (sp.symbols(f"{name}1:4") for name in "wbv")
    f = sp.log(x1) + x1 * x2 - sp.sin(x2)
    g = x**2 * sp.sin(x)
    u = sum(vi * sp.tanh(wi * x + bi) for wi, bi, vi in zip(w, b, v))
    residual = sp.diff(u, x, 2) + u
    loss = sum(residual.subs(x, point) ** 2 for point in (0, sp.Rational(1, 2), 1)) / 3
    half = sp.Rational(1, 2)
    weights = dict(zip(w + b + v, (1, -2, half, 0, half, -1, 1, half, -3 * half)))
    lines = [
        [sp.diff(f, z).subs({x1: 2, x2: 5}) for z in (x1, x2)],
        [sp.diff(g, x, order).subs(x, 3 * half) for order in range(3)],
        [loss.subs(weights)],
        *([sp.diff(loss, z).subs(weights) for z in group] for group in (w, b, v)),
    ]
    return "".join(" ".join(f"{float(sp.N(a, 20)):.6f}" for a in line) + "\n" for line in lines)


def test_the_answers_follow_from_the_formulas() -> None:
    assert symbolic_answers() == ANSWERS


def test_the_answers_of_the_sources_are_their_first_digits() -> None:
    assert ANSWERS.splitlines()[0] == "5.500000 1.716338"
    second = [f"{float(number):.4f}" for number in ANSWERS.splitlines()[1].split()]
    assert second == ["2.2444", "3.1516", "0.1750"]


def test_pytorch_prints_the_answers(tmp_path: Path) -> None:
    printed, raised, _ = run(program("python", "pytorch"), tmp_path)
    assert not raised, raised
    assert printed == ANSWERS.splitlines()


def test_jax_prints_the_answers(capsys: pytest.CaptureFixture) -> None:
    jax = importlib.import_module("jax")
    try:
        exec(program("python", "jax"), {"__name__": "__main__"})
    finally:
        jax.config.update("jax_enable_x64", False)  # which other tests must not meet
    assert capsys.readouterr().out == ANSWERS


@pytest.mark.parametrize(
    ("language", "call"),
    [("r", "autograd_grad("), ("julia", "ForwardDiff.gradient("), ("matlab", "dlgradient(")],
)
def test_what_was_not_executed_says_so(language: str, call: str) -> None:
    assert NOT_EXECUTED in section(language)
    assert call in program(language, language)
    assert all(number in program(language, language) for number in ("-2", "0.5", "-1.5"))


def drop_second_create_graph(instead: str) -> str:
    line = "(u_xx,) = torch.autograd.grad(u_x.sum(), x, create_graph=True)"
    assert line in program("python", "pytorch")
    return program("python", "pytorch").replace(line, line.replace("create_graph=True", instead))


def test_a_forgotten_create_graph_raises_or_misleads(tmp_path: Path) -> None:
    _, raised, _ = run(drop_second_create_graph(""), tmp_path)
    assert "Trying to backward through the graph a second time" in raised
    wrong, raised, _ = run(drop_second_create_graph("retain_graph=True"), tmp_path)
    assert not raised, raised
    right = ANSWERS.splitlines()
    assert wrong[:3] == right[:3]  # the loss is right
    assert all(w != r for w, r in zip(wrong[3:], right[3:]))  # its gradients are not


@pytest.mark.parametrize(("title", "package"), [("PyTorch", "torch"), ("JAX", "jax")])
def test_the_names_in_the_table_exist(title: str, package: str) -> None:
    module = importlib.import_module(package)
    names = re.findall(rf"`{package}\.([\w.]+)`", " ".join(column("names", title)))
    assert len(names) >= 6
    for name in names:
        assert callable(reduce(getattr, name.split("."), module)), name


def test_what_the_table_of_differences_says_of_pytorch() -> None:
    assert torch.tensor(1.5).dtype == torch.float32
    x, unused = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="implicitly created only for scalar outputs"):
        torch.autograd.grad(x.exp(), x)
    with pytest.raises(RuntimeError, match="appears to not have been used"):
        torch.autograd.grad(x.sum(), unused)
    assert torch.autograd.grad(x.sum(), unused, allow_unused=True) == (None,)
    y = x.exp()
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_what_the_table_of_differences_says_of_jax() -> None:
    jax = importlib.import_module("jax")
    jnp = importlib.import_module("jax.numpy")
    importlib.import_module("jax.experimental.jet")
    assert jnp.array(1.5).dtype == "float32"
    with pytest.warns(UserWarning, match="truncated to dtype float32"):
        assert jnp.zeros(2, dtype="float64").dtype == "float32"
    x = jnp.ones(2)
    with pytest.raises(TypeError, match="immutable"):
        x[0] = 2.0
    assert x.at[0].set(2.0).tolist() == [2.0, 1.0]
    with pytest.raises(TypeError, match="scalar-output"):
        jax.grad(jnp.exp)(x)
    assert jax.grad(lambda x, unused: x.sum(), argnums=1)(x, x).tolist() == [0.0, 0.0]
