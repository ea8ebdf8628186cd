"""A network of every kind that jets must walk through, as a user would write it: (n, 1) → (n, m)."""

import torch
from torch import nn
from torch.nn import functional as F


def layered_and_grouped():
    """The same network twice: with LayerNorm, and with GroupNorm(1, n), which torch has right."""
    layered, grouped = (
        nn.Sequential(nn.Linear(1, 8), norm, nn.Tanh(), nn.Linear(8, 1)).double()
        for norm in (nn.LayerNorm(8), nn.GroupNorm(1, 8))
    )
    torch.manual_seed(0)
    for p in layered.parameters():
        p.data = torch.randn_like(p)
    grouped.load_state_dict(layered.state_dict())
    return layered, grouped


class Residual(nn.Module):
    """x + f(x), twice, and a skip that joins the input."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(1, 7), nn.Linear(7, 7), nn.Linear(8, 2)

    def forward(self, x):
        h = torch.tanh(self.a(x))
        h = h + torch.sigmoid(self.b(h))
        return self.c(torch.cat([h, x], dim=-1))


class Siren(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(1, 7), nn.Linear(7, 7), nn.Linear(7, 1)

    def forward(self, x):
        return self.c(torch.sin(3 * self.b(torch.sin(3 * self.a(x)))))


class Fourier(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("frequencies", torch.randn(1, 5))
        self.net = nn.Sequential(nn.Linear(10, 6), nn.SiLU(), nn.Linear(6, 1))

    def forward(self, x):
        z = 2 * torch.pi * x @ self.frequencies * 0.3
        return self.net(torch.cat([z.sin(), z.cos()], -1))


class ByHand(nn.Module):
    def __init__(self):
        super().__init__()
        self.w, self.v = nn.Parameter(torch.randn(6, 1)), nn.Parameter(torch.randn(2, 6) / 3)
        self.gate = nn.Parameter(torch.rand(6))

    def forward(self, x):
        h = torch.tanh(self.w @ x[:, :, None])[..., 0] * self.gate
        return (h / (1 + h**2).sqrt()).unsqueeze(1).matmul(self.v.T).squeeze(1) ** 2


class Attentive(nn.Module):
    """A bilinear product, softmax, a mean, indexing and where."""

    def __init__(self):
        super().__init__()
        self.q, self.k = nn.Linear(1, 6), nn.Linear(1, 6)

    def forward(self, x):
        q, k = self.q(x).view(-1, 3, 2), self.k(x).view(-1, 3, 2)
        a = F.softmax(q @ k.transpose(1, 2), dim=-1) @ k
        a = torch.where(a.detach() > 0, a, 0.3 * a)
        return a[:, 1] + torch.exp(-(a.mean(1) ** 2)) + torch.stack([k.sum((1, 2)), q[:, 0, 0]], 1)


def mlp(activation):
    return nn.Sequential(
        nn.Linear(1, 8), activation, nn.Linear(8, 8, bias=False), activation, nn.Linear(8, 2)
    )


NETWORKS = {
    "linear": lambda: nn.Linear(1, 3),
    "tanh": lambda: mlp(nn.Tanh()), "sigmoid": lambda: mlp(nn.Sigmoid()),
    "softplus": lambda: mlp(nn.Softplus()), "silu": lambda: mlp(nn.SiLU()),
    "gelu": lambda: mlp(nn.GELU()), "gelu by tanh": lambda: mlp(nn.GELU("tanh")),
    "mish": lambda: mlp(nn.Mish()), "elu": lambda: mlp(nn.ELU(0.7)), "selu": lambda: mlp(nn.SELU()),
    "prelu": lambda: mlp(nn.PReLU()), "softmax": lambda: mlp(nn.Softmax(dim=-1)),
    "residual": Residual, "siren": Siren, "fourier": Fourier, "by hand": ByHand,
    "attentive": Attentive,
}  # fmt: skip


def built(name):
    torch.manual_seed(5)
    return NETWORKS[name]().double()
