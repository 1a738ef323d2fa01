"""`Sequential.to_torch`: the model as a torch module with the same weights and the same results; a layer that torch has not is refused by its name.

Masks are carried: modules hand them on as layers do, and recurrent ones compute the valid steps alone. Each function below makes the torch module
of a kind of layer, in which weights are copies.
"""

import contextlib

import numpy as np

from lstmc import layers
from lstmc.interchange import to_torch
from lstmc.interchange.torch_weights import imported


def model(m):
    """The torch module of a Sequential, in eval mode."""
    imported("to_torch")
    from lstmc.interchange import torch_layers

    m.build()
    found, taken = {}, dir(torch_layers.Sequential({}))
    for layer in m.layers:
        name = layer.name.replace(".", "_")     # torch's separator
        while name in found or name in taken:
            name += "_"
        found[name] = converted(layer)
    return torch_layers.Sequential(found).eval()


def converted(layer):
    """The torch module of a layer."""
    make = MADE.get(type(layer))
    if make is None:
        raise ValueError(f"{layer.name}: expected one of {', '.join(c.__name__ for c in MADE)}, which torch can express, received {type(layer).__name__}")
    from lstmc.interchange import torch_layers

    return make(layer, torch_layers, torch_layers.torch)


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
    return () if name == "linear" else (own.Activation(name),)


def dense(layer, own, torch):
    kernel, *bias = layer.get_weights()
    linear = torch.nn.utils.skip_init(torch.nn.Linear, *kernel.shape, bias=layer.use_bias, dtype=getattr(torch, str(layer.dtype)))
    weights = {"weight": kernel.T, **({"bias": bias[0]} if bias else {})}
    return own.Alone(given(linear, weights, torch), *function(layer.activation.name, layer, own))


def embedding(layer, own, torch):
    return own.Embedding(tensor(layer.get_weights()[0], torch), layer.mask_zero)


def recurrent(layer, own, torch):
    s = layer.settings
    if s.stateful:
        raise ValueError(f"{layer.name}: stateful: expected False, since torch's modules keep no state, received True")
    with naming(layer):
        rnn = to_torch.module(layer.module, carried=("input_dropout",))
    merge = getattr(layer, "merge_mode", None)
    return own.Recurrent(rnn, s.return_sequences, merge, s.go_backwards, merge is None and not s.zero_output_for_mask, s.dropout)


@contextlib.contextmanager
def naming(layer):
    """Of errors within, say which layer it is."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{layer.name}: {error}") from None


def layer_norm(layer, own, torch):
    if layer.axis not in (-1, (-1,)):
        raise ValueError(f"{layer.name}: axis: expected -1, all that torch.nn.LayerNorm has, received {layer.axis}")
    return own.Alone(normalization(torch.nn.LayerNorm, layer, torch))


def batch_norm(layer, own, torch):
    if layer.axis != -1:
        raise ValueError(f"{layer.name}: axis: expected -1, received {layer.axis}")
    return own.Alone(own.BatchNormalization(normalization(torch.nn.BatchNorm1d, layer, torch, momentum=1 - layer.momentum)))


def normalization(kind, layer, torch, **more):
    """torch's module of a normalisation, which has gamma and beta both or neither."""
    weights = {v.name: v.get() for v in layer.variables}
    if layer.scale != layer.center or not weights:
        raise ValueError(f"{layer.name}: expected weights, and scale and center both True or both False, as torch has them, received scale={layer.scale} "
                         f"and center={layer.center}")
    names = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    affine = {"elementwise_affine" if kind is torch.nn.LayerNorm else "affine": layer.scale}
    made = kind(next(iter(weights.values())).size, eps=layer.epsilon, dtype=getattr(torch, str(layer.dtype)), **affine, **more)
    return given(made, {names[name]: a for name, a in weights.items()}, torch)


def time_distributed(layer, own, torch):
    return own.TimeDistributed(converted(layer.layer))


def dropout(layer, own, torch):
    if layer.noise_shape is not None:
        raise ValueError(f"{layer.name}: noise_shape: expected None, all that torch.nn.Dropout has, received {layer.noise_shape}")
    return own.Alone(torch.nn.Dropout(layer.rate))


def relu(layer, own, torch):
    if layer.max_value is not None or layer.threshold:
        raise ValueError(f"{layer.name}: expected max_value=None and threshold=0, all that torch.nn.LeakyReLU has, received {layer.max_value} and "
                         f"{layer.threshold}")
    return own.Alone(torch.nn.LeakyReLU(layer.negative_slope))


MADE = {
    layers.LSTM: recurrent, layers.GRU: recurrent, layers.SimpleRNN: recurrent, layers.Bidirectional: recurrent, layers.Embedding: embedding,
    layers.Dense: dense, layers.TimeDistributed: time_distributed, layers.LayerNormalization: layer_norm, layers.BatchNormalization: batch_norm,
    layers.Activation: lambda layer, own, torch: own.Alone(*function(layer.activation.name, layer, own)),
    layers.Dropout: dropout,
    layers.SpatialDropout1D: lambda layer, own, torch: own.Alone(own.SpatialDropout(layer.rate)),
    layers.Masking: lambda layer, own, torch: own.Masking(layer.mask_value),
    layers.ReLU: relu,
    layers.LeakyReLU: lambda layer, own, torch: own.Alone(torch.nn.LeakyReLU(layer.negative_slope)),
    layers.ELU: lambda layer, own, torch: own.Alone(torch.nn.ELU(layer.alpha)),
    layers.Softmax: lambda layer, own, torch: own.Alone(torch.nn.Softmax(layer.axis)),
    layers.PReLU: lambda layer, own, torch: own.Alone(own.PReLU(tensor(layer.get_weights()[0], torch))),
    layers.Flatten: lambda layer, own, torch: own.Alone(torch.nn.Flatten(), ends=True),
    layers.Reshape: lambda layer, own, torch: own.Alone(own.Reshape(layer.target_shape), ends=True),
    layers.Permute: lambda layer, own, torch: own.Alone(own.Permute(layer.dims), ends=True),
    layers.RepeatVector: lambda layer, own, torch: own.Alone(own.Repeat(layer.n), ends=True),
    layers.GlobalAveragePooling1D: lambda layer, own, torch: own.Average(layer.keepdims),
    layers.GlobalMaxPooling1D: lambda layer, own, torch: own.Alone(own.Largest(layer.keepdims), ends=True),
}
