"""Functions of torch that are linear in the tensors they move: a word each.

Every coefficient goes the same way through such a function. Constants beside a series stand in the
primal alone: zeros take their place in the other coefficients. IN_THE_FIRST has the functions that
move their first argument; TOGETHER says which others move with it, by place and by name. What is
linear only with some of its options is differentiated alone (fallback.py) with the others.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F

from companion.operators.dispatch import RULES, Operand, Series
from companion.operators.fallback import alone, leaves, rebuilt
from companion.operators.names import written

IN_THE_FIRST = {
    torch: """ravel fliplr flipud rot90 diag_embed diagflat take dsplit unsafe_split unsafe_chunk
        split_with_sizes column_stack combinations trapezoid trapz cumulative_trapezoid gradient
        masked_select pixel_shuffle pixel_unshuffle channel_shuffle avg_pool1d adaptive_avg_pool1d
        expand_copy permute_copy view_copy squeeze_copy unsqueeze_copy transpose_copy t_copy
        select_copy slice_copy diagonal_copy unfold_copy alias_copy narrow_copy split_copy
        split_with_sizes_copy unbind_copy grid_sampler grid_sampler_2d
        grid_sampler_3d""",
    torch.Tensor: "unfold sum_to_size bfloat16",
    torch.linalg: "diagonal",
    F: """grid_sample avg_pool2d avg_pool3d adaptive_avg_pool2d adaptive_avg_pool3d unfold fold interpolate
        affine_grid max_unpool1d max_unpool2d max_unpool3d""",
}
ALL = "meshgrid block_diag broadcast_tensors atleast_3d cartesian_prod".split()  # f(a, b, …)
TOGETHER: dict[Callable, tuple[Any, ...]] = {
    torch.index_add: (3, "source"),
    torch.index_copy: (3, "source"),
    torch.index_fill: (3, "value"),
    torch.index_put: (2, "values"),
    torch.Tensor.put: (2, "source"),
    torch.masked_scatter: (2, "source"),
    torch.scatter_add: (3, "src"),
    torch.select_scatter: (1, "src"),
    torch.slice_scatter: (1, "src"),
    torch.diagonal_scatter: (1, "src"),
    F.pad: (3, "value"),
    torch.constant_pad_nd: (2, "value"),
}
MEMORY = (torch.as_strided, torch.as_strided_copy, torch.as_strided_scatter)
REDUCING: dict[Callable, tuple[Any, ...]] = {  # the option, its place, and its words; then as above
    torch.scatter: ("reduce", 4, (None, "add"), 0, 3, "src", "value"),
    torch.scatter_reduce: ("reduce", 4, ("sum", "mean"), 0, 3, "src"),
    torch.index_reduce: ("reduce", 4, ("mean",), 0, 3, "source"),
    torch.segment_reduce: ("reduce", 1, ("sum",), 0, "initial"),
    F.embedding_bag: ("mode", 6, (None, "sum", "mean"), 1, "weight"),
}


def moved_alike(function: Callable, *places: Any) -> Callable:
    """The rule of a function that is linear in its first argument and those at the places, together.

    Without a first argument among them (places is empty): in all that have no name.
    """

    def rule(*args: Any, **kwargs: Any) -> Any:
        given: dict[Any, Any] = {**dict(enumerate(args)), **kwargs}
        moving = {key for key in given if (key in places if places else isinstance(key, int))}
        operands = [x for x in leaves([given[key] for key in moving]) if isinstance(x, Series)]
        still = leaves([x for key, x in given.items() if key not in moving])
        if not operands or any(isinstance(x, Series) for x in still):
            return alone(function, args, kwargs, Series)
        for x in operands:
            operands[0].met(x)

        def at(k: int) -> Any:
            here = {
                key: rebuilt(x, lambda leaf: coefficient(leaf, k)) if key in moving else x
                for key, x in given.items()
            }
            return function(
                *[here[i] for i in range(len(args))], **{key: here[key] for key in kwargs}
            )

        return stacked(operands[0], [at(k) for k in range(max(len(x.rows) for x in operands))])

    return rule


def coefficient(x: Operand, k: int) -> Operand:
    """Coefficient k of a series; of a constant, which is zero but for k = 0."""
    if isinstance(x, Series):
        return x.rows[k] if k < len(x.rows) else torch.zeros_like(x.primal)
    if k == 0 or x is None:
        return x
    return torch.zeros_like(x) if isinstance(x, torch.Tensor) else type(x)(0)


def stacked(kind: Series, results: list[Any]) -> Any:
    """A series, or a nest of them, from the results of one function for all coefficients."""
    columns = zip(*[list(leaves(result)) for result in results])
    joined = iter([kind._of(torch.stack(column)) for column in columns])
    return rebuilt(results[0], lambda _: next(joined))


def reducing(
    function: Callable, option: str, place: int, words: tuple[str | None, ...], *places: Any
) -> Callable:
    """The rule of a function that is linear only if an option of it, at a place, is a word of those."""
    together = moved_alike(function, *places)

    def rule(*args: Any, **kwargs: Any) -> Any:
        word = kwargs.get(option, args[place] if len(args) > place else None)
        return together(*args, **kwargs) if word in words else alone(function, args, kwargs, Series)

    return rule


def maximal(pool: Callable, axes: int, both: bool) -> Callable:
    """The rule of max pooling: what the primal's maxima are picked from every coefficient."""

    def rule(x: Series, *args: Any, return_indices: bool = False, **kwargs: Any) -> Any:
        _, places = pool(x.primal.detach(), *args, **kwargs, return_indices=True)
        picked = x.flatten(-axes).gather(-1, places.flatten(-axes))
        picked = picked.unflatten(-1, places.shape[-axes:])
        return (picked, places) if both else picked

    return rule


def nanmean(x: Operand, *args: Any, dtype: torch.dtype | None = None, **kwargs: Any) -> Any:
    """The mean of those elements that are numbers."""
    x = x if dtype is None else x.to(dtype)
    count = (~torch.isnan(x.primal)).sum(*args, **kwargs)
    return torch.nansum(x, *args, **kwargs) / count


def refused(function: Callable) -> Callable:
    """The rule of a function that reads the memory of its argument, which a series does not have."""

    def rule(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            f"no Taylor rule for {written(function)}: it reads memory, and a series lies in memory "
            "otherwise than its value. Write it with view, unfold, diagonal or index_put, or take "
            "Partials(f, x, method='reverse')"
        )

    return rule


for _space, _names in IN_THE_FIRST.items():
    for _name in _names.split():
        RULES[getattr(_space, _name)] = moved_alike(getattr(_space, _name), 0)
for _axes, _dims in ((1, "1d"), (2, "2d"), (3, "3d")):
    for _kind in ("max_pool", "adaptive_max_pool"):
        _pool = getattr(F, f"{_kind}{_dims}_with_indices")
        RULES[_pool] = maximal(_pool, _axes, True)
        RULES[getattr(F, _kind + _dims)] = maximal(_pool, _axes, False)
RULES.update({getattr(torch, name): moved_alike(getattr(torch, name)) for name in ALL})
RULES.update({f: moved_alike(f, 0, *places) for f, places in TOGETHER.items()})
RULES.update({f: reducing(f, *how) for f, how in REDUCING.items()})
RULES.update({f: refused(f) for f in MEMORY})
RULES[torch.nanmean] = nanmean
