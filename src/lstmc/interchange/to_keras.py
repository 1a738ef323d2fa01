"""Models, and modules of `lstmc.nn` as one layer, as objects of Keras 3 with the same weights; what Keras has not is named."""

import re

import numpy as np

from lstmc import layers, layouts
from lstmc.layers import activations
from lstmc.nn import variants
from lstmc.training.model_layer import ModelLayer

# Activations, and the layers whose random numbers a seed of Keras can begin.
NOT_IN_KERAS = ("hard_sigmoid_keras2",)
SEEDED = ("LSTM", "GRU", "SimpleRNN", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout")


def imported():
    """The package keras, of version 3."""
    try:
        import keras
    except ImportError:
        raise ImportError("to_keras makes objects of Keras: pip install keras, and one of its backends, such as torch") from None
    if not keras.__version__.startswith("3."):
        raise ImportError(f"to_keras: expected Keras 3, found {keras.__version__}")
    return keras


def model(source):
    """A Sequential or a Model as the Keras model of the same kind."""
    keras = imported()
    source.build()
    for layer in source.layers:
        layer.check_complete()
    made = {}
    leave_names(keras, {layer.name for layer in source.layers})
    result = network(keras, source, made)
    for layer in source.layers:
        if id(layer) in made:
            made[id(layer)].set_weights(layer.get_weights())
    return result


def network(keras, source, made):
    """The Keras model without its weights. made: id of a layer -> that of Keras, as far as there is one; new ones are added."""
    def of(layer):
        if id(layer) not in made:
            made[id(layer)] = one(keras, layer, made)
        return made[id(layer)]

    g = source.graph
    tensors = [keras.Input(batch_shape=(t.call.layer.batch_size, *t.call.layer.shape), dtype=input_dtype(source, n), name=t.name)
               for n, t in enumerate(g.inputs)]
    if hasattr(source, "_layers"):
        return keras.Sequential([tensors[0], *(of(layer) for layer in source.layers)], name=source.name)
    inputs = list(tensors)
    for step in g.steps:
        taken = [tensors[i] for i in step.inputs]
        states = {"initial_state": [tensors[i] for i in step.states]} if step.states else {}
        if states and getattr(taken[0], "_keras_mask", None) is not None:
            states["mask"] = taken[0]._keras_mask        # which Keras 3 leaves out by itself where there are states
        y = of(step.layer)(taken if step.layer.merges else taken[0], **states)
        tensors += y if isinstance(y, (list, tuple)) else [y]
    outputs = [tensors[i] for i in g.kept]
    if source.output_keys is not None:
        outputs = dict(zip(source.output_keys, outputs, strict=True))
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], outputs if isinstance(outputs, dict) or len(outputs) > 1 else outputs[0], name=source.name)


def leave_names(keras, names):
    """Let the next name that Keras gives be none of these: a Concatenate of masks is an operation, which it names by itself as it names layers."""
    numbers = [int(found[1] or 0) for name in names if (found := re.fullmatch(r"concatenate(?:_(\d{1,4}))?", name))]
    while numbers and int(keras.layers.Concatenate().name.removeprefix("concatenate").strip("_") or 0) < max(numbers):
        continue


def input_dtype(source, n):
    """Whole numbers for an Embedding, floats of the model for all else."""
    return "int32" if isinstance(source.graph.caster(n), layers.Embedding) else str(source.dtype)


