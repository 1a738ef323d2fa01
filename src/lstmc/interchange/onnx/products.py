"""Operators that sum, or take the largest: products of matrices, convolutions, pooling, reductions, layer normalisation.

Products run on the kernel of dense layers and sums are fixed trees, so that no bit depends on a BLAS, on the NumPy in use or on threads.
"""

import math

import numpy as np

from lstmc.interchange.onnx.elementwise import floating
from lstmc.interchange.onnx.moves import axes_of
from lstmc.interchange.onnx.node import operator
from lstmc.kernels import linear
from lstmc.layers.sums import total
from lstmc.layers.windows import ends


def product(x, w, b=None):
    """x w + b for a matrix w and an x whose last axis it takes; b has a value for each column of w, or is None."""
    if floating(x).dtype != w.dtype:
        raise ValueError(f"expected two arrays of one type, received {x.dtype} and {w.dtype}")
    if x.shape[-1] != w.shape[0]:
        raise ValueError(f"expected matrices of shapes (M, K) and (K, N), received {x.shape} and {w.shape}")
    y = np.empty((*x.shape[:-1], w.shape[1]), x.dtype)
    if not x.shape[-1]:
        y[...] = 0 if b is None else b
    elif y.size:
        linear.linear_fwd(x.reshape(-1, x.shape[-1]), w, b, y.reshape(-1, w.shape[1]))
    return y


