"""Layers of one input as torch modules that take and give (x, mask), as the layers of Keras do; recurrent ones are in torch_recurrent.py.

Importing this module needs torch. Axes are Keras's: batch first, features last. A mask (batch, time) is True at valid steps and may have holes; None
is all of them.
"""

import torch
from torch.nn import functional as F

from lstmc.layers.windows import ends

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


# What layers do without weights, with the arguments that their modules have.
MOVES = {
    "Reshape": lambda x, *shape: x.reshape(len(x), *shape), "Permute": lambda x, *dims: x.permute(0, *dims),
    "Repeat": lambda x, n: x[:, None].expand(-1, n, -1), "Padding": lambda x, before, behind: F.pad(x, (0, 0, before, behind)),
    "UpSampling": lambda x, size: x.repeat_interleave(size, 1), "Largest": lambda x, keepdims: x.amax(1, keepdim=keepdims),
    "Unit": lambda x, *axes: x * (x * x).sum(axes, keepdim=True).rsqrt().clamp(max=1e12),
}


class Function(torch.nn.Module):
    """One of FUNCTIONS or MOVES, by its name."""

    def __init__(self, name, *arguments):
        super().__init__()
        self.name, self.arguments = name, arguments

    def forward(self, x):
        return (MOVES.get(self.name) or FUNCTIONS[self.name])(x, *self.arguments)

    def extra_repr(self):
        return ", ".join(map(str, (self.name, *self.arguments)))


class Alone(torch.nn.Module):
    """Torch modules one after the other, which see no mask; it is handed on, or ends here."""

    def __init__(self, *inner, ends=False):
        super().__init__()
        self.inner, self.ends = torch.nn.Sequential(*inner), ends

    def forward(self, x, mask):
        return self.inner(x), None if self.ends else mask


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
        return self.table(x if x.dtype in (torch.int32, torch.int64) else x.long()), mask


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


class Dropout(torch.nn.Module):
    """A Dropout of torch for many values at once: where shape has 1, values along that axis are dropped together; None is all of them."""

    def __init__(self, dropout, shape):
        super().__init__()
        self.dropout, self.shape = dropout, shape

    def drop(self, x):
        if not self.training or not self.dropout.p:
            return x
        return x * self.dropout(x.new_ones([n if own is None else own for n, own in zip(x.shape, self.shape, strict=True)]))

    def forward(self, x, mask):
        return self.drop(x), mask


class Noise(torch.nn.Module):
    """In training, normal numbers: added to values, or 1 and they multiply them."""

    def __init__(self, deviation, multiplies):
        super().__init__()
        self.deviation, self.multiplies = deviation, multiplies

    def forward(self, x):
        if not self.training or not self.deviation:
            return x
        noise = self.deviation * torch.randn_like(x)
        return x * (1 + noise) if self.multiplies else x + noise


class ReLU(torch.nn.Module):
    """x above threshold, at most `most` if that is not None; slope (x - threshold) elsewhere."""

    def __init__(self, slope, threshold, most):
        super().__init__()
        self.slope, self.threshold, self.most = slope, threshold, most

    def forward(self, x):
        y = torch.where(x > self.threshold, x, self.slope * (x - self.threshold).clamp(max=0))
        return y if self.most is None else y.clamp(max=self.most)


class Softmax(torch.nn.Module):
    """Along an axis; values that a mask of the shape of x leaves out are 0."""

    def __init__(self, axis):
        super().__init__()
        self.softmax = torch.nn.Softmax(axis)

    def forward(self, x, mask):
        if mask is None or mask.shape != x.shape:
            return self.softmax(x), mask
        return torch.where(mask, self.softmax(torch.where(mask, x, -1e9)), 0), mask


class Windows(torch.nn.Module):
    """A module of torch that goes along time, which torch has last, behind the padding of Keras; mean: padding counts for nothing."""

    def __init__(self, inner, padding, stride, reach, fill=0.0, mean=False):
        super().__init__()
        self.inner, self.ends, self.fill, self.mean = inner, (padding, stride, reach), fill, mean

    def along(self, x):
        _, *padding = ends(x.shape[1], *self.ends)
        return self.inner(F.pad(x, (0, 0, *padding), value=self.fill).mT).mT

    def forward(self, x):
        return self.along(x) / self.along(torch.ones_like(x[:1, :, :1])) if self.mean else self.along(x)


class Moved(torch.nn.Module):
    """A module of the last axes, over others."""

    def __init__(self, inner, axes):
        super().__init__()
        self.inner, self.axes = inner, axes

    def forward(self, x):
        ends = range(-len(self.axes), 0)
        return self.inner(x.movedim(self.axes, tuple(ends))).movedim(tuple(ends), self.axes)


class LayerNorm(torch.nn.Module):
    """torch's, without weights, over so many last axes, whatever their sizes."""

    def __init__(self, axes, eps):
        super().__init__()
        self.axes, self.eps = axes, eps

    def forward(self, x):
        return F.layer_norm(x, x.shape[x.dim() - self.axes:], eps=self.eps)


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


class BatchNormalization(torch.nn.Module):
    """torch's BatchNorm1d over the last axis; fixed: with the statistics that it has, in training, too."""

    def __init__(self, norm, fixed):
        super().__init__()
        self.norm, self.fixed = norm, fixed

    def train(self, mode=True):
        super().train(mode)
        self.norm.train(mode and not self.fixed)
        return self

    def forward(self, x):
        return self.norm(x.flatten(0, -2)).unflatten(0, x.shape[:-1])
