"""Bidirectional: an LSTM, GRU or SimpleRNN in both directions, around one bidirectional module."""

from typing import ClassVar

import numpy as np

from lstmc import received
from lstmc.layers.around import AroundModule
from lstmc.layers.base import Layer
from lstmc.layers.recurrent import GRU, LSTM, REGULARIZERS, Recurrent, SimpleRNN


class Bidirectional(AroundModule):
    """A recurrent layer that runs in both directions over the sequence, with separate weights.

    Weights are those of the forward direction, then those of the backward one; so are states.

    Parameters
    ----------
    layer : LSTM, GRU or SimpleRNN
        Its settings serve both directions; it is not built itself. With `return_sequences`, masked steps are 0;
        otherwise the output merges the state after the last valid step with that of the backward direction
        after the first. `dropout` leaves the same inputs to both.
    merge_mode : {"concat", "sum", "mul", "ave", None}
        None: there are two outputs, one of each direction; in a `Model` alone.
    backward_layer : layer of the same class, optional
        With go_backwards=True, and otherwise the settings of `layer`; initializers and regularizers of its direction may be others.
    name, dtype, seed
        See `Layer`; by default those of `layer`.
    """

    fixed = Layer.fixed | {"layer", "backward_layer", "outputs", "merge_mode", "return_sequences", "return_state", "stateful"}
    unsupported: ClassVar = {"weights": (None, "call set_weights after the model is built")}
    MERGES = ("concat", "sum", "mul", "ave")
    INNER: ClassVar = {c.__name__: c for c in (LSTM, GRU, SimpleRNN)}
    ways: ClassVar = {"forward/": "_l0", "backward/": "_l0_reverse"}

    def __init__(self, layer, merge_mode="concat", backward_layer=None, *, name=None, dtype=None, seed=None, **arguments):
        if not isinstance(layer, Recurrent):
            raise TypeError(f"layer: expected an LSTM, GRU or SimpleRNN layer, received {received.kind(layer)}")
        super().__init__(name, layer.dtype if dtype is None else dtype, layer.seed if seed is None else seed, **arguments)
        if merge_mode is not None and (not isinstance(merge_mode, str) or merge_mode not in self.MERGES):
            raise ValueError(f"merge_mode: expected one of {', '.join(map(repr, self.MERGES))}, or None, received {merge_mode!r}")
        if layer.go_backwards:
            raise ValueError("layer: expected go_backwards=False, since both directions are computed")
        if layer.built:
            raise ValueError(f"layer: expected a layer that has not been built or used yet, received {layer.name!r}, which has weights")
        if layer.activity_regularizer is not None:
            raise ValueError(f"layer: expected activity_regularizer=None, received {layer.activity_regularizer!r}; give it to Bidirectional")
        if backward_layer is not None:
            check_backward(layer, backward_layer)
        self.layer, self.merge_mode, self.backward_layer = layer, merge_mode, backward_layer
        self.outputs = 2 if merge_mode is None else 1
        self.declared_shape = self.declared_shape or layer.declared_shape
        self.trainable = self.trainable and layer.trainable
        self.return_sequences, self.return_state, self.stateful = layer.return_sequences, layer.return_state, layer.stateful

    @property
    def settings(self):
        return self.layer

    @property
    def each_way(self):
        return self.layer, self.layer if self.backward_layer is None else self.backward_layer

    def compute_output_shape(self, input_shape):
        found = self.layer.compute_output_shape(input_shape)
        output, *states = found if self.return_state else (found,)
        output = (*output[:-1], output[-1] * (2 if self.merge_mode == "concat" else 1))
        found = (output,) * self.outputs + (tuple(states) * 2)
        return found if len(found) > 1 else output

    def weight_shapes(self, input_shape):
        one = self.layer.weight_shapes(input_shape)
        return {f"{way}{name}": shape for way in self.ways for name, shape in one.items()}

    def shown(self, y, h, mask, h0):
        H = self.layer.units
        parts = (y[..., :H], y[..., H:]) if self.return_sequences else (h[0], h[1])
        if self.merge_mode is None:
            out = tuple(np.ascontiguousarray(p) for p in parts)
        elif self.merge_mode == "concat":
            out = y if self.return_sequences else np.concatenate(parts, -1)
        elif self.merge_mode == "mul":
            out = parts[0] * parts[1]
        else:
            out = parts[0] + parts[1]
            if self.merge_mode == "ave":
                out /= 2
        return out, parts

    def shown_bwd(self, dout, mask, kept):
        f, b = kept
        H = self.layer.units
        if self.merge_mode is None:
            df, db = (np.zeros_like(b) if d is None else d for d in dout)
        elif self.merge_mode == "concat":
            df, db = dout[..., :H], dout[..., H:]
        elif self.merge_mode == "mul":
            df, db = dout * b, dout * f
        else:
            df = db = dout / 2 if self.merge_mode == "ave" else dout
        return (np.concatenate((df, db), -1), None, None) if self.return_sequences else (None, np.stack((df, db)), None)

    def get_config(self):
        layer = {"class": type(self.layer).__name__, "config": self.layer.get_config()}
        other = {} if self.backward_layer is None else {"backward_layer": {"class": type(self.layer).__name__, "config": self.backward_layer.get_config()}}
        return {"layer": layer, "merge_mode": self.merge_mode, **other, **super().get_config()}

    @classmethod
    def from_config(cls, config):
        """The layer of a config; in early files the inner one is always an LSTM, and only its config is there."""
        def made(inner):
            inner = inner if inner.keys() == {"class", "config"} else {"class": "LSTM", "config": inner}
            if inner["class"] not in cls.INNER:
                raise ValueError(f"layer: expected one of {', '.join(cls.INNER)}, received {inner['class']!r}")
            return cls.INNER[inner["class"]](**inner["config"])

        layers = {k: made(config[k]) for k in ("layer", "backward_layer") if config.get(k) is not None}
        return cls(**{**config, **layers})


# What the two directions may have for themselves.
OWN = ("name", "seed", "go_backwards", "trainable", "unit_forget_bias", "kernel_initializer", "recurrent_initializer", "bias_initializer", *REGULARIZERS)


def check_backward(layer, other):
    """Raise unless a layer can be the backward direction beside another one."""
    if type(other) is not type(layer):
        raise TypeError(f"backward_layer: expected {type(layer).__name__}, as layer is, received {type(other).__name__}")
    if not other.go_backwards:
        raise ValueError("backward_layer: expected go_backwards=True, received False")
    if other.built or other.trainable != layer.trainable:
        raise ValueError(f"backward_layer: expected trainable={layer.trainable}, as of layer, and no weights yet, received {other.name!r}")
    mine, its = layer.get_config(), other.get_config()
    for name in (mine.keys() | its.keys()) - set(OWN):
        if mine.get(name) != its.get(name):
            raise ValueError(f"backward_layer: expected {name}={mine.get(name)!r}, as of layer, received {its.get(name)!r}")
