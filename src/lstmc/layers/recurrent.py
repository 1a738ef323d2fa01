"""LSTM and Bidirectional: Keras' arguments, weights and masks around one `lstmc.nn.LSTM`.

The module keeps PyTorch's layout; gates are i, f, c, o in both, so a Keras matrix is a transpose. Keras has one
bias: it lives in bias_ih, and bias_hh stays 0, as which a blank module begins. Masks with padding at the end become lengths.
"""

from typing import ClassVar

import numpy as np

from lstmc import initializers, nn
from lstmc.layers.base import NO_PENALTY, Layer, Variable
from lstmc.nn import checks

NO_CONSTRAINT = "change the weights in a callback with set_weights"
UNSUPPORTED = {
    "kernel_regularizer": (None, NO_PENALTY),
    "recurrent_regularizer": (None, NO_PENALTY),
    "bias_regularizer": (None, NO_PENALTY),
    "kernel_constraint": (None, NO_CONSTRAINT),
    "recurrent_constraint": (None, NO_CONSTRAINT),
    "bias_constraint": (None, NO_CONSTRAINT),
    "dropout": (0.0, "put a Dropout layer before this one"),
    "recurrent_dropout": (0.0, "put Dropout layers between the recurrent ones"),
    "return_state": (False, "lstmc.nn.LSTM returns and takes states"),
    "stateful": (False, "lstmc.nn.LSTM takes hx, and its session() carries the state from call to call"),
    "unroll": (False, "the loop over time is compiled"),
    "use_cudnn": ("auto", "the package runs on the CPU"),
    "zero_output_for_mask": (False, "outputs of masked steps repeat the last valid one; Bidirectional gives zeros"),
}


class Recurrent(Layer):
    """Base of the layers around one `lstmc.nn.LSTM`, `self.module`: None until built, then `self.variables` are live in it."""

    def live(self):
        """The variables, as views of the module's parameters."""
        raise NotImplementedError

    def check_complete(self):
        for name, array in self.module.named_parameters():
            if name.startswith("bias_hh") and array.any():
                raise ValueError(f"{self.name}: expected {name} of its module to be 0, since Keras has one bias, received other values; "
                                 "add them to bias_ih")

    def __getstate__(self):
        """For copy and pickle: a copy's variables must be those of its own module, not copies of these."""
        return {**self.__dict__, "variables": []}

    def __setstate__(self, state):
        super().__setstate__(state)
        if self.module is not None:
            self.variables = self.live()