def one(keras, layer, made):
    """The layer of Keras with the settings of a layer here, without weights yet."""
    if isinstance(layer, ModelLayer):
        return network(keras, layer.model, made)
    kind = type(layer).__name__
    if layers.CLASSES.get(kind) is not type(layer):
        raise ValueError(f"{layer.name}: expected a layer of lstmc.layers, received {type(layer).__module__}.{kind}, which Keras has not")
    config = {name: value for name, value in layer.get_config().items() if not (name == "seed" and kind not in SEEDED)}
    if not getattr(layer, "return_sequences", True):
        config.pop("zero_output_for_mask", None)        # by which Keras would change the last output, too, which its documentation denies
    for name, value in config.items():
        if isinstance(value, str) and value in NOT_IN_KERAS:
            raise ValueError(f"{layer.name}: {name}={value!r} is that of Keras 1 and 2, which Keras 3 has not")
        if name in ("layer", "backward_layer"):
            config[name] = one(keras, getattr(layer, name), made)
        elif isinstance(value, dict):
            where = keras.initializers if name.endswith("_initializer") else keras.regularizers
            config[name] = getattr(where, value["class"])(**{k: v for k, v in value["config"].items() if v is not None})
        elif isinstance(value, list):
            config[name] = tuple(value)
    if config.get("seed") is not None:
        config["seed"] %= 2**31
    return getattr(keras.layers, kind)(**config)


def module(source):
    """A module of `lstmc.nn` as a built layer of Keras that returns its sequence and its states."""
    keras = imported()
    cell = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn"}.get(type(source).__name__)
    refuse(source, cell)
    known = {settings_of(own): name for name, own in activations.CELLS.items()}
    slots = [settings_of(a) for a in (source.activations if cell != "rnn" else (source.nonlinearity,) * 2)]
    for slot in slots:
        if known.get(slot) in (None, *NOT_IN_KERAS):
            raise ValueError(f"activations: expected those that layers of Keras have, received {slot}")
    if cell == "lstm" and slots[1] != slots[2]:
        raise ValueError(f"activations: expected one of g and of h, since Keras has one for both, received {slots[1]} and {slots[2]}")
    more = {} if cell == "rnn" else {"recurrent_activation": known[slots[0]]}
    more |= {"reset_after": source.reset_after} if cell == "gru" else {}
    layer = getattr(keras.layers, {"lstm": "LSTM", "gru": "GRU", "rnn": "SimpleRNN"}[cell])(
        source.hidden_size, activation=known[slots[-1]], use_bias=source.bias, dropout=source.input_dropout,
        recurrent_dropout=source.recurrent_dropout, return_sequences=True, return_state=True, dtype=str(source.dtype), **more)
    if source.bidirectional:
        layer = keras.layers.Bidirectional(layer, dtype=str(source.dtype))
    layer.build((None, None, source.input_size))
    arrays, weights = source.state_dict(), []
    for suffix in ("_l0", "_l0_reverse")[:source.num_directions]:
        weights += [np.ascontiguousarray(layouts.matrix_out(arrays[f"{name}{suffix}"], cell, "keras")) for name in ("weight_ih", "weight_hh")]
        if source.bias:
            two = cell == "gru" and source.reset_after
            weights.append(layouts.biases_out(arrays[f"bias_ih{suffix}"], arrays[f"bias_hh{suffix}"], cell, "keras", "rows" if two else None))
    layer.set_weights(weights)
    return layer


def refuse(source, cell):
    """Raise ValueError for what no layer of Keras has."""
    if cell is None:
        raise ValueError(f"to_keras: expected an LSTM, GRU or RNN with its own weights, received {type(source).__name__}")
    if source.num_layers > 1:
        raise ValueError(f"num_layers: expected 1, since a layer of Keras is one, received {source.num_layers}; make an nn module of each")
    absent = {"proj_size": 0, "peephole": False, "coupled": False, "clip": None, "gates_off": (), "layer_norm": None}
    for name, default in absent.items():
        if getattr(source, name, default) not in (default, None):
            raise ValueError(f"{name}: expected {default!r}, since Keras has nothing like it, received {getattr(source, name)!r}")
    if any(getattr(source, "zoneout", ())):
        raise ValueError(f"zoneout: expected 0, since Keras has nothing like it, received {source.zoneout!r}")


def settings_of(activation):
    """(name, alpha, beta) as `nn.variants` has them."""
    return variants.activation(activation, "activation")
