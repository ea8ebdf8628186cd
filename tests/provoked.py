"""A program for each of torch's messages in the index of error messages."""

import copy
import warnings
from collections.abc import Callable

import torch
from torch import nn
from torch.autograd import Function, grad, gradcheck
from torch.autograd.function import once_differentiable
from torch.func import jvp, vmap
from torch.utils.checkpoint import checkpoint

PROVOKED: dict[str, Callable] = {}


def provokes(label: str) -> Callable:
    """The program below it prints the message of that label."""

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