class LSTM(Recurrent):
    r"""Long short-term memory over (batch, time, features).

    .. math::
        i, f, o = \sigma(x_t W + h_{t-1} U + b), \quad \tilde c = \tanh(\ldots), \quad
        c_t = f c_{t-1} + i \tilde c, \quad h_t = o \tanh c_t

    Parameters
    ----------
    units : int
        H.
    activation : "tanh"
    recurrent_activation : "sigmoid"
    use_bias : bool
    kernel_initializer, recurrent_initializer, bias_initializer : str or lstmc.initializers.Initializer
        Of kernel (features, 4H), recurrent_kernel (H, 4H) and bias (4H,), gates in the order i, f, c, o.
    unit_forget_bias : bool
        Start with 1 in the bias of f.
    return_sequences : bool
        Output (batch, time, H), or (batch, H) after the last valid step. With a mask, masked steps repeat the
        output of the last valid one, 0 if there is none.
    go_backwards : bool
        Process steps from last to first, and return them in that order.
    name, dtype, seed
        See `Layer`.
    """

    fixed = Layer.fixed | {"units", "use_bias", "return_sequences", "go_backwards"}
    unsupported = UNSUPPORTED

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True,
                 kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal", bias_initializer="zeros",
                 unit_forget_bias=True, *, seed=None, return_sequences=False, go_backwards=False, name=None, dtype=None,
                 **arguments):
        super().__init__(name, dtype, seed, **arguments)
        self.units = checks.integer(units, "units", 1)
        for argument, value, only in (("activation", activation, "tanh"),
                                      ("recurrent_activation", recurrent_activation, "sigmoid")):
            if not isinstance(value, str) or value != only:
                raise ValueError(f"LSTM: {argument}={value!r} is not supported; the fused kernel computes {only!r}")
        self.use_bias = checks.flag(use_bias, "use_bias")
        self.kernel_initializer = initializers.get(kernel_initializer, "kernel_initializer")
        self.recurrent_initializer = initializers.get(recurrent_initializer, "recurrent_initializer")
        self.bias_initializer = initializers.get(bias_initializer, "bias_initializer")
        self.unit_forget_bias = checks.flag(unit_forget_bias, "unit_forget_bias")
        self.return_sequences = checks.flag(return_sequences, "return_sequences")
        self.go_backwards = checks.flag(go_backwards, "go_backwards")
        self.module = None

    def check_shape(self, shape):
        check_sequence(self, shape, self.module)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], self.units) if self.return_sequences else (input_shape[0], self.units)

    def weight_shapes(self, input_shape):
        shapes = {"kernel": (input_shape[2], 4 * self.units), "recurrent_kernel": (self.units, 4 * self.units)}
        return {**shapes, "bias": (4 * self.units,)} if self.use_bias else shapes

    def create(self, input_shape):
        self.module = nn.LSTM._blank(input_shape[2], self.units, bias=self.use_bias, batch_first=True, dtype=self.dtype, seed=self.seed)
        self.variables = self.live()

    def initialize(self, input_shape):
        initial(self, self, self.variables, 0)

    def live(self):
        return variables(self.module, "", "_l0")

    def forward(self, x, mask=None, training=False, step=0):
        lengths = lengths_of(self, mask)
        if self.go_backwards:
            if mask is not None:
                raise ValueError(f"{self.name}: go_backwards=True with a mask is not supported; "
                                 "Bidirectional(LSTM(...)) processes padded sequences backwards")
            x = x[:, ::-1]
        y, (h, _), tape = self.module.forward(x, lengths=lengths, train=training)
        if not self.return_sequences:
            return h[0], None, (tape, mask) if training else None
        if mask is not None:
            y = np.where(mask[:, :, None], y, h[0][:, None])
        return y, mask, (tape, mask) if training else None

    def backward(self, tape, dy, need_dx=True):
        inner, mask = tape
        dh = None
        if not self.return_sequences:
            dy, dh = None, dy[None]
        elif mask is not None:
            # A masked step shows the last valid output, which is the final state.
            dh = np.where(mask[:, :, None], self.dtype.type(0), dy).sum(1)[None]
        g = self.module.backward(inner, dy, None if dh is None else (dh, None), need_dx=need_dx)
        dx = g.x[:, ::-1] if self.go_backwards and need_dx else g.x
        return dx, [g.params[name] for name in parameter_names(self.module, "_l0")]

    def get_config(self):
        return {
            "units": self.units,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.config_of(self.kernel_initializer),
            "recurrent_initializer": initializers.config_of(self.recurrent_initializer),
            "bias_initializer": initializers.config_of(self.bias_initializer),
            "unit_forget_bias": self.unit_forget_bias,
            "return_sequences": self.return_sequences,
            "go_backwards": self.go_backwards,
            **super().get_config(),
        }


