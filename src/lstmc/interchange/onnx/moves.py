"""Operators that move, cut, join and repeat values, and tell shapes. Axes are an attribute or an input, as the operator set has it."""

import numpy as np

from lstmc.interchange.onnx.node import operator


def numbers(a):
    """A one-dimensional array of whole numbers, or a scalar, as a list."""
    if a.dtype.kind not in "iu" or a.ndim > 1:
        raise ValueError(f"expected whole numbers in one axis, received {a.dtype} of shape {a.shape}")
    return a.reshape(-1).tolist()


def axes_of(node, given):
    """Axes from an input, else from the attribute."""
    return node.ints("axes") if given is None else numbers(given)


@operator("Identity")
def identity(node):
    return lambda x: x


@operator("Dropout", least=1, most=3, outputs=2)
def dropout(node):
    """Inference: x, and a mask that keeps all."""
    def run(x, ratio=None, training=None):
        if training is not None and training.any():
            raise ValueError("training_mode: expected False, received True")
        return x, np.ones(x.shape, bool)

    return run


@operator("Constant", least=0)
def constant(node):
    found = [name for name in ("value", "value_float", "value_int", "value_floats", "value_ints") if name in node.attributes]
    if len(found) != 1:
        raise ValueError(f"expected one value of numbers, received the attributes {list(node.attributes)}")
    name = found[0]
    kind, dtype = name.removeprefix("value_"), np.float32 if "float" in name else np.int64
    value = node.tensor(name) if name == "value" else np.array(node.attribute(name, kind), dtype)
    return lambda: value


@operator("ConstantOfShape")
def constant_of_shape(node):
    value = node.tensor("value", np.zeros(1, np.float32))
    if value.size != 1:
        raise ValueError(f"attribute 'value': expected one value, received {value.size}")
    return lambda shape: np.full(node.limited(numbers(shape)), value.reshape(()))


@operator("Range", least=3)
def ranged(node):
    def run(start, limit, delta):
        start, limit, delta = (a.reshape(()) for a in (start, limit, delta))
        count = np.ceil((float(limit) - float(start)) / float(delta))
        if not np.isfinite(count):
            raise ValueError(f"expected a range that ends, received {start} to {limit} by {delta}")
        n, = node.limited((max(int(count), 0),))
        return (start + np.arange(n) * delta).astype(start.dtype)

    return run


@operator("Shape")
def shape(node):
    start, end = node.int("start", 0), node.int("end")
    return lambda x: np.array(x.shape[start:end], np.int64)


@operator("Size")
def size(node):
    return lambda x: np.array(x.size, np.int64)


@operator("Transpose")
def transpose(node):
    perm = node.ints("perm")
    return lambda x: x.transpose(perm)


@operator("Squeeze", least=1, most=2)
def squeeze(node):
    def run(x, axes=None):
        axes = axes_of(node, axes)
        return x.squeeze() if axes is None else x.squeeze(tuple(axes))

    return run


@operator("Unsqueeze", least=1, most=2)
def unsqueeze(node):
    stored = axes_of(node, *node.constants[1:] or [None]) if node.stored(1) else None

    def run(x, axes=None):
        axes = axes_of(node, axes) if stored is None else stored
        if axes is None:
            raise ValueError("axes: expected whole numbers, received none")
        if axes == [0]:         # the usual one, which NumPy's function is slow for
            return x[None]
        return np.expand_dims(x, tuple(axes))

    return run


@operator("Reshape", least=2)
def reshape(node):
    """0 stands for the size that x has there, unless allowzero says that it is a 0."""
    allowzero, stored = node.int("allowzero", 0), numbers(node.constants[1]) if node.stored(1) else None

    def run(x, shape):
        found = numbers(shape) if stored is None else stored.copy()
        if not allowzero and 0 in found:
            found = [x.shape[i] if n == 0 else n for i, n in enumerate(found)]
        if min(found, default=0) < -1:
            raise ValueError(f"expected sizes of at least 0, or -1, received {found}")
        if -1 in found and x.size == 0:         # of which NumPy makes no sense
            found[found.index(-1)] = 0
        return x.reshape(found)

    return run


