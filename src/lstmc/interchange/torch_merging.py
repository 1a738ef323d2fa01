"""Layers of several inputs as torch modules: lists of tensors and of masks go in, one of each comes out. Importing this module needs torch."""

import torch

from lstmc.layers.merging import any_of


def spread(mask, axes):
    """A mask with axes behind its own."""
    return mask.reshape(*mask.shape, *(1,) * (axes - mask.dim()))


class Elementwise(torch.nn.Module):
    """Value by value, of shapes that broadcast: missing axes are after the batch's. kind is the name of the layer's class.

    What is masked does not count in products, maxima and minima, as in Keras.
    """

    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    def forward(self, xs, masks):
        axes = max(x.dim() for x in xs)
        wide = [x.reshape(len(x), *(1,) * (axes - x.dim()), *x.shape[1:]) for x in xs]
        return getattr(self, self.kind.lower())(wide, [None if m is None else spread(m, axes) for m in masks]), any_of(masks)

    def add(self, xs, masks):
        y = xs[0]
        for x in xs[1:]:
            y = y + x
        return y

    def average(self, xs, masks):
        return self.add(xs, masks) / len(xs)

    def subtract(self, xs, masks):
        return xs[0] - xs[1]

    def multiply(self, xs, masks):
        y = None
        for x, m in zip(xs, masks, strict=True):
            x = x if m is None else torch.where(m, x, 1)
            y = x if y is None else y * x
        valid = any_of(masks)
        return y if valid is None else torch.where(valid, y, 0)

    def maximum(self, xs, masks, larger=torch.maximum):
        y, valid = xs[0], masks[0]
        for x, m in zip(xs[1:], masks[1:], strict=True):
            b = x if m is None else torch.where(m, x, y)
            y = larger(y if valid is None else torch.where(valid, y, b), b)
            valid = any_of([valid, m])
        return y

    def minimum(self, xs, masks):
        return self.maximum(xs, masks, torch.minimum)

    def extra_repr(self):
        return self.kind


class Concatenate(torch.nn.Module):
    """One after the other along an axis; masks too if it is one of theirs."""

    def __init__(self, axis):
        super().__init__()
        self.axis = axis

    def forward(self, xs, masks):
        return torch.cat(xs, self.axis), self.merged(xs, masks)

    def merged(self, xs, masks):
        if all(m is None for m in masks):
            return None
        axes = max(m.dim() for m in masks if m is not None)
        full = [torch.ones(x.shape[:axes], dtype=torch.bool, device=x.device) if m is None else spread(m, axes).expand(x.shape[:axes])
                for x, m in zip(xs, masks, strict=True)]
        at = self.axis % xs[0].dim()
        return torch.cat(full, at) if at < axes else any_of(full)


class Dot(torch.nn.Module):
    """The products of two inputs, summed along an axis of each; normalize: of both at length 1."""

    def __init__(self, axes, normalize):
        super().__init__()
        self.axes, self.normalize = axes, normalize

    def forward(self, xs, masks):
        moved = [x.movedim(at, -1) for x, at in zip(xs, self.axes, strict=True)]
        a, b = (m.reshape(len(m), -1, m.shape[-1]) for m in moved)
        if self.normalize:
            a, b = (x / x.norm(dim=-1, keepdim=True).clamp(min=1e-7) for x in (a, b))
        rests = [n for m in moved for n in m.shape[1:-1]]
        return (a @ b.transpose(1, 2)).reshape(len(a), *(rests or [1])), None
