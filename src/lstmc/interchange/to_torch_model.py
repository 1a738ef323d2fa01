"""`to_torch` of `Sequential` and `Model`: a torch module with the same weights and the same results; a layer that torch has not is refused by its name.

Masks are carried: modules hand them on as layers do, and recurrent ones compute the valid steps alone. Each function below makes the torch module
of a kind of layer, in which weights are copies.
"""

import contextlib
import math
from types import SimpleNamespace

import numpy as np

from lstmc import layers
from lstmc.interchange import to_torch
from lstmc.interchange.torch_weights import imported
from lstmc.training.model_layer import ModelLayer


def model(m):
    """The torch module of a Sequential or a Model, in eval mode."""
    imported("to_torch")
    from lstmc.interchange import torch_layers, torch_merging, torch_network, torch_recurrent

    m.build()
    own = SimpleNamespace(torch=torch_layers.torch, **{name: kind for package in (torch_layers, torch_merging, torch_network, torch_recurrent)
                                                       for name, kind in vars(package).items() if getattr(kind, "__module__", "") == package.__name__},
                          FUNCTIONS=torch_layers.FUNCTIONS)
    return network(m.graph, m.input_names, m.output_keys, own).eval()


def network(graph, names, keys, own):
    """The Network of a graph."""
    found, of, taken = {}, {}, dir(own.Network({}, (), (), (), (), None))
    for layer in graph.layers:
        if any(step.layer is layer for step in graph.steps):
            name = layer.name.replace(".", "_")     # torch's separator
            while name in found or name in taken:
                name += "_"
            of[id(layer)], found[name] = name, converted(layer, own)
    steps = [(of[id(s.layer)], s.inputs, s.states, s.outputs) for s in graph.steps]
    merges = frozenset(of[id(s.layer)] for s in graph.steps if s.layer.merges)
    return own.Network(found, list(names), steps, merges, graph.kept, keys)


def converted(layer, own):
    """The torch module of a layer."""
    make = MADE.get(type(layer))
    if make is None:
        raise ValueError(f"{layer.name}: expected one of {', '.join(c.__name__ for c in MADE if c is not ModelLayer)}, which torch can express, received "
                         f"{type(layer).__name__}")
    made = make(layer, own, own.torch)
    return made if layer.trainable else made.requires_grad_(False)


def tensor(a, torch):
    """A copy of an array."""
    return torch.from_numpy(np.ascontiguousarray(a).copy())


def given(module, weights, torch):
    """module, with these arrays for parameters by their names."""
    module.load_state_dict({name: tensor(a, torch) for name, a in weights.items()}, strict=False)
    return module


def function(name, layer, own):
    """The modules of an activation: none of the linear one."""
    if name not in own.FUNCTIONS:
        raise ValueError(f"{layer.name}: activation: expected one of {', '.join(own.FUNCTIONS)}, received {name!r}")
    return () if name == "linear" else (own.Function(name),)


def product(layer, own, torch):
    """Of a Dense or a Conv1D."""
    kernel, *bias = layer.get_weights()
    conv, settings = type(layer) is layers.Conv1D, {"bias": layer.use_bias, "dtype": getattr(torch, str(layer.dtype))}
    if conv:
        settings |= {"kernel_size": layer.kernel_size, "stride": layer.strides, "dilation": layer.dilation_rate}
    module = torch.nn.utils.skip_init(torch.nn.Conv1d if conv else torch.nn.Linear, *kernel.shape[-2:], **settings)
    given(module, {"weight": kernel.T, **({"bias": bias[0]} if bias else {})}, torch)
    return own.Alone(windows(layer, own, module) if conv else module, *function(layer.activation.name, layer, own), ends=conv)


def windows(layer, own, module, **more):
    return own.Windows(module, layer.padding, layer.strides, layer._reach, **more)


def pooling(layer, own, torch):
    mean = type(layer) is layers.AveragePooling1D
    module = (torch.nn.AvgPool1d if mean else torch.nn.MaxPool1d)(layer.pool_size, layer.strides)
    return own.Alone(windows(layer, own, module, fill=layer.fill, mean=mean), ends=True)


def embedding(layer, own, torch):
    return own.Embedding(tensor(layer.get_weights()[0], torch), layer.mask_zero)


def recurrent(layer, own, torch):
    s = layer.settings
    with naming(layer):
        layer.check_complete()
        rnn = to_torch.module(layer.module, carried=("input_dropout",))
    return own.Recurrent(rnn, sequences=s.return_sequences, merge=getattr(layer, "merge_mode", None), backwards=s.go_backwards,
                         holds=not s.zero_output_for_mask, dropout=s.dropout, gives_state=s.return_state, stateful=s.stateful)


