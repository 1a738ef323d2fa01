"""What a `Sequential` becomes in torch: a row of modules that take and give (x, mask), as the layers of Keras do.

Importing this module needs torch. Axes are Keras's: batch first, features last. A mask (batch, time) is True at valid steps and may have holes; None
is all of them.
"""

import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Sequential(torch.nn.Module):
    """Modules by the names of the layers, one after the other. A call takes x alone, and returns the output alone."""

    def __init__(self, layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x):
        mask = None
        for layer in self.children():
            x, mask = layer(x, mask)
        return x


# Functions by the names of lstmc.activations.
FUNCTIONS = {
    "linear": lambda x: x, "relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "softmax": lambda x: torch.softmax(x, -1),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2), "elu": F.elu, "hard_sigmoid": F.hardsigmoid, "hard_sigmoid_keras2": lambda x: (0.2 * x + 0.5).clamp(0, 1),
    "softsign": F.softsign, "exponential": torch.exp,
    "gelu": F.gelu, "silu": F.silu, "selu": F.selu, "celu": F.celu, "softplus": lambda x: F.softplus(x, threshold=40), "mish": F.mish, "relu6": F.relu6,
    "hard_tanh": F.hardtanh, "hard_silu": F.hardswish, "log_sigmoid": F.logsigmoid, "log_softmax": lambda x: torch.log_softmax(x, -1),
    "tanh_shrink": F.tanhshrink, "hard_shrink": F.hardshrink, "soft_shrink": F.softshrink, "squareplus": lambda x: (x + torch.sqrt(x * x + 4)) / 2,
    "sparse_plus": lambda x: torch.where(x <= -1, 0, torch.where(x < 1, (x + 1) ** 2 / 4, x)), "sparse_sigmoid": lambda x: ((x + 1) / 2).clamp(0, 1),
}


class Activation(torch.nn.Module):
    """One of FUNCTIONS, by its name."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def forward(self, x):
        return FUNCTIONS[self.name](x)

    def extra_repr(self):
        return self.name


class Alone(torch.nn.Module):
    """Torch modules one after the other, which see no mask; it is handed on, or ends here."""

    def __init__(self, *inner, ends=False):
        super().__init__()
        self.inner, self.ends = torch.nn.Sequential(*inner), ends

    def forward(self, x, mask):
        return self.inner(x), None if self.ends else mask


class Reshape(torch.nn.Module):
    """(batch, ...) to (batch, *shape)."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.reshape(len(x), *self.shape)


class Permute(torch.nn.Module):
    """Axes in another order, numbered from 1 after the batch's."""

    def __init__(self, dims):
        super().__init__()
        self.dims = dims

    def forward(self, x):
        return x.permute(0, *self.dims)


class Repeat(torch.nn.Module):
    """(batch, features) to (batch, n, features)."""

    def __init__(self, n):
        super().__init__()
        self.n = n

    def forward(self, x):
        return x[:, None].expand(-1, self.n, -1)


class Masking(torch.nn.Module):
    """Steps whose values all equal one value are not valid; zeroes them."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x, mask):
        valid = (x != self.value).any(-1)
        valid = valid if mask is None else valid & mask
        return torch.where(valid[..., None], x, 0), valid


class Embedding(torch.nn.Module):
    """Rows of a table; with mask_zero, the number 0 is a step that is not valid."""

    def __init__(self, table, mask_zero):
        super().__init__()
        self.table, self.mask_zero = torch.nn.Embedding.from_pretrained(table, freeze=False), mask_zero

    def forward(self, x, mask):
        if self.mask_zero:
            own = x != 0
            mask = own if mask is None else own & mask.reshape(*mask.shape, *(1,) * (x.dim() - mask.dim()))
        return self.table(x.long()), mask


class TimeDistributed(torch.nn.Module):
    """A layer on every step."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, mask):
        y, _ = self.layer(x.flatten(0, 1), None if mask is None or mask.dim() < 3 else mask.flatten(0, 1))
        return y.unflatten(0, x.shape[:2]), mask


