"""A call, or several with other options, of each function whose rule is linear, a product or composed.

Of x (3, 4), right for a tensor and for a series; off the corners of the functions.
"""

import torch
from torch.nn import functional as F

f64 = dict(dtype=torch.float64)
P = torch.rand(3, 4, generator=torch.Generator().manual_seed(1), **f64) + 0.2
Q = torch.rand(4, 3, generator=torch.Generator().manual_seed(3), **f64) + 0.2
M = torch.rand(3, 4, generator=torch.Generator().manual_seed(2)) > 0.4
K = torch.rand(3, 3, 2, generator=torch.Generator().manual_seed(4), **f64)  # kernels (out, in, 2)
I = torch.tensor([[0, 2], [1, 1], [3, 0]])
D = torch.tensor([[0, 2], [1, 3], [3, 0]])  # no place twice
ROWS, CLASSES = torch.tensor([0, 2]), torch.tensor([3, 0, 1])
LABELS = torch.tensor([[3, 0, -1, 1], [-1, 0, 1, 2], [1, 1, 0, -1]])
SIGNS = torch.tensor([1.0, -1.0, 1.0], **f64)
STORED = torch.rand(4, generator=torch.Generator().manual_seed(5), **f64) + 0.5
fill = dict(align_corners=False)

image = lambda x: torch.cat([x, x * x]).reshape(1, 1, 4, 6)
volume = lambda x: torch.cat([x, x * x]).reshape(1, 2, 2, 3, 2)
batch = lambda x: torch.stack([x, x * x], 1)  # (3, 2, 4)
inside = lambda x: torch.sigmoid(x)
of = lambda y: y[0] if isinstance(y, tuple) else y  # the values, without the indices

