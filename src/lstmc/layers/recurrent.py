"""LSTM, GRU and SimpleRNN: Keras' arguments and outputs; one text, to which each adds its cell and its bias."""

from typing import ClassVar

from lstmc import initializers, layouts, nn, regularizers
from lstmc.arguments import NO_CONSTRAINT
from lstmc.layers import activations
from lstmc.layers.around import AroundModule
from lstmc.layers.base import Layer
from lstmc.layers.masks import held, held_bwd
from lstmc.nn import checks

UNSUPPORTED = {
    "kernel_constraint": (None, NO_CONSTRAINT),
    "recurrent_constraint": (None, NO_CONSTRAINT),
    "bias_constraint": (None, NO_CONSTRAINT),
    "implementation": (2, "both of Keras's give the same, and there is one"),
    "unroll": (False, "the loop over time is compiled"),
    "use_cudnn": ("auto", "the package runs on the CPU"),
}
REGULARIZERS = ("kernel_regularizer", "recurrent_regularizer", "bias_regularizer")


class Recurrent(AroundModule):
    """Base of the three: one direction of one layer over (batch, time, features).

    Parameters
    ----------
    units : int
        H.
    activation, recurrent_activation : str or function of lstmc.activations, optional
        Of the candidate (and of c in h, of an LSTM), and of the gates: tanh, sigmoid, relu, linear, hard_sigmoid, elu, leaky_relu, softsign,
        softplus, and hard_sigmoid_keras2, 0.2 x + 0.5 within 0 and 1. None is linear.
    use_bias : bool
    kernel_initializer, recurrent_initializer, bias_initializer : str or lstmc.initializers.Initializer
        Of kernel (features, GH), recurrent_kernel (H, GH) and bias.
    kernel_regularizer, recurrent_regularizer, bias_regularizer : str or lstmc.regularizers.Regularizer, optional
        Their penalties, as well.
    seed : int, optional
        Of the initial weights and of dropout.
    dropout, recurrent_dropout : float
        Probability that an input, or a value of h before its product, is 0 in training: for each sequence the same ones at all steps, with
        recurrent_dropout other ones for each gate. They are functions of seed, training step and position.
    return_sequences : bool
        Output (batch, time, H), or (batch, H) after the last valid step. Masked steps repeat the output of the last valid one; before any,
        they show the initial state.
    return_state : bool
        Return (output, h), or (output, h, c) of an LSTM: the state after the last valid step. For calls of the layer.
    go_backwards : bool
        Process steps from last to first, and return them in that order. As in Keras, the mask that is passed on is not reversed.
    stateful : bool
        Begin each batch with the states that the one before it ended with, until `reset_states()`; batches must be of one size, and calls
        must follow each other. States are not saved with a model.
    zero_output_for_mask : bool
        With return_sequences, show zeros at masked steps.
    name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"units", "activation", "recurrent_activation", "use_bias", "dropout", "recurrent_dropout", "return_sequences", "return_state",
                           "go_backwards", "stateful", "zero_output_for_mask"}
    unsupported = UNSUPPORTED
    cell = None             # its name in lstmc.layouts
    module_class = None     # of lstmc.nn
    parts = 1               # of the state
    two_biases = False      # of the input and of h, as the rows of one
    unit_forget_bias = False

    def __init__(self, units, activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, *,
                 kernel_regularizer=None, recurrent_regularizer=None, bias_regularizer=None, seed=None, dropout=0.0, recurrent_dropout=0.0,
                 return_sequences=False, return_state=False, go_backwards=False, stateful=False, zero_output_for_mask=False, name=None, dtype=None,
                 **arguments):
        super().__init__(name, dtype, seed, **arguments)
        self.units = checks.size(units, "units")
        self.activation = activations.in_cell(activation, "activation")
        self.recurrent_activation = activations.in_cell(recurrent_activation, "recurrent_activation")
        self.use_bias = checks.flag(use_bias, "use_bias")
        self.kernel_initializer = initializers.get(kernel_initializer, "kernel_initializer")
        self.recurrent_initializer = initializers.get(recurrent_initializer, "recurrent_initializer")
        self.bias_initializer = initializers.get(bias_initializer, "bias_initializer")
        self.kernel_regularizer = regularizers.get(kernel_regularizer, "kernel_regularizer")
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer, "recurrent_regularizer")
        self.bias_regularizer = regularizers.get(bias_regularizer, "bias_regularizer")
        self.dropout, self.recurrent_dropout = checks.probability(dropout, "dropout"), checks.probability(recurrent_dropout, "recurrent_dropout")
        self.return_sequences, self.return_state = checks.flag(return_sequences, "return_sequences"), checks.flag(return_state, "return_state")
        self.go_backwards, self.stateful = checks.flag(go_backwards, "go_backwards"), checks.flag(stateful, "stateful")
        self.zero_output_for_mask = checks.flag(zero_output_for_mask, "zero_output_for_mask")

    def module_settings(self):
        """What the module is told beyond its sizes."""
        raise NotImplementedError

    @property
    def settings(self):
        return self

    def compute_output_shape(self, input_shape):
        B, H = input_shape[0], self.units
        output = (*input_shape[:2], H) if self.return_sequences else (B, H)
        return (output, *((B, H),) * self.parts) if self.return_state else output

    def weight_shapes(self, input_shape):
        GH = layouts.count(self.cell) * self.units
        shapes = {"kernel": (input_shape[2], GH), "recurrent_kernel": (self.units, GH), "bias": (2, GH) if self.two_biases else (GH,)}
        return shapes if self.use_bias else {name: shapes[name] for name in ("kernel", "recurrent_kernel")}

    def shown(self, y, h, mask, h0):
        if not self.return_sequences:
            return h[0], None
        return y if self._plain(mask) else held(y, mask, None if h0 is None else h0[0]), None

    def _plain(self, mask):
        """Whether the module's outputs are shown as they are: 0 at masked steps."""
        return mask is None or self.zero_output_for_mask

    def shown_bwd(self, dout, mask, kept):
        if not self.return_sequences:
            return None, dout[None], None
        if self._plain(mask):
            return dout, None, None
        dy, dh, dh0 = held_bwd(dout, mask)
        return dy, dh[None], None if dh0 is None else dh0[None]

    def get_config(self):
        names = ("units", "activation", "recurrent_activation", "use_bias", "dropout", "recurrent_dropout", "return_sequences", "return_state",
                 "go_backwards", "stateful", *self.own)
        names += ("zero_output_for_mask",) * self.zero_output_for_mask
        weights = ("kernel_initializer", "recurrent_initializer", "bias_initializer")
        config = {name: getattr(self, name) for name in names if not (name == "recurrent_activation" and self.cell == "rnn")}
        return {**config, **{name: initializers.config_of(getattr(self, name)) for name in weights},
                **regularizers.configs_of(self, REGULARIZERS), **super().get_config()}

    own: ClassVar = ()      # settings that a subclass adds