class PReLU(torch.nn.Module):
    """x, or alpha x below 0, with an alpha for every place in a sample."""

    def __init__(self, alpha):
        super().__init__()
        self.alpha = torch.nn.Parameter(alpha)

    def forward(self, x):
        return torch.where(x > 0, x, self.alpha * x)


class SpatialDropout(torch.nn.Module):
    """Dropout that drops the same features at all steps of a sequence."""

    def __init__(self, rate):
        super().__init__()
        self.dropout = torch.nn.Dropout(rate)

    def forward(self, x):
        return x * self.dropout(torch.ones_like(x[:, :1])) if self.training else x


class Average(torch.nn.Module):
    """The mean over time of the valid steps; 0 where there is none."""

    def __init__(self, keepdims):
        super().__init__()
        self.keepdims = keepdims

    def forward(self, x, mask):
        if mask is None:
            return x.mean(1, keepdim=self.keepdims), None
        y = torch.where(mask[..., None], x, 0).sum(1) / mask.sum(1).clamp(min=1)[:, None]
        return y[:, None] if self.keepdims else y, None


class Largest(torch.nn.Module):
    """The largest value over time."""

    def __init__(self, keepdims):
        super().__init__()
        self.keepdims = keepdims

    def forward(self, x):
        return x.amax(1, keepdim=self.keepdims)


class BatchNormalization(torch.nn.Module):
    """torch's BatchNorm1d over the last axis."""

    def __init__(self, norm):
        super().__init__()
        self.norm = norm

    def forward(self, x):
        return self.norm(x.flatten(0, -2)).unflatten(0, x.shape[:-1])


class Recurrent(torch.nn.Module):
    """A recurrent module of torch (batch_first, one layer) with the outputs of Keras.

    sequences: outputs of all steps. merge: how two directions join, None for one. backwards: from the last step to the first. holds: steps that are not
    valid show the output of the last valid one; else 0. dropout: of inputs, the same at all steps of a sequence.
    """

    def __init__(self, rnn, sequences, merge, backwards, holds, dropout):
        super().__init__()
        self.rnn, self.dropout = rnn, SpatialDropout(dropout)
        self.sequences, self.merge, self.backwards, self.holds = sequences, merge, backwards, holds

    def forward(self, x, mask):
        x, steps = self.dropout(x), mask
        if self.backwards:
            x, steps = x.flip(1), None if mask is None else mask.flip(1)
        y, h = self.run(x, steps)
        D = len(h)
        parts = y.chunk(D, -1) if self.sequences else tuple(h)
        if D == 1:
            out = self.held(y, steps) if self.sequences and steps is not None and self.holds else parts[0]
        elif self.merge == "concat":
            out = torch.cat(parts, -1)
        else:
            out = parts[0] * parts[1] if self.merge == "mul" else (parts[0] + parts[1]) / (2 if self.merge == "ave" else 1)
        return out, mask if self.sequences else None

    def run(self, x, steps):
        """(y (B, T, D*H), 0 at steps that are not valid; final h (D, B, H)): the valid steps are moved to the front and packed."""
        if steps is None:
            y, state = self.rnn(x)
            return y, state[0] if isinstance(state, tuple) else state
        lengths, order = steps.sum(1), torch.argsort((~steps).to(torch.uint8), dim=1, stable=True)[..., None]
        packed = pack_padded_sequence(x.gather(1, order.expand_as(x)), lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        y, state = self.rnn(packed)
        y, _ = pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])
        y = torch.where(steps[..., None], torch.zeros_like(y).scatter(1, order.expand_as(y), y), 0)
        h = state[0] if isinstance(state, tuple) else state
        return y, torch.where((lengths > 0)[None, :, None], h, 0)

    @staticmethod
    def held(y, steps):
        """y with the last valid output at steps that are not valid."""
        last = torch.where(steps, torch.arange(steps.shape[1], device=steps.device), -1).cummax(1).values
        return y.gather(1, last.clamp(min=0)[..., None].expand_as(y))