LINEAR = {
    torch.ravel: [lambda x: x.ravel() * x.T.ravel()],
    torch.fliplr: [lambda x: torch.fliplr(x)],
    torch.flipud: [lambda x: x.flipud()],
    torch.rot90: [lambda x: x.rot90(3, (1, 0))],
    torch.diag_embed: [lambda x: torch.diag_embed(x, 1, 0, -1)],
    torch.diagflat: [lambda x: x.diagflat(-1)],
    torch.take: [lambda x: x.take(I * 3)],
    torch.dsplit: [lambda x: x[None].dsplit([1])[1]],
    torch.unsafe_split: [lambda x: torch.unsafe_split(x, 2, 1)[1]],
    torch.unsafe_chunk: [lambda x: torch.unsafe_chunk(x, 2)[1]],
    torch.split_with_sizes: [lambda x: torch.split_with_sizes(x, [1, 3], 1)[1]],
    torch.column_stack: [lambda x: torch.column_stack([x, P, x * x])],
    torch.combinations: [lambda x: torch.combinations(x[0], 3, True)],
    torch.trapezoid: [
        lambda x: torch.trapezoid(x, dx=0.3, dim=0),
        lambda x: torch.trapezoid(x, P),
        lambda x: torch.trapezoid(P, x) + torch.trapezoid(x, x * x),
    ],
    torch.trapz: [lambda x: torch.trapz(x, P[0])],
    torch.cumulative_trapezoid: [lambda x: torch.cumulative_trapezoid(x, P)],
    torch.gradient: [lambda x: torch.gradient(x, spacing=0.5, dim=1, edge_order=2)[0]],
    torch.masked_select: [lambda x: x.masked_select(M)],
    torch.pixel_shuffle: [lambda x: F.pixel_shuffle(x.reshape(4, 3, 1), 2)],
    torch.pixel_unshuffle: [lambda x: F.pixel_unshuffle(image(x), 2)],
    torch.channel_shuffle: [lambda x: torch.channel_shuffle(x.reshape(1, 4, 3), 2)],
    torch.avg_pool1d: [lambda x: F.avg_pool1d(x, 3, 2, 1, True, False)],
    torch.adaptive_avg_pool1d: [lambda x: F.adaptive_avg_pool1d(x, 3)],
    torch.expand_copy: [lambda x: torch.expand_copy(x[:, :1], (3, 5))],
    torch.permute_copy: [lambda x: torch.permute_copy(x, (1, 0))],
    torch.view_copy: [lambda x: torch.view_copy(x, (2, 6))],
    torch.squeeze_copy: [lambda x: torch.squeeze_copy(x[None], 0)],
    torch.unsqueeze_copy: [lambda x: torch.unsqueeze_copy(x, 1)],
    torch.transpose_copy: [lambda x: torch.transpose_copy(x, 0, 1)],
    torch.t_copy: [lambda x: torch.t_copy(x)],
    torch.select_copy: [lambda x: torch.select_copy(x, 0, 1)],
    torch.slice_copy: [lambda x: torch.slice_copy(x, 1, 1, 4, 2)],
    torch.diagonal_copy: [lambda x: torch.diagonal_copy(x, 1)],
    torch.unfold_copy: [lambda x: torch.unfold_copy(x, 1, 2, 1)],
    torch.alias_copy: [lambda x: torch.alias_copy(x)],
    torch.narrow_copy: [lambda x: torch.narrow_copy(x, 1, 1, 2)],
    torch.split_copy: [lambda x: torch.split_copy(x, 2, 1)[0]],
    torch.split_with_sizes_copy: [lambda x: torch.split_with_sizes_copy(x, [1, 2])[1]],
    torch.unbind_copy: [lambda x: torch.unbind_copy(x, 1)[3]],
    torch.Tensor.unfold: [lambda x: x.unfold(1, 2, 2)],
    torch.Tensor.sum_to_size: [lambda x: x.sum_to_size(3, 1)],
    torch.linalg.diagonal: [lambda x: torch.linalg.diagonal(x, offset=1)],
    F.avg_pool2d: [lambda x: F.avg_pool2d(image(x), 2, 1, 1, count_include_pad=False)],
    **{
        getattr(F, f"lp_pool{rank}d"): [
            lambda x, pool=f"lp_pool{rank}d", points=points: getattr(F, pool)(points(x), 3, 2),
            lambda x, pool=f"lp_pool{rank}d", points=points: getattr(F, pool)(
                points(x), torch.inf, 2, stride=1, ceil_mode=True
            ),
        ]
        for rank, points in ((1, lambda x: x[None]), (2, image), (3, volume))
    },
    F.avg_pool3d: [lambda x: F.avg_pool3d(volume(x), (1, 2, 2), divisor_override=3)],
    F.adaptive_avg_pool2d: [lambda x: F.adaptive_avg_pool2d(image(x), (2, None))],
    F.adaptive_avg_pool3d: [lambda x: F.adaptive_avg_pool3d(volume(x), (1, 2, 2))],
    F.unfold: [lambda x: F.unfold(image(x), 2, padding=1, stride=2)],
    F.fold: [lambda x: F.fold(x.reshape(1, 4, 3), (2, 4), 2)],
    F.grid_sample: [
        lambda x: F.grid_sample(image(x), 2 * P.reshape(1, 3, 2, 2) - 1, align_corners=True),
        lambda x: F.grid_sample(image(P), x.reshape(1, 3, 2, 2) / 3 - 0.2, **fill),
    ],
    torch.grid_sampler: [lambda x: torch.grid_sampler(image(x), P.reshape(1, 3, 2, 2), 0, 1, False)],
    torch.grid_sampler_2d: [lambda x: torch.grid_sampler_2d(image(x), P.reshape(1, 3, 2, 2), 0, 0, True)],
    torch.grid_sampler_3d: [lambda x: torch.grid_sampler_3d(volume(x), P.reshape(1, 2, 2, 1, 3), 0, 0, True)],
    F.interpolate: [
        lambda x: F.interpolate(x[None], size=7, mode="linear", align_corners=True),
        lambda x: F.interpolate(image(x), scale_factor=(1.5, 2), mode="bicubic", antialias=True),
        lambda x: F.interpolate(image(x), 3, mode="area"), lambda x: F.upsample(x[None], 7, mode="nearest"),
        lambda x: F.interpolate(volume(x), scale_factor=2.0, mode="trilinear", **fill),
    ],
    F.affine_grid: [lambda x: F.affine_grid(x[:2, :3][None], [1, 1, 2, 3], **fill)],
    F.max_unpool1d: [lambda x: F.max_unpool1d(x, torch.tensor([[0, 3, 5, 6], [7, 1, 2, 4], [2, 0, 6, 5]]), 2)],
    F.max_unpool2d: [lambda x: F.max_unpool2d(x.reshape(1, 1, 3, 4), 2 * torch.arange(12).view(1, 1, 3, 4), 2)],
    F.max_unpool3d: [
        lambda x: F.max_unpool3d(x.reshape(1, 1, 1, 3, 4), 3 * torch.arange(12).view(1, 1, 1, 3, 4), 2)
    ],
    torch.meshgrid: [
        lambda x: torch.stack(torch.meshgrid(x[0], P[1], x[:, 1], indexing="ij")),
        lambda x: torch.meshgrid(x[0], x[1], indexing="xy")[1],
    ],
    torch.block_diag: [lambda x: torch.block_diag(x, P, x[0])],
    torch.broadcast_tensors: [lambda x: torch.broadcast_tensors(P[:1, :1], x[:1], x)[1]],
    torch.atleast_3d: [lambda x: torch.atleast_3d(x) * torch.atleast_3d(x, P)[0]],
    torch.cartesian_prod: [lambda x: torch.cartesian_prod(x[0], P[0], x[1])],
    torch.index_add: [
        lambda x: P.index_add(0, ROWS, x[:2], alpha=0.5) + x.index_add(0, ROWS, source=x[1:] * x[1:]),
        lambda x: torch.index_add(x, 1, CLASSES, P[:, :3]),
    ],
    torch.index_copy: [lambda x: x.index_copy(0, ROWS, P[:2]) + P.index_copy(0, ROWS, x[:2])],
    torch.index_fill: [
        lambda x: x.index_fill(0, ROWS, 3.0) + P.index_fill(0, ROWS, x[0, 0]),
        lambda x: x.index_fill(1, CLASSES, P[0, 0]),
    ],
    torch.index_put: [
        lambda x: x.index_put((ROWS, ROWS), P[0, :2]),
        lambda x: P.index_put((ROWS, ROWS), x[0, :2] * x[1, :2], accumulate=True),
    ],
    torch.Tensor.put: [lambda x: x.put(I[0], P[0, :2]) + P.put(I[1], x[0, :2], accumulate=True)],
    torch.masked_scatter: [lambda x: x.masked_scatter(M, P) + P.masked_scatter(M, x * x)],
    torch.scatter_add: [lambda x: x.scatter_add(1, I, P[:, :2]) + P.scatter_add(1, I, src=(x * x)[:, :2])],
    torch.select_scatter: [lambda x: x.select_scatter(P[0], 0, 1) + P.select_scatter(x[0], 0, 1)],
    torch.slice_scatter: [lambda x: x.slice_scatter(P[:2], 0, 1) + P.slice_scatter(x[:2], 0, 1)],
    torch.diagonal_scatter: [
        lambda x: x.diagonal_scatter(P[0, :3]) + P.diagonal_scatter(x[0, :3], 1)
    ],
    F.pad: [
        *(lambda x, m=m: F.pad(x[None], (1, 2), mode=m) for m in ("reflect", "replicate", "circular")),
        lambda x: F.pad(x, (1, 0, 0, -1), value=2.5) * F.pad(x, (1, 0, 0, -1), "constant"),
    ],
    torch.constant_pad_nd: [lambda x: torch.constant_pad_nd(x, (1, 1), 2.0)],
    torch.scatter: [
        lambda x: x.scatter(1, D, P[:, :2]) + P.scatter(1, D, x[:, :2]) + x.scatter(1, D, value=3.0),
    ],
    torch.scatter_reduce: [
        lambda x: x.scatter_reduce(1, I, P[:, :2], "sum") + P.scatter_reduce(1, I, x[:, :2], "mean"),
        lambda x: x.scatter_reduce(1, I, P[:, :2], reduce="prod", include_self=False),
    ],
    torch.index_reduce: [lambda x: x.index_reduce(1, CLASSES, P[:, :3], "mean")],
    torch.segment_reduce: [
        lambda x: torch.segment_reduce(x, "sum", lengths=torch.tensor([2, 1]), initial=1.5),
        lambda x: torch.segment_reduce(x, "sum", lengths=torch.tensor([0, 3]), axis=0),
    ],
    F.embedding_bag: [
        lambda x: F.embedding_bag(I.T, x.reshape(4, 3), per_sample_weights=P[:2, :3], mode="sum"),
        lambda x: F.embedding_bag(I.T % 3, x),
    ],
    **{
        getattr(F, f"{kind}{rank}d{what}"): [
            lambda x, pool=f"{kind}{rank}d{what}", points=points: of(getattr(F, pool)(points(x), 2))
        ]
        for rank, points in ((1, lambda x: x[None]), (2, image), (3, volume))
        for kind in ("max_pool", "adaptive_max_pool")
        for what in ("", "_with_indices")
    },
    torch.nanmean: [lambda x: torch.where(M, x, torch.nan).nanmean(1, keepdim=True)],
}  # fmt: skip

