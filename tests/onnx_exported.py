"""Modules and models that `to_onnx` is tested with, and how a file's numbers are compared with theirs; `run` is an engine's.

The models are those of the layers of `tests/golden/keras_layers.npz`, each with an input and, if the layer has one there, with a mask.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np

import lstmc
from lstmc import layers, nn
from lstmc.layers import Embedding, Input, Masking

GOLDEN = Path(__file__).parent / "golden" / "keras_layers.npz"
T, B, I, H = 6, 4, 5, 7

# class, arguments
MODULES = (
    (nn.LSTM, {"num_layers": 2, "bidirectional": True}),
    (nn.LSTM, {"peephole": True, "coupled": True, "clip": 0.25, "bidirectional": True}),
    (nn.LSTM, {"bias": False, "batch_first": True, "activations": (("hard_sigmoid", 0.125, 0.5), "softsign", ("scaled_tanh", 0.75, 0.5))}),
    (nn.LSTM, {"gates_off": ("i", "o"), "peephole": True, "num_layers": 2, "dropout": 0.5, "recurrent_dropout": 0.5}),
    (nn.LSTM, {"gates_off": ("f",), "bias": False}),
    (nn.GRU, {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    (nn.GRU, {"reset_after": False, "clip": 0.25, "activations": (("hard_sigmoid", 0.25, 0.5), ("elu", 0.5)), "bidirectional": True}),
    (nn.GRU, {"reset_after": False, "bias": False, "activations": ("sigmoid", ("affine", 0.5, 0.25))}),
    (nn.RNN, {"nonlinearity": "relu", "num_layers": 3}),
    (nn.RNN, {"nonlinearity": ("leaky_relu", 0.25), "bias": False, "bidirectional": True}),
    (nn.RNN, {"nonlinearity": "linear", "clip": 0.25}),
)


def module(cls, arguments, dtype="float32"):
    """One of MODULES, with weights of their own."""
    return cls(I, H, seed=3, dtype=dtype, **arguments)


def calls(m):
    """Pairs of (what a session is fed, what comes out) of a module: with and without lengths and states."""
    rng = np.random.default_rng(5)

    def draw(*shape):
        return rng.normal(size=shape).astype(m.dtype)

    n = m.num_layers * m.num_directions
    x = draw(B, T, I) if m.batch_first else draw(T, B, I)
    for lengths in (None, np.array([3, 0, 6, 1], np.int32)):
        for state in (None, [draw(n, B, H) for _ in m._parts]):
            feeds = {"x": x} | ({} if lengths is None else {"lengths": lengths})
            hx = None
            if state is not None:
                feeds |= {f"{part}_0": s for part, s in zip(m._parts, state, strict=True)}
                hx = tuple(state) if len(state) > 1 else state[0]
            y, final = m(x, hx, lengths)
            yield feeds, [y, *(final if isinstance(final, tuple) else (final,))]


@cache
def golden():
    with np.load(GOLDEN) as f:
        return dict(f)


def names():
    """The layers' cases."""
    return sorted({name.split("/")[0] for name in golden()} - {"keras_version"})


def built(spec, dtype):
    config = dict(spec["config"])
    if "layer" in config:
        return layers.CLASSES[spec["class"]](built(config.pop("layer"), dtype), **config)
    return layers.CLASSES[spec["class"]](**config, dtype=dtype)


def layer_model(case, dtype):
    """(model, inputs by name) of a case."""
    found = {name.split("/")[1]: a for name, a in golden().items() if name.split("/")[0] == case}
    layer = built(json.loads(str(found["spec"])), dtype)
    several = "x" not in found
    xs = [found[name] for name in sorted(found) if name.startswith("x")]
    states = [found[name] for name in sorted(found) if name[0] == "s" and name[1:].isdigit()]
    feeds, tensors = {}, []
    free = isinstance(layer, (*layers.recurrent.Recurrent.__subclasses__(), layers.Bidirectional, layers.Dense, layers.Add, layers.Concatenate))
    for n, x in enumerate(xs):
        mask = found.get(f"mask{n}" if several else "mask")
        tensor = Input((None, *x.shape[2:]) if free and x.ndim > 2 and not isinstance(layer, layers.Concatenate) else x.shape[1:], name=f"x{n}")
        tensors.append(tensor)
        feeds[f"x{n}"] = x if x.dtype.kind == "i" else x.astype(dtype)
        if mask is not None and x.ndim == 3:
            feeds[f"x{n}"] = np.where(mask[..., None], feeds[f"x{n}"], 0).astype(dtype)
    inputs = list(tensors)
    for n, x in enumerate(xs):
        if (f"mask{n}" if several else "mask") in found and x.ndim == 3:
            tensors[n] = Masking(dtype=dtype)(tensors[n])
    for n, s in enumerate(states):
        inputs.append(Input(s.shape[1:], name=f"s{n}"))
        feeds[f"s{n}"] = s.astype(dtype)
    x = tensors if several else tensors[0]
    y = layer(x, initial_state=inputs[len(xs):]) if states else layer(x)
    model = lstmc.Model(inputs, y)
    layer.set_weights([found[name] for name in sorted(found) if name[0] == "w" and name[1:].isdigit()] + [
        found[name] for name in sorted(found) if name[0] == "k" and name[1:].isdigit()])
    return model, feeds


def tagger(dtype):
    """Two recurrent layers over an Embedding with padding, and what a sequence as a whole says."""
    words, numbers = Input((None,), name="words"), Input((None, 3), name="numbers")
    x = Embedding(9, 5, mask_zero=True, dtype=dtype)(words)
    x = layers.Concatenate(dtype=dtype)([x, layers.Dense(4, activation="gelu", dtype=dtype)(numbers)])
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True, dtype=dtype))(x)
    x = layers.Dropout(0.5, dtype=dtype)(x)
    x = layers.GRU(5, return_sequences=True, go_backwards=True, dtype=dtype)(x)
    tags = layers.TimeDistributed(layers.Dense(4, activation="softmax", dtype=dtype))(x)
    return lstmc.Model([words, numbers], [tags, layers.GlobalAveragePooling1D(dtype=dtype)(x)])


PLAIN = {layers.InputLayer, layers.Dropout, layers.SpatialDropout1D, layers.Flatten, layers.Dense}


def plain(dtype):
    """A Sequential of the layers for which Keras needs no golden numbers."""
    row = [layers.SpatialDropout1D(0.5, dtype=dtype), layers.Flatten(dtype=dtype), layers.Dropout(0.5, dtype=dtype),
           layers.Dense(2, activation="softmax", dtype=dtype)]
    return lstmc.Sequential([Input((4, 3)), *row])


def outputs(model, feeds):
    """What a model predicts for inputs by name, as a list."""
    found = model.predict(feeds if len(feeds) > 1 else next(iter(feeds.values())), verbose=0)
    return found if isinstance(found, list) else [found]


def largest(got, wanted):
    """The largest difference, of arrays that must be of one shape and dtype."""
    for a, b in zip(got, wanted, strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
    return max(float(np.abs(a - b).max(initial=0)) for a, b in zip(got, wanted, strict=True))