@operator("Flatten")
def flatten(node):
    axis = node.int("axis", 1)

    def run(x):
        at = axis + x.ndim if axis < 0 else axis
        if not 0 <= at <= x.ndim:
            raise ValueError(f"axis: expected {-x.ndim} to {x.ndim}, received {axis}")
        return x.reshape(int(np.prod(x.shape[:at])), int(np.prod(x.shape[at:])))

    return run


@operator("Concat", least=1, most=-1)
def concat(node):
    axis = node.int("axis")
    if axis is None:
        raise ValueError("attribute 'axis': expected a number, received none")

    def run(*arrays):
        if len({a.dtype for a in arrays}) > 1:
            raise ValueError(f"expected arrays of one type, received {', '.join(str(a.dtype) for a in arrays)}")
        node.limited((sum(a.size for a in arrays),))
        return np.concatenate(arrays, axis)

    return run


@operator("Split", least=1, most=2, outputs=2**31)
def split(node):
    axis = node.int("axis", 0)

    def run(x, sizes=None):
        sizes, n = node.ints("split") if sizes is None else numbers(sizes), x.shape[axis]
        if sizes is None:
            one = -(-n // len(node.outputs))
            sizes = [max(min(one, n - i * one), 0) for i in range(len(node.outputs))]
        if len(sizes) != len(node.outputs) or sum(sizes) != n or min(sizes) < 0:
            raise ValueError(f"split: expected {len(node.outputs)} sizes whose sum is {n}, received {sizes}")
        return tuple(np.split(x, np.cumsum(sizes[:-1]), axis))

    return run


@operator("Slice", least=1, most=5)
def sliced(node):
    def read(starts=None, ends=None, axes=None, steps=None):
        starts, ends = (node.ints(name) if given is None else numbers(given) for name, given in (("starts", starts), ("ends", ends)))
        if starts is None or ends is None:
            raise ValueError("expected starts and ends, received none")
        axes = axes_of(node, axes)
        axes = list(range(len(starts))) if axes is None else axes
        steps = [1] * len(starts) if steps is None else numbers(steps)
        return list(zip(starts, ends, axes, steps, strict=True))

    stored = read(*node.constants[1:]) if node.stored(1) else None

    def run(x, *given):
        at = [slice(None)] * x.ndim
        for start, end, axis, step in read(*given) if stored is None else stored:
            # Going down, an end before the first value is written as a number below -n.
            at[axis] = slice(start, None if step < 0 and end < -x.shape[axis] else end, step)
        return x[tuple(at)]

    return run


@operator("Gather", least=2)
def gather(node):
    axis = node.int("axis", 0)

    def run(x, indices):
        if indices.dtype.kind not in "iu":
            raise ValueError(f"indices: expected whole numbers, received {indices.dtype}")
        if x.size * indices.size > node.limit * x.shape[axis]:
            at = axis + x.ndim if axis < 0 else axis
            node.limited((*x.shape[:at], *indices.shape, *x.shape[at + 1:]))
        return x.take(indices, axis)

    return run


@operator("Expand", least=2)
def expand(node):
    def run(x, shape):
        wanted = tuple(numbers(shape))
        found = x.shape if x.shape == wanted else np.broadcast_shapes(x.shape, wanted)
        return x if found == x.shape else np.broadcast_to(x, node.limited(found))

    return run


@operator("Tile", least=2)
def tile(node):
    def run(x, repeats):
        repeats = numbers(repeats)
        node.limited(n * r for n, r in zip(x.shape, repeats, strict=True))
        return np.tile(x, repeats)

    return run


@operator("Pad", least=1, most=4)
def pad(node):
    mode = node.text("mode", "constant", ("constant", "reflect", "edge", "wrap"))

    def run(x, pads=None, value=None, axes=None):
        found = node.ints("pads") if pads is None else numbers(pads)
        axes = list(range(x.ndim)) if axes is None else numbers(axes)
        if found is None or len(found) != 2 * len(axes):
            raise ValueError(f"pads: expected {2 * len(axes)} numbers, received {found}")
        widths, at = [(0, 0)] * x.ndim, [slice(None)] * x.ndim
        for i, axis in enumerate(axes):
            before, after = found[i], found[len(axes) + i]
            widths[axis] = max(before, 0), max(after, 0)
            at[axis] = slice(max(-before, 0), x.shape[axis] + min(after, 0))
        node.limited(n + before + after for n, (before, after) in zip(x.shape, widths, strict=True))
        if mode != "constant":
            return np.pad(x[tuple(at)], widths, mode)
        fill = node.float("value", 0.0) if value is None else value.reshape(()).item()
        return np.pad(x[tuple(at)], widths, constant_values=x.dtype.type(fill))

    return run


@operator("GatherND", least=2)
def gather_nd(node):
    """The parts of x at the indices that the last axis of `indices` holds, after batch_dims axes that both have."""
    batch = node.int("batch_dims", 0, 0)

    def run(x, indices):
        if indices.dtype.kind not in "iu" or not indices.ndim or batch + indices.shape[-1] > x.ndim or x.shape[:batch] != indices.shape[:batch]:
            raise ValueError(f"expected indices of x {x.shape} after {batch} axes in common, received {indices.dtype} of shape {indices.shape}")
        node.limited((*indices.shape[:-1], *x.shape[batch + indices.shape[-1]:]))
        lead = np.ogrid[tuple(slice(n) for n in x.shape[:batch])]
        lead = [a.reshape(*a.shape, *[1] * (indices.ndim - 1 - batch)) for a in lead]
        return x[(*lead, *np.moveaxis(indices, -1, 0))]

    return run


@operator("ScatterElements", least=3)
def scatter_elements(node):
    """x with other values along an axis at the indices."""
    axis = node.int("axis", 0)
    node.text("reduction", "none", ("none",))

    def run(x, indices, values):
        if indices.dtype.kind not in "iu" or values.dtype != x.dtype or indices.shape != values.shape:
            raise ValueError(f"expected indices and {x.dtype} values of one shape, received {indices.dtype} {indices.shape} and {values.dtype} {values.shape}")
        y = x.copy()
        np.put_along_axis(y, indices, values, axis)
        return y

    return run


@operator("ReverseSequence", least=2)
def reverse_sequence(node):
    """x with the first steps of each sequence, as many as its length, in the other order."""
    batch, time = node.int("batch_axis", 1), node.int("time_axis", 0)

    def run(x, lengths):
        steps = np.arange(x.shape[time])[:, None]
        if lengths.shape != (x.shape[batch],) or (lengths < 0).any() or (lengths > len(steps)).any():
            raise ValueError(f"sequence_lens: expected {x.shape[batch]} lengths up to {len(steps)}, received {lengths.tolist()[:20]}")
        at = np.where(steps < lengths, lengths - 1 - steps, steps)
        ordered = np.moveaxis(x, (time, batch), (0, 1))
        return np.moveaxis(ordered[at, np.arange(len(lengths))], (0, 1), (time, batch))

    return run


@operator("TopK", least=2, outputs=2)
def top_k(node):
    """The k largest or smallest along an axis, in order, and where they are: of equals the first."""
    axis, largest = node.int("axis", -1), node.int("largest", 1)

    def run(x, k):
        n, (count,) = x.shape[axis], numbers(k)
        if not 0 <= count <= n:
            raise ValueError(f"k: expected 0 to {n}, received {count}")
        # Sorted backwards, x has its largest values last, and of equals the first one last.
        order = np.argsort(np.flip(x, axis) if largest else x, axis, kind="stable")
        order = n - 1 - np.flip(order, axis) if largest else order
        order = np.moveaxis(np.moveaxis(order, axis, 0)[:count], 0, axis).astype(np.int64)
        return np.take_along_axis(x, order, axis), order

    return run