PRODUCTS = {
    torch.einsum: [
        lambda x: torch.einsum("ij,kj->ik", x, P) * torch.einsum("ij, kj -> ki", x, x * x),
        lambda x: torch.einsum("ij,jk,kl,il", x, Q, x, x) + torch.einsum("ii", x[:, :3]),
        lambda x: torch.einsum("...i,kij,...j->...k", x, torch.stack([Q, Q * Q]), x[:, :3]),
        lambda x: torch.einsum("b...,ab->a...", x[None].expand(3, 3, 4), P[:, :3]),
        lambda x: torch.einsum(x, [0, 1], x, [2, 1], [0, 2]),
        lambda x: torch.einsum("ba", [x]),
    ],
    torch.baddbmm: [lambda x: torch.baddbmm(x @ x.T, batch1=x[None], batch2=Q[None], beta=0.5, alpha=2)],
    torch.addmv: [
        lambda x: torch.addmv(x[:, 0], mat=x, vec=x[1], alpha=0.3) + torch.addmv(P[:, 0] * torch.nan, x, P[0], beta=0)
    ],
    torch.addbmm: [lambda x: torch.addbmm(P[:, :3], torch.stack([x, x * x]), torch.stack([Q, x.T]), beta=2)],
    torch.addr: [lambda x: torch.addr(x, x[:, 0], P[0], beta=0.5)],
    torch.chain_matmul: [lambda x: torch.chain_matmul(x, Q, x)],
    torch.linalg.multi_dot: [lambda x: torch.linalg.multi_dot([x[:, 0], x, Q, x[:, 1]])],
    torch.cov: [
        lambda x: torch.cov(x, correction=0) + x[0].cov(),
        lambda x: torch.cov(x, fweights=torch.tensor([1, 2, 1, 3])),
    ],
    F.bilinear: [
        lambda x: F.bilinear(x, x[:, :3], torch.stack([Q, Q * Q]), P[0, :2]),
        lambda x: F.bilinear(x, P, torch.einsum("i,j->ij", x[0], x[1])[None]),
    ],
    torch.inner: [lambda x: torch.inner(x, P) + x.inner(x * x)],
    torch.tensordot: [lambda x: torch.tensordot(x, P, dims=([0, 1], [0, 1])) * torch.tensordot(x, x, 2)],
    torch.kron: [lambda x: torch.kron(x, P[:2, :2]) + torch.kron(x, x[:2, :2])],
    torch.cross: [lambda x: torch.cross(x, P, dim=0) + torch.cross(x * x, x, 0)],
    torch.linalg.cross: [lambda x: torch.linalg.cross(x, P, dim=0)],
    torch.vdot: [lambda x: torch.vdot(x[0], x[1]) * torch.vdot(x[0], P[1])],
    torch.linalg.vecdot: [lambda x: torch.linalg.vecdot(x, x * x, dim=0) + torch.linalg.vecdot(P, x, dim=0)],
    F.conv1d: [
        lambda x: F.conv1d(x[None], K, SIGNS, stride=2, padding=1),
        lambda x: F.conv1d(x, weight=x[:, :, None].expand(3, 4, 2)[:, :3] * K, padding="same", bias=x[:, 0]),
    ],
    F.conv2d: [lambda x: F.conv2d(image(x), x[:, :, None, None].reshape(3, 1, 2, 2), P[:, 0], dilation=2)],
    F.conv3d: [lambda x: F.conv3d(volume(x), P[:2, :2].reshape(2, 2, 1, 1, 1), groups=1)],
    F.conv_transpose1d: [lambda x: F.conv_transpose1d(x[None], K, SIGNS, stride=2, output_padding=1)],
    F.conv_transpose2d: [lambda x: F.conv_transpose2d(image(x), x[None, None, :2, :2])],
    F.conv_transpose3d: [lambda x: F.conv_transpose3d(volume(x), P[:2, :2].reshape(2, 2, 1, 1, 1))],
}  # fmt: skip