@contextlib.contextmanager
def naming(layer):
    """Of errors within, say which layer it is."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{layer.name}: {error}") from None


def layer_norm(layer, own, torch):
    axes = layer.axis if isinstance(layer.axis, tuple) else (layer.axis,)
    if layer.variables:
        v = layer.variables[0]
        norm = filled(torch.nn.LayerNorm(v.shape, layer.epsilon, dtype=getattr(torch, str(layer.dtype))), layer, torch)
    else:
        norm = own.LayerNorm(len(axes), layer.epsilon)
    return own.Alone(norm if axes == (-1,) else own.Moved(norm, in_order(layer, axes)))


def in_order(layer, axes):
    """Axes, of which some may count from the end, from the first to the last of them."""
    if min(axes) < 0 < max(axes):
        raise ValueError(f"{layer.name}: axis: expected axes that all count from the front, or all from the end, received {layer.axis}")
    return tuple(sorted(axes))


def batch_norm(layer, own, torch):
    norm = filled(torch.nn.BatchNorm1d(layer.variables[-1].array.size, layer.epsilon, 1 - layer.momentum, affine=layer.scale or layer.center,
                                       dtype=getattr(torch, str(layer.dtype))), layer, torch)
    norm = own.BatchNormalization(norm, not layer.trainable)
    return own.Alone(norm if layer.axis == -1 else own.Moved(norm, (layer.axis,)))


def filled(norm, layer, torch):
    """torch's normalisation with the weights of a layer; gamma or beta, if the layer has one of them alone, stay 1 or 0."""
    names = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    weights = {names[v.name]: v.get() for v in layer.variables}
    for name, parameter in norm.named_parameters():
        parameter.requires_grad_(name in weights)
    return given(norm, weights, torch)


def time_distributed(layer, own, torch):
    return own.TimeDistributed(converted(layer.layer, own))


def inner_model(layer, own, torch):
    return own.Within(network(layer.graph, ["x"], None, own))


def dropout(layer, own, torch):
    plain = (torch.nn.AlphaDropout if type(layer) is layers.AlphaDropout else torch.nn.Dropout)(layer.rate)
    if layer.noise_shape is None:
        return own.Alone(plain)
    if type(layer) is layers.AlphaDropout:
        raise ValueError(f"{layer.name}: noise_shape: expected None, all that torch.nn.AlphaDropout has, received {layer.noise_shape}")
    return own.Dropout(plain, layer.noise_shape)


def relu(layer, own, torch):
    if layer.max_value is None and not layer.threshold:
        return own.Alone(torch.nn.LeakyReLU(layer.negative_slope))
    return own.Alone(own.ReLU(layer.negative_slope, layer.threshold, layer.max_value))


def elementwise(layer, own, torch):
    return own.Elementwise(type(layer).__name__)


def dot(layer, own, torch):
    return own.Dot(layer.axes if isinstance(layer.axes, tuple) else (layer.axes,) * 2, layer.normalize)


def moved(name, of=lambda layer: (), ends=True):
    """A function that makes one of MOVES of what `of` says of a layer."""
    return lambda layer, own, torch: own.Alone(own.Function(name, *of(layer)), ends=ends)


MADE = {
    layers.LSTM: recurrent, layers.GRU: recurrent, layers.SimpleRNN: recurrent, layers.Bidirectional: recurrent, layers.Embedding: embedding,
    layers.Dense: product, layers.Conv1D: product, layers.MaxPooling1D: pooling, layers.AveragePooling1D: pooling,
    layers.TimeDistributed: time_distributed, layers.LayerNormalization: layer_norm, layers.BatchNormalization: batch_norm,
    layers.Activation: lambda layer, own, torch: own.Alone(*function(layer.activation.name, layer, own)),
    layers.Dropout: dropout,
    layers.SpatialDropout1D: lambda layer, own, torch: own.Dropout(torch.nn.Dropout(layer.rate), (None, 1, None)),
    layers.AlphaDropout: dropout,
    layers.GaussianNoise: lambda layer, own, torch: own.Alone(own.Noise(layer.stddev, False)),
    layers.GaussianDropout: lambda layer, own, torch: own.Alone(own.Noise(math.sqrt(layer.rate / (1 - layer.rate)), True)),
    layers.ActivityRegularization: lambda layer, own, torch: own.Alone(),
    layers.UnitNormalization: moved("Unit", lambda layer: np.atleast_1d(layer.axis).tolist(), ends=False),
    layers.Masking: lambda layer, own, torch: own.Masking(layer.mask_value),
    layers.ReLU: relu,
    layers.LeakyReLU: lambda layer, own, torch: own.Alone(torch.nn.LeakyReLU(layer.negative_slope)),
    layers.ELU: lambda layer, own, torch: own.Alone(torch.nn.ELU(layer.alpha)),
    layers.Softmax: lambda layer, own, torch: own.Softmax(layer.axis),
    layers.PReLU: lambda layer, own, torch: own.Alone(own.PReLU(tensor(layer.get_weights()[0], torch))),
    layers.Flatten: lambda layer, own, torch: own.Alone(torch.nn.Flatten(), ends=True),
    layers.Reshape: moved("Reshape", lambda layer: layer.target_shape),
    layers.Permute: moved("Permute", lambda layer: layer.dims),
    layers.RepeatVector: moved("Repeat", lambda layer: (layer.n,)),
    layers.Cropping1D: moved("Padding", lambda layer: (-layer.cropping[0], -layer.cropping[1])),
    layers.ZeroPadding1D: moved("Padding", lambda layer: layer.padding),
    layers.UpSampling1D: moved("UpSampling", lambda layer: (layer.size,)),
    layers.GlobalAveragePooling1D: lambda layer, own, torch: own.Average(layer.keepdims),
    layers.GlobalMaxPooling1D: moved("Largest", lambda layer: (layer.keepdims,)),
    **dict.fromkeys((layers.Add, layers.Subtract, layers.Multiply, layers.Average, layers.Maximum, layers.Minimum), elementwise),
    layers.Concatenate: lambda layer, own, torch: own.Concatenate(layer.axis),
    layers.Dot: dot, ModelLayer: inner_model,
}