class Bidirectional(Recurrent):
    """An LSTM that runs in both directions over the sequence, with separate weights.

    Weights are those of the forward direction, then those of the backward one.

    Parameters
    ----------
    layer : LSTM
        Its settings serve both directions; it is not built itself. With `return_sequences`, masked steps are 0;
        otherwise the output merges the state after the last valid step with that of the backward direction
        after the first.
    merge_mode : {"concat", "sum", "mul", "ave"}
    name, dtype, seed
        See `Layer`; by default those of `layer`.
    """

    fixed = Layer.fixed | {"layer", "merge_mode", "return_sequences"}
    unsupported: ClassVar = {
        "weights": (None, "call set_weights after the model is built"),
        "backward_layer": (None, "both directions have the same settings"),
    }
    MERGES = ("concat", "sum", "mul", "ave")

    def __init__(self, layer, merge_mode="concat", *, name=None, dtype=None, seed=None, **arguments):
        if not isinstance(layer, LSTM):
            raise TypeError(f"layer: expected an LSTM layer, received {type(layer).__name__}")
        super().__init__(name, layer.dtype if dtype is None else dtype, layer.seed if seed is None else seed, **arguments)
        if not isinstance(merge_mode, str) or merge_mode not in self.MERGES:
            raise ValueError(f"merge_mode: expected one of {', '.join(map(repr, self.MERGES))}, received {merge_mode!r}")
        if layer.go_backwards:
            raise ValueError("layer: expected go_backwards=False, since both directions are computed")
        if layer.built:
            raise ValueError("layer: expected an LSTM that has not been built or used yet")
        self.layer, self.merge_mode = layer, merge_mode
        self.return_sequences = layer.return_sequences
        self.module = None

    def check_shape(self, shape):
        check_sequence(self, shape, self.module)

    def compute_output_shape(self, input_shape):
        *rest, units = self.layer.compute_output_shape(input_shape)
        return (*rest, 2 * units if self.merge_mode == "concat" else units)

    def weight_shapes(self, input_shape):
        one = self.layer.weight_shapes(input_shape)
        return {f"{way}/{name}": shape for way in ("forward", "backward") for name, shape in one.items()}

    def create(self, input_shape):
        self.module = nn.LSTM._blank(input_shape[2], self.layer.units, bias=self.layer.use_bias, batch_first=True, bidirectional=True,
                                     dtype=self.dtype, seed=self.seed)
        self.variables = self.live()

    def initialize(self, input_shape):
        n = len(self.variables) // 2
        for d, way in enumerate((self.variables[:n], self.variables[n:])):
            initial(self, self.layer, way, 3 * d)

    def live(self):
        return variables(self.module, "forward/", "_l0") + variables(self.module, "backward/", "_l0_reverse")

    def forward(self, x, mask=None, training=False, step=0):
        y, (h, _), tape = self.module.forward(x, lengths=lengths_of(self, mask), train=training)
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
        return out, mask if self.return_sequences else None, (tape, parts) if training else None

    def backward(self, tape, dy, need_dx=True):
        inner, (f, b) = tape
        H = self.layer.units
        if self.merge_mode == "concat":
            df, db = dy[..., :H], dy[..., H:]
        elif self.merge_mode == "mul":
            df, db = dy * b, dy * f
        else:
            df = db = dy / 2 if self.merge_mode == "ave" else dy
        if self.return_sequences:
            g = self.module.backward(inner, np.concatenate((df, db), -1), need_dx=need_dx)
        else:
            g = self.module.backward(inner, dstate=(np.stack((df, db)), None), need_dx=need_dx)
        names = parameter_names(self.module, "_l0") + parameter_names(self.module, "_l0_reverse")
        return g.x, [g.params[name] for name in names]

    def get_config(self):
        return {"layer": self.layer.get_config(), "merge_mode": self.merge_mode, **super().get_config()}

    @classmethod
    def from_config(cls, config):
        return cls(LSTM(**config["layer"]), **{k: v for k, v in config.items() if k != "layer"})


# Shared ------------------------------------------------------------------------------------------------------

def parameter_names(module, suffix):
    """nn names of kernel, recurrent_kernel and bias."""
    return [f"{part}{suffix}" for part in ("weight_ih", "weight_hh", "bias_ih")[: 2 + module.bias]]


def variables(module, prefix, suffix):
    """The weights of one direction, live in the module."""
    live = module.state_dict()
    keras = ("kernel", "recurrent_kernel", "bias")
    return [Variable(prefix + name, live[of], of.startswith("weight"))
            for name, of in zip(keras, parameter_names(module, suffix), strict=False)]


def initial(layer, settings, found, first):
    """Draw the weights of one direction with the seed of `layer` and the initializers of `settings`."""
    sources = settings.kernel_initializer, settings.recurrent_initializer, settings.bias_initializer
    for i, (v, initializer) in enumerate(zip(found, sources, strict=False)):
        shape = v.array.shape[::-1]
        v.set(layer.draw(initializer, shape, first + i))
    if len(found) == 3 and settings.unit_forget_bias:
        found[2].array[settings.units:2 * settings.units] = 1


def check_sequence(layer, shape, module):
    features = None if module is None else module.input_size
    if len(shape) != 3 or shape[2] is None or (features is not None and shape[2] != features):
        hint = "; a recurrent layer before this one needs return_sequences=True, and x[:, :, None] makes steps of columns"
        raise layer.wrong_shape(f"(batch, time, {features or 'features'})", shape, hint if len(shape) == 2 else "")


def lengths_of(layer, mask):
    """(B,) valid steps, from a (B, T) mask with padding at the end."""
    if mask is None:
        return None
    lengths = mask.sum(1)
    if not np.array_equal(mask, np.arange(mask.shape[1]) < lengths[:, None]):
        wrong = int(np.nonzero((mask != (np.arange(mask.shape[1]) < lengths[:, None])).any(1))[0][0])
        raise ValueError(f"{layer.name}: expected a mask with padding at the end of each sequence; that of sample {wrong} "
                         "has masked steps before valid ones. Move padding to the end, or choose a mask_value that does "
                         "not occur in the data")
    return lengths