NORMALISING = {
    torch.linalg.vector_norm: [
        *(lambda x, p=p: torch.linalg.vector_norm(x, p, 1, True)
          for p in (2, 1, 3, 4, 2.5, 0.5, torch.inf, -torch.inf)),
        lambda x: torch.linalg.vector_norm(x) * torch.linalg.vector_norm(x, dim=(0,), dtype=torch.float64),
    ],
    torch.linalg.matrix_norm: [
        lambda x, p=p: torch.linalg.matrix_norm(x[None], p, (-1, 1), True)
        for p in ("fro", "nuc", 1, -1, 2, -2, torch.inf, -torch.inf)
    ],
    torch.linalg.norm: [
        lambda x: torch.linalg.norm(x) + torch.linalg.norm(x, dim=1),
        lambda x: torch.linalg.norm(x, 1) * torch.linalg.norm(x, "nuc"),
        lambda x: torch.linalg.norm(x[0], 3) + torch.linalg.norm(x, 3, (1,)),
    ],
    torch.norm: [
        lambda x: x.norm() + torch.norm(x, 3, 0, keepdim=True) * torch.norm(x, p="nuc"),
        lambda x: torch.norm(x, "fro", (0, 1)) + x.norm(p=1, dim=[0]),
    ],
    torch.hypot: [lambda x: torch.hypot(x, P) + x.hypot(x * x) + torch.hypot(1e-200 * x, x - x) * 1e200],
    torch.cdist: [
        lambda x: torch.cdist(x, P), lambda x: torch.cdist(x[None], x * x + 1, p=3.0),
        lambda x: torch.cdist(P, x, 1.0),
    ],
    F.pdist: [lambda x: F.pdist(x) + F.pdist(x, 4)],
    torch.dist: [lambda x: torch.dist(x, P, 3) + x.dist(x * x)],
    F.pairwise_distance: [
        lambda x: F.pairwise_distance(x, P, 3, 0.1, True) + F.pairwise_distance(P, x),
    ],
    F.cosine_similarity: [
        lambda x: F.cosine_similarity(x, P) + F.cosine_similarity(x1=x, x2=x * x, dim=-1, eps=0.1),
        lambda x: F.cosine_similarity(x[:1], P),
    ],
    F.normalize: [
        lambda x: F.normalize(x) + F.normalize(x, 3.0, 1) + F.normalize(x, dim=(0, 1), eps=10.0),
    ],
    F.layer_norm: [
        lambda x: F.layer_norm(x, (4,), P[0], P[1], 1e-3),
        lambda x: F.layer_norm(x, (3, 4), x * x) + F.layer_norm(x, [4]),
        lambda x: torch.layer_norm(x, (4,), bias=x[0]),
    ],
    torch.native_layer_norm: [
        lambda x: torch.native_layer_norm(x, (4,), P[0], P[1], 1e-3)[0]
    ],
    torch.native_batch_norm: [
        lambda x: torch.native_batch_norm(x, P[0], P[1], None, None, True, 0.1, 1e-3)[0],
        lambda x: torch.native_batch_norm(x, P[0], P[1], STORED, STORED, False, 0.1, 1e-3)[0],
    ],
    F.rms_norm: [lambda x: F.rms_norm(x, (4,), P[0]) + F.rms_norm(x, (3, 4), eps=0.1)],
    F.group_norm: [
        lambda x: F.group_norm(x, 2, P[0], P[1], 1e-3) + torch.group_norm(x, 1),
        lambda x: F.group_norm(x.reshape(1, 4, 3), 2, x[0]),
    ],
    F.batch_norm: [
        lambda x: F.batch_norm(x, STORED, STORED * 2, P[0], P[1]),
        lambda x: F.batch_norm(batch(x), None, None, P[0, :2], training=True, eps=1e-3),
        lambda x: F.batch_norm(x, STORED.clone(), STORED.clone(), training=True),
    ],
    torch.batch_norm: [lambda x: torch.batch_norm(x, P[0], P[1], None, None, True, 0.1, 1e-3, False)],
    torch.instance_norm: [
        lambda x: torch.instance_norm(batch(x), P[0, :2], None, None, None, True, 0.1, 1e-3, False)
    ],
    F.instance_norm: [
        lambda x: F.instance_norm(batch(x), eps=1e-3, weight=P[0, :2], bias=P[1, :2]),
        lambda x: F.instance_norm(batch(x), STORED[:2], STORED[:2] * 2, use_input_stats=False),
    ],
    F.local_response_norm: [
        lambda x: F.local_response_norm(batch(x), 2, 0.5, 0.6, 1.3),
        lambda x: F.local_response_norm(x.reshape(1, 3, 2, 2), 3, 0.5),
    ],
}  # fmt: skip