class LSTM(Recurrent):
    r"""Long short-term memory over (batch, time, features).

    .. math::
        i, f, o = \sigma(x_t W + h_{t-1} U + b), \quad \tilde c = \tanh(\ldots), \quad
        c_t = f c_{t-1} + i \tilde c, \quad h_t = o \tanh c_t

    The gates of the weights are i, f, c, o; bias is (4H,).

    Parameters
    ----------
    units, activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer
        See `lstmc.layers.recurrent.Recurrent`.
    unit_forget_bias : bool
        Start with 1 in the bias of f.
    kernel_regularizer, recurrent_regularizer, bias_regularizer, seed, dropout, recurrent_dropout, name, dtype
        See `lstmc.layers.recurrent.Recurrent`.
    return_sequences, return_state, go_backwards, stateful, zero_output_for_mask : bool
        See `lstmc.layers.recurrent.Recurrent`.
    """

    cell, module_class, parts, own = "lstm", nn.LSTM, 2, ("unit_forget_bias",)

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True, kernel_initializer="glorot_uniform",
                 recurrent_initializer="orthogonal", bias_initializer="zeros", unit_forget_bias=True, **arguments):
        super().__init__(units, activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, **arguments)
        self.unit_forget_bias = checks.flag(unit_forget_bias, "unit_forget_bias")

    def module_settings(self):
        outer, inner = (activations.CELLS[a] for a in (self.activation, self.recurrent_activation))
        return {"activations": (inner, outer, outer)}


class GRU(Recurrent):
    r"""Gated recurrent unit over (batch, time, features).

    .. math::
        z, r = \sigma(x_t W + h_{t-1} U + b), \quad \tilde h = \tanh(x_t W_h + b_h + r (h_{t-1} U_h + b'_h)), \quad
        h_t = z h_{t-1} + (1 - z) \tilde h

    The gates of the weights are z, r, h.

    Parameters
    ----------
    units, activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer
        See `lstmc.layers.recurrent.Recurrent`.
    reset_after : bool
        As above, with bias (2, 3H); otherwise r multiplies h before the product, with bias (3H,).
    kernel_regularizer, recurrent_regularizer, bias_regularizer, seed, dropout, recurrent_dropout, name, dtype
        See `lstmc.layers.recurrent.Recurrent`.
    return_sequences, return_state, go_backwards, stateful, zero_output_for_mask : bool
        See `lstmc.layers.recurrent.Recurrent`.
    """

    fixed = Recurrent.fixed | {"reset_after"}
    cell, module_class, own = "gru", nn.GRU, ("reset_after",)

    def __init__(self, units, activation="tanh", recurrent_activation="sigmoid", use_bias=True, kernel_initializer="glorot_uniform",
                 recurrent_initializer="orthogonal", bias_initializer="zeros", *, reset_after=True, **arguments):
        super().__init__(units, activation, recurrent_activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, **arguments)
        self.reset_after = checks.flag(reset_after, "reset_after")

    @property
    def two_biases(self):
        """Whether the input and h have a bias each."""
        return self.reset_after

    def module_settings(self):
        return {"activations": tuple(activations.CELLS[a] for a in (self.recurrent_activation, self.activation)), "reset_after": self.reset_after}


class SimpleRNN(Recurrent):
    """h_t = tanh(x_t W + h_{t-1} U + b) over (batch, time, features).

    Parameters
    ----------
    units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer
        See `lstmc.layers.recurrent.Recurrent`; G is 1, bias is (H,).
    kernel_regularizer, recurrent_regularizer, bias_regularizer, seed, dropout, recurrent_dropout, name, dtype
        See `lstmc.layers.recurrent.Recurrent`.
    return_sequences, return_state, go_backwards, stateful, zero_output_for_mask : bool
        See `lstmc.layers.recurrent.Recurrent`.
    """

    cell, module_class = "rnn", nn.RNN

    def __init__(self, units, activation="tanh", use_bias=True, kernel_initializer="glorot_uniform", recurrent_initializer="orthogonal",
                 bias_initializer="zeros", **arguments):
        super().__init__(units, activation, "linear", use_bias, kernel_initializer, recurrent_initializer, bias_initializer, **arguments)

    def module_settings(self):
        return {"nonlinearity": activations.CELLS[self.activation]}
