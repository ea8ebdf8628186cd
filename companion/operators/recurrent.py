"""Rules of recurrent layers, written out: torch.lstm, torch.gru, torch.rnn_tanh and their cells.

nn.LSTM, nn.GRU and nn.RNN hand over one call for a whole sequence, and their cells one for a step;
what a step does is all that differs.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from companion.operators.dispatch import RULES, Operand


def lstm_cell(
    x: Operand,
    state: Sequence[Operand],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
    w_hr: Tensor | None = None,
) -> tuple[Any, Any]:
    """c′ = f c + i g and h′ = o tanh c′; w_hr makes h′ smaller."""
    h, c = state
    i, f, g, o = (F.linear(x, w_ih, b_ih) + F.linear(h, w_hh, b_hh)).chunk(4, -1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    h = torch.sigmoid(o) * torch.tanh(c)
    return h if w_hr is None else F.linear(h, w_hr), c


def gru_cell(
    x: Operand,
    h: Operand,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Any:
    """h′ = n + z (h − n), where the reset r is inside of n = tanh(… + r …)."""
    r, z, n = F.linear(x, w_ih, b_ih).chunk(3, -1)
    r_h, z_h, n_h = F.linear(h, w_hh, b_hh).chunk(3, -1)
    z = torch.sigmoid(z + z_h)
    n = torch.tanh(n + torch.sigmoid(r + r_h) * n_h)
    return n + z * (h - n)


def rnn_cell(nonlinearity: Callable) -> Callable:
    """h′ = nonlinearity(W x + b + V h + c)."""

    def step(
        x: Operand,
        h: Operand,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Any:
        return nonlinearity(F.linear(x, w_ih, b_ih) + F.linear(h, w_hh, b_hh))

    return step


def sequence(cell: Callable, states: int = 1) -> Callable:
    """The rule of a whole layer, or several, from that of a step. A state has `states` parts."""

    def rule(
        x: Operand,
        start: Any,
        weights: Any,
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: Any = None,
    ) -> Any:
        if not isinstance(has_biases, bool) or batch_first is None:
            raise NotImplementedError(
                "a recurrent layer takes a series as one tensor (time, batch, features), not as a "
                "PackedSequence; pad it"
            )
        start = start if states > 1 else (start,)
        ways = 2 if bidirectional else 1
        size = len(weights) // (num_layers * ways)
        x = x.transpose(0, 1) if batch_first and x.dim() == 3 else x
        last = []
        for level in range(num_layers):
            if level and dropout and train:
                x = F.dropout(x, dropout)
            found = []
            for k in range(level * ways, (level + 1) * ways):
                own = _named(weights[k * size : (k + 1) * size], has_biases)
                ys, end = _walked(cell, x, [s[k] for s in start], own, backwards=k % ways == 1)
                found.append(ys)
                last.append(end)
            x = torch.cat(found, -1)
        x = x.transpose(0, 1) if batch_first and x.dim() == 3 else x
        return x, *[torch.stack(part) for part in zip(*last)]

    return rule


def _named(weights, has_biases):
    """(w_ih, w_hh, b_ih, b_hh, w_hr if there is one)."""
    return weights if has_biases else [*weights[:2], None, None, *weights[2:]]


def _walked(cell, x, state, weights, backwards):
    """(the outputs in their order, the last state) along a sequence, from its end if backwards."""
    state = tuple(state) if len(state) > 1 else state[0]
    outputs = []
    for x_t in reversed(x.unbind(0)) if backwards else x.unbind(0):
        state = cell(x_t, state, *weights)
        outputs.append(state[0] if isinstance(state, tuple) else state)
    outputs = outputs[::-1] if backwards else outputs
    return torch.stack(outputs), state if isinstance(state, tuple) else (state,)


rnn_tanh_cell, rnn_relu_cell = rnn_cell(torch.tanh), rnn_cell(torch.relu)
RULES.update({
    torch.lstm_cell: lstm_cell, torch.gru_cell: gru_cell,
    torch.rnn_tanh_cell: rnn_tanh_cell, torch.rnn_relu_cell: rnn_relu_cell,
    torch.lstm: sequence(lstm_cell, 2), torch.gru: sequence(gru_cell),
    torch.rnn_tanh: sequence(rnn_tanh_cell), torch.rnn_relu: sequence(rnn_relu_cell),
})  # fmt: skip
