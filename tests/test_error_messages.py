"""The index of error messages: each one is provoked, and says what the page says it says."""

import copy
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.autograd import Function, grad, gradcheck
from torch.autograd.function import once_differentiable
from torch.func import jvp, vmap
from torch.utils.checkpoint import checkpoint

PAGE = (Path(__file__).parent.parent / "chapters" / "error_messages.md").read_text("utf-8")
ENTRY = re.compile(r"^\(error-([a-z-]+)\)=\n```text\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
MESSAGES = {label: " ".join(text.split()) for label, text in ENTRY.findall(PAGE)}
LINKS = re.findall(r"^- \{ref\}`(.*?) … <error-([a-z-]+)>`$", PAGE, re.MULTILINE)


# ---------------------------------------------------------------- a program for each message

PROVOKED: dict[str, Callable] = {}


def provokes(label: str) -> Callable:
    """The program below it makes torch print the message of that label."""

    def remember(program: Callable) -> Callable:
        assert label not in PROVOKED, f"two programs for {label}"
        PROVOKED[label] = program
        return program

    return remember


def leaf(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers, requires_grad=True)


class Exp(Function):
    """eˣ by hand; the classes below it break one method each."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.exp()

    @staticmethod
    def backward(ctx, cotangent):
        [x] = ctx.saved_tensors
        return cotangent * x.exp()


@provokes("no-graph")
def without_create_graph():
    x = leaf(1.0)
    [first] = grad((x**2).sum(), x)
    grad(first.sum(), x)


@provokes("not-required")
def an_input_that_asks_for_nothing():
    x = torch.ones(2)
    grad((leaf(1.0, 2.0) * x).sum(), x)


@provokes("not-used")
def an_input_that_is_not_there():
    grad(leaf(1.0).exp().sum(), leaf(1.0))


@provokes("integers")
def whole_numbers():
    torch.tensor([1, 2], requires_grad=True)


@provokes("leaf-flag")
def the_flag_of_a_result():
    (2 * leaf(1.0)).requires_grad_(False)


@provokes("inference")
def a_tensor_of_inference_mode():
    with torch.inference_mode():
        x = torch.ones(1)
    leaf(1.0) * x


@provokes("empty-optimizer")
def layers_in_a_list():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(1, 1)]

    torch.optim.SGD(Net().parameters(), lr=0.1)


@provokes("non-leaf-optimizer")
def a_scaled_parameter():
    torch.optim.SGD([2 * leaf(1.0)], lr=0.1)


@provokes("scalar")
def more_than_one_output():
    x = leaf(1.0, 2.0)
    grad(x**2, x)


@provokes("func-scalar")
def more_than_one_output_of_func():
    torch.func.grad(torch.square)(torch.ones(3))


@provokes("mismatch")
def a_cotangent_of_another_shape():
    x = leaf(1.0, 2.0)
    grad(x**2, x, grad_outputs=torch.ones(2, 1))


@provokes("tangent-size")
def a_tangent_of_another_shape():
    jvp(torch.sin, (torch.ones(2),), (torch.ones(2, 1),))


@provokes("target-size")
def a_column_minus_a_row():
    nn.functional.mse_loss(torch.ones(3, 1), torch.ones(3))


@provokes("second-time")
def two_walks():
    y = leaf(1.0).exp().sum()
    y.backward()
    y.backward()


@provokes("cycle")
def backward_with_create_graph():
    x = leaf(1.0)
    (x**2).sum().backward(create_graph=True)
    x.grad = None


@provokes("grad-of-non-leaf")
def the_gradient_of_a_result():
    (2 * leaf(1.0)).grad  # noqa: B018 (to look is to be warned)


@provokes("assign-grad")
def a_gradient_of_another_shape():
    leaf(1.0, 2.0).grad = torch.ones(3)


@provokes("leaf-in-place")
def a_leaf_in_place():
    leaf(1.0).add_(1)


@provokes("view-in-place")
def a_slice_of_a_leaf_in_place():
    x = leaf(1.0, 2.0)
    x[0] = 3.0


@provokes("modified")
def a_saved_result_in_place():
    y = leaf(1.0).exp()
    y += 1
    y.sum().backward()


@provokes("multi-view")
def one_of_several_parts():
    first, _ = (2 * leaf(1.0, 2.0)).split(1)
    first += 1


@provokes("shared-cell")
def a_stretched_tensor():
    (2 * leaf(1.0)).expand(3).add_(1)


@provokes("numpy")
def to_numpy():
    leaf(1.0).numpy()


@provokes("to-scalar")
def to_a_float():
    float(leaf(1.0))


@provokes("deepcopy")
def a_copy_of_a_result():
    copy.deepcopy(2 * leaf(1.0))


@provokes("nan")
def a_square_root_behind_where():
    x = leaf(0.0)
    with warnings.catch_warnings(), torch.autograd.detect_anomaly(check_nan=True):
        warnings.simplefilter("ignore")
        torch.where(x > 0, x.sqrt(), 0.0).sum().backward()


@provokes("reentrant")
def an_old_checkpoint():
    x = leaf(1.0)
    grad(checkpoint(torch.exp, x, use_reentrant=True).sum(), x)


@provokes("recomputed")
def a_segment_that_counts():
    calls = []

    def segment(x):
        calls.append(x)
        return x.exp().sin() if len(calls) == 1 else x.exp()

    checkpoint(segment, leaf(1.0), use_reentrant=False).sum().backward()


@provokes("compiled")
def a_compiled_function_twice():
    f = torch.compile(lambda x: x.sin() * x, backend="aot_eager")
    x = leaf(1.0, 2.0)
    [first] = grad(f(x).sum(), x, create_graph=True)
    grad(first.sum(), x)


@provokes("once")
def an_op_for_one_derivative():
    class Once(Exp):
        @staticmethod
        @once_differentiable
        def backward(ctx, cotangent):
            [x] = ctx.saved_tensors
            return cotangent * x.exp()

    x = leaf(1.0)
    [first] = grad(Once.apply(x).square().sum(), x, create_graph=True)
    first.sum().backward()


@provokes("count")
def two_gradients_for_one_input():
    class Two(Exp):
        @staticmethod
        def backward(ctx, cotangent):
            return cotangent, cotangent

    Two.apply(leaf(1.0)).sum().backward()


@provokes("no-backward")
def an_op_without_backward():
    class Half(Function):
        @staticmethod
        def forward(ctx, x):
            return x.exp()

    Half.apply(leaf(1.0)).sum().backward()


@provokes("setup-context")
def an_old_op_in_func():
    torch.func.grad(Exp.apply)(torch.tensor(1.0))


@provokes("not-implemented")
def the_second_derivative_of_attention():
    q = torch.ones(1, 1, 2, 8, requires_grad=True)
    attention = nn.functional.scaled_dot_product_attention(q, q, q)
    [first] = grad(attention.sum(), q, create_graph=True)
    grad(first.sum(), q)


@provokes("jacobian")
def a_wrong_slope():
    class Wrong(Exp):
        @staticmethod
        def backward(ctx, cotangent):
            return cotangent

    gradcheck(Wrong.apply, leaf(1.0).double().detach().requires_grad_())


@provokes("single")
def a_check_in_float32():
    gradcheck(torch.exp, leaf(1.0), raise_exception=False)


@provokes("data-dependent")
def a_branch_in_vmap():
    vmap(lambda x: x**2 if x > 0 else x)(torch.ones(3))


@provokes("random")
def dropout_in_vmap():
    vmap(nn.Dropout(0.5))(torch.ones(3, 2))


@provokes("batch-norm")
def batch_norm_in_vmap():
    vmap(nn.BatchNorm1d(2))(torch.ones(3, 4, 2))


# ---------------------------------------------------------------- the page against the programs


def printed(program: Callable) -> str:
    """What torch prints when the program runs: the error, or else its first warning."""
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)  # some warnings come once in a process
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            try:
                program()
            except Exception as error:
                return " ".join(f"{type(error).__name__}: {error}".split())
    finally:
        torch.set_warn_always(always)
    assert heard, "the program ran, and torch said nothing"
    return " ".join(f"{heard[0].category.__name__}: {heard[0].message}".split())


def says(found: str, message: str) -> bool:
    """True if the message is the beginning of what was found, where … stands for anything.

    >>> says("RuntimeError: shape [3] and [2]. Sorry", "RuntimeError: shape … and [2]. …")
    True
    >>> says("RuntimeError: shape [3] and [2]. Sorry", "RuntimeError: shape … and [2].")
    False
    """
    pattern = ".*".join(re.escape(part.strip()) for part in message.split("…"))
    return re.fullmatch(pattern, found) is not None or (
        # torch ends its warnings with the place in its source
        re.fullmatch(pattern + r" \(Triggered internally at .*\)", found) is not None
    )


def test_each_message_has_its_program_and_each_program_its_message() -> None:
    assert len(MESSAGES) >= 14
    assert set(MESSAGES) == set(PROVOKED)
    assert PAGE.count("```text") == len(MESSAGES), "an entry was not read"


@pytest.mark.parametrize("label", MESSAGES)
def test_torch_prints_what_the_page_says(label: str) -> None:
    found = printed(PROVOKED[label])
    assert says(found, MESSAGES[label]), found


def test_the_page_names_the_version_that_was_asked() -> None:
    version = ".".join(torch.__version__.split(".")[:2])
    assert f"torch {version} prints" in PAGE


def test_the_list_at_the_top_is_complete_and_sorted() -> None:
    assert sorted(label for _, label in LINKS) == sorted(MESSAGES)
    words = [MESSAGES[label].split(": ", 1)[1].lower() for _, label in LINKS]
    assert words == sorted(words)
    for shown, label in LINKS:
        assert MESSAGES[label].split(": ", 1)[1].replace("`", "").startswith(shown)


def test_each_entry_says_what_happened_what_to_do_and_where_it_is_explained() -> None:
    entries = re.split(r"^\(error-[a-z-]+\)=$", PAGE, flags=re.MULTILINE)[1:]
    for entry in entries:
        for part in ("*What happened.*", "*What to do.*", "*Explained in*"):
            assert entry.count(part) == 1, entry


def test_the_comparison_can_fail() -> None:
    found = printed(PROVOKED["scalar"])
    assert not says(found, MESSAGES["no-graph"])
    assert not says(found, MESSAGES["scalar"].replace("scalar", "vector"))
    with pytest.raises(AssertionError, match="said nothing"):
        printed(lambda: leaf(1.0).exp().sum().backward())
