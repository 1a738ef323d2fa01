"""Layers of several inputs as operators, with Keras' rules for masked values."""

from lstmc import layers
from lstmc.interchange.onnx_export.masks import Mask, either, one_after_the_other
from lstmc.interchange.onnx_export.values import Value


def expanded(b, xs):
    """(names, axes): the inputs with as many axes, missing ones after the batch's."""
    axes = max(len(x.shape) for x in xs)
    return [x.name if len(x.shape) == axes else b.unsqueeze(x.name, *range(1, 1 + axes - len(x.shape))) for x in xs], axes


def elementwise(merge):
    """A function of inputs, from one of (builder, names, masks, axes)."""
    def export(b, layer, xs):
        names, axes = expanded(b, xs)
        masks = [x.mask for x in xs]
        return Value(merge(b, names, masks, axes), xs[0].shape, either(masks))

    return export


def chain(kind):
    """One operator over and over."""
    def merge(b, names, masks, axes):
        y = names[0]
        for x in names[1:]:
            y = b.op(kind, y, x)
        return y

    return merge


def mean(b, names, masks, axes):
    return b.op("Div", chain("Add")(b, names, masks, axes), b.constant(len(names)))


def product(b, names, masks, axes):
    y = chain("Mul")(b, [x if m is None else m.where(x, 1, axes) for x, m in zip(names, masks, strict=True)], masks, axes)
    valid = either(masks)
    return y if valid is None else valid.where(y, 0, axes)


def extreme(kind):
    """The largest or the smallest; a value that is masked in one of two does not count."""
    def merge(b, names, masks, axes):
        y, valid = names[0], masks[0]
        for x, m in zip(names[1:], masks[1:], strict=True):
            other = x if m is None else b.op("Where", m.against(axes), x, y)
            own = y if valid is None else b.op("Where", valid.against(axes), y, other)
            y, valid = b.op(kind, own, other), either([valid, m])
        return y

    return merge


def concatenate(b, layer, xs):
    axes = len(xs[0].shape)
    at = layer.axis % axes
    y = b.op("Concat", *(x.name for x in xs), axis=at)
    masks = [x.mask for x in xs]
    if at != 1:
        mask = either(masks)        # without a mask all steps count, and then they do in the result
    elif all(m is None for m in masks):
        mask = None
    else:
        mask = Mask(b, y, valid=one_after_the_other(b, [x.name for x in xs], masks))
    return Value(y, xs[0].shape, mask)


def dot(b, layer, xs):
    """A product of matrices (B, M, K) and (B, K, N)."""
    places, flat, rests = layer.places([x.shape for x in xs]), [], []
    for x, at in zip(xs, places, strict=True):
        others = [n for n in range(1, len(x.shape)) if n != at]
        rests += [x.shape[n] for n in others]
        a = b.transpose(x.name, 0, *others, at)
        if len(others) != 1:
            if x.shape[at] is None:
                raise ValueError(f"{layer.name}: an input of {len(x.shape)} axes whose size along {at} is free cannot be exported to ONNX")
            a = b.reshape(a, 0, -1, x.shape[at])
        if layer.normalize:
            length = b.op("Sqrt", b.reduce("ReduceSum", b.op("Mul", a, a), [2]))
            a = b.op("Div", a, b.op("Max", length, b.constant(1e-7)))
        flat.append(a)
    y = b.op("MatMul", flat[0], b.transpose(flat[1], 0, 2, 1))
    if any(len(x.shape) != 3 for x in xs):
        if rests.count(None) > 1:
            raise ValueError(f"{layer.name}: an output with several free sizes and more than three axes cannot be exported to ONNX")
        y = b.reshape(y, 0, *(-1 if n is None else n for n in rests or [1]))
    return Value(y, xs[0].shape)


FUNCTIONS = {
    layers.Add: elementwise(chain("Add")), layers.Subtract: elementwise(chain("Sub")), layers.Average: elementwise(mean),
    layers.Multiply: elementwise(product), layers.Maximum: elementwise(extreme("Max")), layers.Minimum: elementwise(extreme("Min")),
    layers.Concatenate: concatenate, layers.Dot: dot,
}
