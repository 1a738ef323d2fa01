"""Layers as operators: of those of one input and without recurrence a function each, (builder, layer, `Value`) -> `Value`; and the table of all.

A function gives the shape of its input where the caller knows that of the output.
"""

import numpy as np

from lstmc import layers
from lstmc.interchange.onnx_export import activations, merging, recurrent
from lstmc.interchange.onnx_export.masks import Mask
from lstmc.interchange.onnx_export.values import Value, floats
from lstmc.layers.around import AroundModule


def same(b, layer, x):
    """What is nothing in inference."""
    return x


def dense(b, layer, x):
    w, bias = (*layer.weights, None)[:2]
    y = b.op("MatMul", x.name, b.constant(w, name=f"{layer.name}/kernel"))
    if bias is not None:
        y = b.op("Add", y, b.constant(bias, name=f"{layer.name}/bias"))
    return x._replace(name=activations.activation(b, y, layer.activation))


def convolution(b, layer, x):
    kernel, *bias = layer.weights
    weights = [b.constant(kernel.T, name=f"{layer.name}/kernel"), *(b.constant(w, name=f"{layer.name}/bias") for w in bias)]
    y = windows(b, "Conv", layer, x, *weights, dilations=[layer.dilation_rate])
    return y._replace(name=activations.activation(b, y.name, layer.activation))


def windows(b, kind, layer, x, *weights, **attributes):
    """An operator along time, which it has last; onnxruntime has these for float32 alone."""
    ends = {"auto_pad": "SAME_UPPER"} if layer.padding == "same" and layer.strides > 1 else {"pads": layer._ends(layer._reach)[1:]}
    y = b.op(kind, b.transpose(x.name, 0, 2, 1), *weights, kernel_shape=[layer._size], strides=[layer.strides], **ends, **attributes)
    return Value(b.transpose(y, 0, 2, 1), x.shape)


def max_pooling(b, layer, x):
    return windows(b, "MaxPool", layer, x)


def average_pooling(b, layer, x):
    return windows(b, "AveragePool", layer, x)


def activation(b, layer, x):
    return x._replace(name=activations.activation(b, x.name, layer.activation))


def relu(b, layer, x):
    return x._replace(name=activations.relu(b, x.name, **layer.values()))


def elu(b, layer, x):
    return x._replace(name=activations.elu(b, x.name, layer.alpha))


def prelu(b, layer, x):
    slope = b.constant(layer.weights[0], name=f"{layer.name}/alpha")
    return x._replace(name=b.op("Where", b.op("Less", x.name, b.constant(0)), b.op("Mul", x.name, slope), x.name))


def softmax(b, layer, x):
    masked = x.mask is not None and len(x.shape) == 2
    z = x.mask.where(x.name, -1e9, 2) if masked else x.name
    y = b.op("Softmax", z, axis=layer.axis)
    return x._replace(name=x.mask.where(y, 0, 2) if masked else y)


def embedding(b, layer, x):
    numbers = x.name if x.whole else b.cast(x.name, np.int64)
    y = b.op("Gather", b.constant(layer.weights[0], name=f"{layer.name}/embeddings"), numbers)
    mask = x.mask
    if layer.mask_zero:
        if len(x.shape) != 2:
            raise ValueError(f"{layer.name}: mask_zero=True with an input of {len(x.shape)} axes cannot be exported to ONNX: expected (batch, time)")
        valid = b.op("Not", b.op("Equal", numbers, b.constant(0, np.int64)))
        mask = Mask(b, numbers, valid=valid if mask is None else b.op("And", valid, mask.valid))
    return Value(y, x.shape, mask)


def masking(b, layer, x):
    other = b.op("Not", b.op("Equal", x.name, b.constant(layer.mask_value)))
    valid = b.cast(b.reduce("ReduceMax", b.cast(other, np.int32), [2], keepdims=False), bool)
    mask = Mask(b, x.name, valid=valid if x.mask is None else b.op("And", valid, x.mask.valid))
    return x._replace(name=mask.where(x.name, 0, 3), mask=mask)


def flatten(b, layer, x):
    return Value(b.op("Flatten", x.name, axis=1), x.shape)


def reshape(b, layer, x):
    return Value(b.reshape(x.name, 0, *layer.target_shape), x.shape)


def permute(b, layer, x):
    return Value(b.transpose(x.name, 0, *layer.dims), x.shape)


def repeat_vector(b, layer, x):
    return Value(b.op("Expand", b.unsqueeze(x.name, 1), b.ints(1, layer.n, 1)), x.shape)


def cropping(b, layer, x):
    before, behind = layer.cropping
    return Value(b.slice(x.name, before, -behind if behind else np.iinfo(np.int64).max, 1), x.shape)


def zero_padding(b, layer, x):
    before, behind = layer.padding
    return Value(b.op("Pad", x.name, b.ints(0, before, 0, 0, behind, 0)), x.shape)


def up_sampling(b, layer, x):
    each = b.op("Expand", b.unsqueeze(x.name, 2), b.ints(1, 1, layer.size, 1))
    return Value(b.reshape(each, 0, -1, x.shape[2]), x.shape)