LOSSES = {
    F.mse_loss: [
        lambda x: F.mse_loss(x, P) + F.mse_loss(P, x, reduction="sum"),
        lambda x: F.mse_loss(x, P, weight=P) + F.mse_loss(x, x * x, weight=P, reduction="none"),
        lambda x: F.mse_loss(x, P, size_average=False),
    ],
    F.l1_loss: [lambda x: F.l1_loss(x, P - 3, reduction="none") + F.l1_loss(x, P - 3, weight=P)],
    F.smooth_l1_loss: [
        lambda x: F.smooth_l1_loss(x, P, beta=0.5) + F.smooth_l1_loss(P, x, reduction="none")
    ],
    F.huber_loss: [lambda x: F.huber_loss(x, P, delta=0.5, weight=P) + F.huber_loss(x, P, "none")],
    F.binary_cross_entropy: [
        lambda x: F.binary_cross_entropy(inside(x), inside(P), P),
        lambda x: F.binary_cross_entropy(inside(P), inside(x), reduction="none"),
    ],
    F.binary_cross_entropy_with_logits: [
        lambda x: F.binary_cross_entropy_with_logits(x, inside(P), P, reduction="sum"),
        lambda x: F.binary_cross_entropy_with_logits(x, x * x, pos_weight=P[0], reduction="none"),
    ],
    F.nll_loss: [
        lambda x: F.nll_loss(x, CLASSES, P[0], ignore_index=0) + F.nll_loss(x[0], CLASSES[0]),
        lambda x: F.nll_loss(x.reshape(1, 4, 3), CLASSES[None], P[0], reduction="none"),
    ],
    F.cross_entropy: [
        lambda x: F.cross_entropy(x, CLASSES) + F.cross_entropy(x[0], CLASSES[0]),
        lambda x: F.cross_entropy(x, CLASSES, P[0], ignore_index=0, label_smoothing=0.2),
        lambda x: F.cross_entropy(x, CLASSES, ignore_index=0, label_smoothing=0.2, reduction="none"),
        lambda x: F.cross_entropy(x, P, P[0], label_smoothing=0.1) + F.cross_entropy(P, x * x),
        lambda x: F.cross_entropy(x.reshape(1, 4, 3), CLASSES[None], P[0], reduction="sum", label_smoothing=0.2),
    ],
    F.linear_cross_entropy: [
        lambda x: F.linear_cross_entropy(x, P, CLASSES % 3, linear_bias=SIGNS)
        + F.linear_cross_entropy(P, x, CLASSES % 3, ignore_index=1),
        lambda x: F.linear_cross_entropy(
            x, torch.stack([P, P * P], 1), CLASSES[:, None].expand(3, 2) % 3, reduction="none"
        ),
    ],
    F.kl_div: [
        lambda x: F.kl_div(x, P, reduction="batchmean") + F.kl_div(x, x * x, reduction="none", log_target=True),
        lambda x: F.kl_div(P, x * x, reduction="sum"),
    ],
    F.poisson_nll_loss: [
        lambda x: F.poisson_nll_loss(x, 3 * P, full=True) + F.poisson_nll_loss(x + 1, x, False, eps=0.1),
    ],
    F.gaussian_nll_loss: [
        lambda x: F.gaussian_nll_loss(x, P, 1 + x * x, full=True) + F.gaussian_nll_loss(x, P, 0.5),
        lambda x: F.gaussian_nll_loss(P, x, P[:, :1], reduction="none"),
    ],
    F.soft_margin_loss: [lambda x: F.soft_margin_loss(x, SIGNS[:, None].expand(3, 4))],
    F.multilabel_soft_margin_loss: [
        lambda x: F.multilabel_soft_margin_loss(x, M.double(), P[0])
        + F.multilabel_soft_margin_loss(x, M.double(), reduction="none")
    ],
    F.hinge_embedding_loss: [lambda x: F.hinge_embedding_loss(x, SIGNS[:, None], 0.5)],
    F.margin_ranking_loss: [
        lambda x: F.margin_ranking_loss(x, P, SIGNS[:, None], 0.5) + F.margin_ranking_loss(P, x, SIGNS[:, None])
    ],
    F.multi_margin_loss: [
        lambda x: F.multi_margin_loss(x, CLASSES, 2, 0.7, P[0]) + F.multi_margin_loss(x[0], CLASSES[0]),
        lambda x: F.multi_margin_loss(x, CLASSES, reduction="none"),
    ],
    F.multilabel_margin_loss: [
        lambda x: F.multilabel_margin_loss(x, LABELS, reduction="none")
        + F.multilabel_margin_loss(x[0], torch.tensor([3, 0, -1, 1])),
    ],
    F.cosine_embedding_loss: [
        lambda x: F.cosine_embedding_loss(x, P, SIGNS, -1.0, reduction="none")
        + F.cosine_embedding_loss(x[0], x[1], SIGNS[0])
    ],
    F.triplet_margin_loss: [
        lambda x: F.triplet_margin_loss(x, P, x * x, 2.0, swap=True) + F.triplet_margin_loss(P, x, P + 1, p=3)
    ],
    F.triplet_margin_with_distance_loss: [
        lambda x: F.triplet_margin_with_distance_loss(
            x, P, x * x, distance_function=lambda a, b: ((a - b) ** 2).sum(-1), reduction="none"
        )
    ],
}  # fmt: skip

REFUSED = (torch.as_strided, torch.as_strided_copy, torch.as_strided_scatter)
CALLS = {**LINEAR, **PRODUCTS, **NORMALISING, **LOSSES}