@operator("MatMul", least=2)
def matmul(node):
    def run(a, b):
        if b.ndim == 2 <= a.ndim:           # as in a dense layer
            node.limited((a.size // max(a.shape[-1], 1), b.shape[1]))
            return product(a, b)
        if not a.ndim or not b.ndim:
            raise ValueError(f"expected arrays with axes, received shapes {a.shape} and {b.shape}")
        x, w = (a[None] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)
        shape = node.limited((*np.broadcast_shapes(x.shape[:-2], w.shape[:-2]), x.shape[-2], w.shape[-1]))
        if w.ndim == 2:
            y = product(x, w)
        else:
            x, w = (np.broadcast_to(m, (*shape[:-2], *m.shape[-2:])) for m in (x, w))
            y = np.empty(shape, a.dtype)
            for at in np.ndindex(shape[:-2]):
                y[at] = product(x[at], w[at])
        y = y[..., 0, :] if a.ndim == 1 else y
        return y[..., 0] if b.ndim == 1 else y

    return run


def dense(node):
    """A MatMul and the addition of a vector after it."""
    def run(x, w, b):
        if x.size * w.shape[1] > node.limit * x.shape[-1]:
            node.limited((x.size // max(x.shape[-1], 1), w.shape[1]))
        return product(x, w, b)

    return run


@operator("Gemm", least=2, most=3)
def gemm(node):
    """alpha a b + beta c, where a and b may be transposed."""
    alpha, beta = node.float("alpha", 1.0), node.float("beta", 1.0)
    flip_a, flip_b = node.int("transA", 0), node.int("transB", 0)

    def run(a, b, c=None):
        if a.ndim != 2 or b.ndim != 2:
            raise ValueError(f"expected two matrices, received shapes {a.shape} and {b.shape}")
        a, b = (a.T if flip_a else a), (b.T if flip_b else b)
        shape, t = node.limited((a.shape[0], b.shape[1])), a.dtype.type
        if c is None or not beta:
            return product(a, b) if alpha == 1 else t(alpha) * product(a, b)
        if c.dtype != a.dtype or np.broadcast_shapes(c.shape, shape) != shape:
            raise ValueError(f"expected {a.dtype} of a shape that becomes {shape} as input 2, received {c.dtype} of {c.shape}")
        c = c if beta == 1 else t(beta) * c
        if alpha == 1 and c.ndim == 1 and len(c) == shape[1]:
            return product(a, b, c)
        return (product(a, b) if alpha == 1 else t(alpha) * product(a, b)) + c

    return run


def windows(node):
    """The function of x (B, C, T), K and a value beyond its ends that gives the windows (B, C, T', K) of a node that goes along one axis."""
    auto = node.text("auto_pad", "NOTSET", ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"))
    strides, dilations, pads = (node.ints(name, default) for name, default in (("strides", [1]), ("dilations", [1]), ("pads", [0, 0])))
    if (len(strides), len(dilations), len(pads)) != (1, 1, 2):
        raise ValueError(f"expected windows along one axis, received strides {strides}, dilations {dilations} and pads {pads}")
    (stride,), (dilation,) = strides, dilations
    if stride < 1 or dilation < 1 or min(pads) < 0:
        raise ValueError("strides, dilations, pads: expected at least 1, 1 and 0, received less")

    def run(x, K, fill=0):
        (B, C, T), reach = x.shape, dilation * (K - 1) + 1
        around = ends(T, "same", stride, reach)[1:] if auto.startswith("SAME") else pads
        before, after = around[::-1] if auto == "SAME_LOWER" else around
        steps = (T + before + after - reach) // stride + 1
        if K < 1 or steps < 1:
            raise ValueError(f"expected at least {reach} steps, received {T} and {before + after} of padding")
        node.limited((B, C * K, steps))
        padded = np.full(node.limited((B, C, T + before + after)), fill, x.dtype)
        padded[:, :, before:before + T] = x
        return np.lib.stride_tricks.sliding_window_view(padded, reach, 2)[:, :, ::stride, ::dilation]

    return run


@operator("Conv", least=2, most=3)
def convolution(node):
    """Along one axis: x (B, C, T), w (N, C / groups, K) -> (B, N, T'), a product of w and the windows of x."""
    groups, windows_of = node.int("group", 1, 1), windows(node)

    def run(x, w, b=None):
        if x.ndim != 3 or w.ndim != 3 or x.shape[1] != groups * w.shape[1] or w.shape[0] % groups or floating(x).dtype != w.dtype:
            raise ValueError(f"expected x (B, C, T) and w (N, C / {groups}, K) of one type, received {x.dtype} {x.shape} and {w.dtype} {w.shape}")
        (B, *_), (N, c, K) = x.shape, w.shape
        found = windows_of(x, K)
        steps = found.shape[2]
        y = np.empty(node.limited((B, steps, N)), x.dtype)
        for g in range(groups):
            some, out = slice(g * c, (g + 1) * c), slice(g * N // groups, (g + 1) * N // groups)
            rows = np.ascontiguousarray(found[:, some].transpose(0, 2, 1, 3)).reshape(B, steps, c * K)
            y[:, :, out] = product(rows, w[out].reshape(-1, c * K).T, None if b is None else b[out])
        return y.transpose(0, 2, 1)

    return run


@operator("MaxPool", "AveragePool")
def pooling(node):
    """The largest value, or the mean, of windows along one axis: x (B, C, T) -> (B, C, T')."""
    (size, *more), windows_of, padding = node.ints("kernel_shape", [0]), windows(node), node.int("count_include_pad", 0)
    if more or node.int("ceil_mode", 0) or node.int("storage_order", 0):
        raise ValueError("kernel_shape, ceil_mode, storage_order: expected one number, 0 and 0, received others")

    def run(x):
        if x.ndim != 3:
            raise ValueError(f"expected x (B, C, T), received shape {x.shape}")
        if node.op == "MaxPool":
            return windows_of(x, size, -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min).max(3)
        counts = size if padding else windows_of(np.ones((1, 1, x.shape[2])), size).sum(3)
        return (total(windows_of(floating(x), size), 3) / counts).astype(x.dtype)

    return run


@operator("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", least=1, most=2)
def reduced(node):
    """Over axes, all if there are none; one after the other, the last first."""
    keep, nothing = node.int("keepdims", 1), node.int("noop_with_empty_axes", 0)
    other = {"ReduceMax": np.max, "ReduceMin": np.min, "ReduceProd": np.prod}.get(node.op)

    def run(x, axes=None):
        axes = axes_of(node, axes)
        if not axes and nothing:
            return x
        axes = sorted({a + x.ndim if a < 0 else a for a in axes or range(x.ndim)}, reverse=True)
        if any(not 0 <= a < x.ndim for a in axes):
            raise ValueError(f"axes: expected numbers from {-x.ndim} to {x.ndim - 1}, received {axes}")
        y, count = x, math.prod(x.shape[a] for a in axes)
        for axis in axes:
            y = total(y, axis) if other is None else other(y, axis)
            y = np.expand_dims(y, axis) if keep else y
        if node.op == "ReduceMean":
            y = floating(y) / y.dtype.type(count)
        return np.asarray(y, x.dtype)

    return run


@operator("ArgMax")
def argmax(node):
    axis, keep = node.int("axis", 0), node.int("keepdims", 1)
    if node.int("select_last_index", 0):
        raise ValueError("attribute 'select_last_index': expected 0, received another")
    return lambda x: np.argmax(x, axis, keepdims=bool(keep)).astype(np.int64)


@operator("LayerNormalization", least=2, most=3, outputs=3)
def layer_normalization(node):
    """(x - mean) / sqrt(variance + epsilon) over the axes from one on, times scale, plus bias; the mean; the inverse of that root."""
    axis, epsilon = node.int("axis", -1), node.float("epsilon", 1e-5)

    def run(x, scale, bias=None):
        at = axis + x.ndim if axis < 0 else axis
        flat = floating(x).reshape(*x.shape[:at], -1)
        t, n = x.dtype.type, x.dtype.type(flat.shape[-1])
        mean = (total(flat, -1) / n)[..., None]
        d = flat - mean
        root = np.sqrt(total(d * d, -1) / n + t(epsilon))[..., None]
        y = (d / root).reshape(x.shape) * scale
        inside = (*x.shape[:at], *[1] * (x.ndim - at))
        return y if bias is None else y + bias, mean.reshape(inside), (1 / root).reshape(inside)

    return run


@operator("CumSum", least=2)
def cumulative(node):
    """Sums of all up to each along an axis, one after the other; from the end, or without itself, on request."""
    exclusive, reverse = node.int("exclusive", 0), node.int("reverse", 0)

    def run(x, axis):
        x = np.moveaxis(x, int(axis.reshape(())), 0)
        x = np.flip(x, 0) if reverse else x
        y = np.cumsum(x, 0, dtype=x.dtype)
        if exclusive:
            y = np.concatenate([np.zeros_like(y[:1]), y[:-1]])
        return np.moveaxis(np.flip(y, 0) if reverse else y, 0, int(axis.reshape(())))

    return run