def average(b, layer, x):
    if x.mask is None:
        return Value(b.reduce("ReduceMean", x.name, [1], layer.keepdims), x.shape)
    total = b.reduce("ReduceSum", x.mask.where(x.name, 0, 3), [1], layer.keepdims)
    n = b.cast(b.op("Max", x.mask.lengths, b.constant(1, np.int32)))
    return Value(b.op("Div", total, b.unsqueeze(n, *(1, 2)[:1 + layer.keepdims])), x.shape)


def maximum_over_time(b, layer, x):
    return Value(b.reduce("ReduceMax", x.name, [1], layer.keepdims), x.shape)


def weight(b, layer, name, shape):
    """A weight of a normalisation against an input of this shape, or None."""
    w = layer.weight(name)
    if w is None:
        return None
    sizes = [1] * len(shape)
    for axis in layer.places(shape):
        sizes[axis] = shape[axis]
    return w.reshape(sizes)


def scaled(b, layer, y, shape):
    for kind, name in (("Mul", "gamma"), ("Add", "beta")):
        w = weight(b, layer, name, shape)
        y = y if w is None else b.op(kind, y, b.constant(w, name=f"{layer.name}/{name}"))
    return y


def layer_normalization(b, layer, x):
    axes = layer.places(x.shape)
    a = b.op("Sub", x.name, b.reduce("ReduceMean", x.name, axes))
    variance = b.reduce("ReduceMean", b.op("Mul", a, a), axes)
    y = b.op("Div", a, b.op("Sqrt", b.op("Add", variance, b.constant(layer.epsilon))))
    return x._replace(name=scaled(b, layer, y, x.shape))


def batch_normalization(b, layer, x):
    mean, variance = (weight(b, layer, f"moving_{name}", x.shape) for name in ("mean", "variance"))
    inverse = 1 / np.sqrt(variance + b.dtype.type(layer.epsilon))
    y = b.op("Sub", x.name, b.constant(mean, name=f"{layer.name}/mean"))
    return x._replace(name=scaled(b, layer, b.op("Mul", y, b.constant(inverse, name=f"{layer.name}/scale")), x.shape))


def unit_normalization(b, layer, x):
    squares = b.reduce("ReduceSum", b.op("Mul", x.name, x.name), layer.axes(len(x.shape)))
    inverse = b.op("Min", b.op("Reciprocal", b.op("Sqrt", squares)), b.constant(layer.MOST))
    return x._replace(name=b.op("Mul", x.name, inverse))


def time_distributed(b, layer, x):
    inner = layer.inner(x.shape)
    shape = b.op("Shape", x.name)
    each = b.op("Concat", b.ints(-1), b.slice(shape, 2, len(x.shape), 0), axis=0)
    alone = {"optional": False} if isinstance(layer.layer, AroundModule) else {}
    y = export(b, layer.layer, Value(b.op("Reshape", x.name, each), inner, None, x.whole), **alone)
    rest = b.slice(b.op("Shape", y.name), 1, np.iinfo(np.int64).max, 0)
    return Value(b.op("Reshape", y.name, b.op("Concat", b.slice(shape, 0, 2, 0), rest, axis=0)), x.shape, x.mask)


FUNCTIONS = {
    layers.Dense: dense, layers.Conv1D: convolution, layers.MaxPooling1D: max_pooling, layers.AveragePooling1D: average_pooling,
    layers.Activation: activation, layers.ReLU: relu, layers.LeakyReLU: relu, layers.ELU: elu, layers.PReLU: prelu,
    layers.Softmax: softmax, layers.Dropout: same, layers.SpatialDropout1D: same, layers.Embedding: embedding, layers.Masking: masking,
    layers.Flatten: flatten, layers.Reshape: reshape, layers.Permute: permute, layers.RepeatVector: repeat_vector,
    layers.GlobalAveragePooling1D: average, layers.GlobalMaxPooling1D: maximum_over_time, layers.LayerNormalization: layer_normalization,
    layers.BatchNormalization: batch_normalization, layers.TimeDistributed: time_distributed, layers.LSTM: recurrent.recurrent,
    layers.GRU: recurrent.recurrent, layers.SimpleRNN: recurrent.recurrent, layers.Bidirectional: recurrent.bidirectional,
    layers.GaussianNoise: same, layers.GaussianDropout: same, layers.AlphaDropout: same, layers.ActivityRegularization: same,
    layers.UnitNormalization: unit_normalization, layers.Cropping1D: cropping, layers.ZeroPadding1D: zero_padding, layers.UpSampling1D: up_sampling,
    **merging.FUNCTIONS,
}


def check(layer):
    """Raise ValueError for a layer, or one inside it, that no function exports."""
    if type(layer) not in FUNCTIONS:
        raise ValueError(f"{layer.name}: a layer of class {type(layer).__name__} cannot be exported to ONNX; these can: "
                         f"{', '.join(sorted(c.__name__ for c in FUNCTIONS))}")
    if isinstance(layer, layers.TimeDistributed):
        check(layer.layer)


def export(b, layer, x, **arguments):
    """What a layer gives for a `Value`, or for a list of them if it merges."""
    if layer.merges:
        x = [floats(b, a) for a in x]
    elif not embeds(layer):
        x = floats(b, x)
    return FUNCTIONS[type(layer)](b, layer, x, **arguments)


def embeds(layer):
    """Whether a layer takes whole numbers."""
    return isinstance(layer, layers.Embedding) or (isinstance(layer, layers.TimeDistributed) and embeds(layer.layer))
