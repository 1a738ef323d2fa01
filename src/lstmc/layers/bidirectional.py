"""Bidirectional: an LSTM, GRU or SimpleRNN in both directions, around one bidirectional module."""

from typing import ClassVar

import numpy as np

from lstmc.layers.around import AroundModule
from lstmc.layers.base import Layer
from lstmc.layers.recurrent import GRU, LSTM, Recurrent, SimpleRNN


class Bidirectional(AroundModule):
    """A recurrent layer that runs in both directions over the sequence, with separate weights.

    Weights are those of the forward direction, then those of the backward one; so are states.

    Parameters
    ----------
    layer : LSTM, GRU or SimpleRNN
        Its settings serve both directions; it is not built itself. With `return_sequences`, masked steps are 0;
        otherwise the output merges the state after the last valid step with that of the backward direction
        after the first. `dropout` leaves the same inputs to both.
    merge_mode : {"concat", "sum", "mul", "ave"}
    name, dtype, seed
        See `Layer`; by default those of `layer`.
    """

    fixed = Layer.fixed | {"layer", "merge_mode", "return_sequences", "return_state", "stateful"}
    unsupported: ClassVar = {
        "weights": (None, "call set_weights after the model is built"),
        "backward_layer": (None, "both directions have the same settings"),
    }
    MERGES = ("concat", "sum", "mul", "ave")
    INNER: ClassVar = {c.__name__: c for c in (LSTM, GRU, SimpleRNN)}
    ways: ClassVar = {"forward/": "_l0", "backward/": "_l0_reverse"}

    def __init__(self, layer, merge_mode="concat", *, name=None, dtype=None, seed=None, **arguments):
        if not isinstance(layer, Recurrent):
            raise TypeError(f"layer: expected an LSTM, GRU or SimpleRNN layer, received {type(layer).__name__}")
        super().__init__(name, layer.dtype if dtype is None else dtype, layer.seed if seed is None else seed, **arguments)
        if not isinstance(merge_mode, str) or merge_mode not in self.MERGES:
            raise ValueError(f"merge_mode: expected one of {', '.join(map(repr, self.MERGES))}, received {merge_mode!r}")
        if layer.go_backwards:
            raise ValueError("layer: expected go_backwards=False, since both directions are computed")
        if layer.built:
            raise ValueError(f"layer: expected a layer that has not been built or used yet, received {layer.name!r}, which has weights")
        self.layer, self.merge_mode = layer, merge_mode
        self.declared_shape = self.declared_shape or layer.declared_shape
        self.trainable = self.trainable and layer.trainable
        self.return_sequences, self.return_state, self.stateful = layer.return_sequences, layer.return_state, layer.stateful

    @property
    def settings(self):
        return self.layer

    def compute_output_shape(self, input_shape):
        found = self.layer.compute_output_shape(input_shape)
        output, *states = found if self.return_state else (found,)
        output = (*output[:-1], output[-1] * (2 if self.merge_mode == "concat" else 1))
        return (output, *states, *states) if self.return_state else output

    def weight_shapes(self, input_shape):
        one = self.layer.weight_shapes(input_shape)
        return {f"{way}{name}": shape for way in self.ways for name, shape in one.items()}

    def shown(self, y, h, mask, h0):
        H = self.layer.units
        parts = (y[..., :H], y[..., H:]) if self.return_sequences else (h[0], h[1])
        if self.merge_mode == "concat":
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
        if self.merge_mode == "concat":
            df, db = dout[..., :H], dout[..., H:]
        elif self.merge_mode == "mul":
            df, db = dout * b, dout * f
        else:
            df = db = dout / 2 if self.merge_mode == "ave" else dout
        return (np.concatenate((df, db), -1), None, None) if self.return_sequences else (None, np.stack((df, db)), None)

    def get_config(self):
        layer = {"class": type(self.layer).__name__, "config": self.layer.get_config()}
        return {"layer": layer, "merge_mode": self.merge_mode, **super().get_config()}

    @classmethod
    def from_config(cls, config):
        """The layer of a config; in early files the inner one is always an LSTM, and only its config is there."""
        inner = config["layer"]
        inner = inner if inner.keys() == {"class", "config"} else {"class": "LSTM", "config": inner}
        if inner["class"] not in cls.INNER:
            raise ValueError(f"layer: expected one of {', '.join(cls.INNER)}, received {inner['class']!r}")
        return cls(cls.INNER[inner["class"]](**inner["config"]), **{k: v for k, v in config.items() if k != "layer"})
