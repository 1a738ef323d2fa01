"""A stack of layers as one function: shapes, weights, forward with tapes, backward."""

import warnings

from lstmc.layers import Input, Layer
from lstmc.layers.around import AroundModule
from lstmc.layers.base import building, described
from lstmc.nn import checks


class Stack:
    """Layers that feed each other in order. Knows nothing of losses and data sets."""

    def __init__(self, layers=None, name=None):
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name: expected a string, received {type(name).__name__}")
        self.name = "sequential" if name is None else name
        self.layers = []
        self.built = False
        if layers is not None and not isinstance(layers, (list, tuple)):
            raise TypeError(f"layers: expected a list of layers, received {type(layers).__name__}")
        for layer in layers or ():
            self.add(layer)

    # Construction --------------------------------------------------------------------------------------------

    def add(self, layer):
        """Append a layer; only before the model is built.

        Parameters
        ----------
        layer : lstmc.layers.Layer
            `Input` only as the first.
        """
        if not isinstance(layer, Layer):
            raise TypeError(f"layer: expected an lstmc.layers.Layer, received {type(layer).__name__}")
        if self.built:
            raise ValueError(f"layer: expected to be added before the model is built, received {layer.name!r} afterwards")
        if any(layer is other for other in self.layers):
            raise ValueError(f"layer: expected every layer once, received {layer.name!r} a second time")
        if getattr(layer, "return_state", False):
            raise ValueError(f"layer: expected one output, received {layer.name!r} with return_state=True, which has states beside it; call the layer itself")
        if isinstance(layer, Input) and self.layers:
            raise ValueError("layer: expected Input as the first layer only")
        fixed = next((other for other in self.layers if not _any_dtype(other)), layer)
        if not _any_dtype(layer) and layer.dtype != fixed.dtype:
            raise ValueError(f"dtype: expected {fixed.dtype}, as of {fixed.name!r}, received {layer.dtype} for {layer.name!r}")
        taken = {other.name for other in self.layers}
        if layer.auto_named:
            base, n = layer.name, 0
            while layer.name in taken:
                n += 1
                layer.name = f"{base}_{n}"
        elif layer.name in taken:
            raise ValueError(f"name: expected a unique name, received {layer.name!r} twice")
        self.layers.append(layer)

    @property
    def dtype(self):
        """Of inputs, weights and outputs."""
        fixed = [layer for layer in self.layers if not _any_dtype(layer)] or self.layers
        if not fixed:
            raise ValueError("layers: expected at least one layer, received none")
        return fixed[0].dtype

    @property
    def input_shape(self):
        """Shape with the batch axis that the model was built for, or declares; None if neither."""
        if self.built:
            return self._input_shape
        return (None, *self.layers[0].shape) if self.layers and isinstance(self.layers[0], Input) else None

    @property
    def output_shape(self):
        """Shape of the output with the batch axis, None where free."""
        self.build()
        return self.compute_output_shape(self.input_shape)

    def build(self, input_shape=None, draw=True):
        """Create the weights.

        Parameters
        ----------
        input_shape : tuple, optional
            With the batch axis, None where free; not needed if the first layer is `Input`.
        draw : bool
            Whether to initialise them; False for who sets them all next.
        """
        draw = checks.flag(draw, "draw")
        if self.built:
            return
        with building.now:
            if self.built:
                return
            declared = self.input_shape
            if input_shape is not None:
                _check_free_shape(input_shape)
                if declared is not None:
                    self.layers[0].check_shape(tuple(input_shape))
            if input_shape is None and declared is None:
                raise ValueError("input_shape: expected Input(shape) as the first layer or a call with data first, received None")
            shape = self._input_shape = tuple(input_shape) if declared is None else declared
            self.compute_output_shape(shape)
            for layer in self.layers:
                layer.build(shape) if draw else layer.build(shape, draw=False)
                shape = layer.compute_output_shape(shape)
            self.built = True

    def compute_output_shape(self, input_shape):
        """Shape of the output for a shape of the input, both with the batch axis; ValueError if a layer cannot take it."""
        shape = tuple(input_shape)
        for layer in self.layers:
            layer.check_shape(shape)
            shape = layer.compute_output_shape(shape)
        return shape

    def accept(self, x):
        """x as an array of the model's dtype and shape, building the model at the first call."""
        if not self.layers:
            raise ValueError("layers: expected at least one layer, received none")
        x = next((layer for layer in self.layers if not isinstance(layer, Input)), self.layers[0]).cast(x)
        if x.ndim < 2:
            raise ValueError(f"x: expected a batch of samples, (batch, ...), received shape {checks.shape_text(x.shape)}")
        if not self.built:
            self.compute_output_shape(x.shape)      # before a wrong x decides what is built
            self.build((None, *x.shape[1:]))
        return x, self.compute_output_shape(x.shape)

    # Weights -------------------------------------------------------------------------------------------------

    @property
    def variables(self):
        """(name, Variable) of every weight, by layer."""
        return [(f"{layer.name}/{v.name}", v) for layer in self.layers for v in layer.variables]

    @property
    def weights(self):
        """The live weight arrays, in the layout of the kernels."""
        return [v.array for _, v in self.variables]

    def count_params(self):
        """Number of weights."""
        return sum(w.size for w in self.weights)

    def get_weights(self):
        """Copies of all weights in Keras' order and layout."""
        return [v.get() for _, v in self.variables]

    def set_weights(self, weights):
        """Replace all weights by arrays in Keras' order and layout."""
        self.build()
        count = len(self.variables)
        if not isinstance(weights, (list, tuple)) or len(weights) != count:
            raise ValueError(f"weights: expected {count} arrays, received {described(weights)}")
        before, at = self.get_weights(), 0
        try:
            for layer in self.layers:
                n = len(layer.variables)
                layer.set_weights(weights[at:at + n])
                at += n
        except (TypeError, ValueError):
            for (_, v), w in zip(self.variables, before, strict=True):
                v.set(w)
            raise

    # Running -------------------------------------------------------------------------------------------------

    def reset_states(self):
        """Let all stateful layers begin with zeros again."""
        for layer in self.layers:
            if isinstance(layer, AroundModule):
                layer.reset_states()

    def run(self, x, training=False, step=0):
        """Output, its mask, and one tape per layer, for an accepted x."""
        mask, tapes = None, []
        for layer in self.layers:
            if mask is not None and not layer.supports_masking:
                warnings.warn(f"{layer.name}: the mask ends here; layers after it see the padding as data", stacklevel=2)
            x, mask, tape = layer.forward(x, mask, training, step)
            tapes.append(tape)
        return x, mask, tapes

    def gradients(self, tapes, dy, preactivation=False):
        """Gradients of all weights, in the order of `weights`.

        With preactivation, dy refers to the input of the last layer's activation.
        """
        grads = []
        first = next((i for i, layer in enumerate(self.layers) if layer.variables), len(self.layers))
        for i in reversed(range(first, len(self.layers))):
            extra = {"preactivation": True} if preactivation and i == len(self.layers) - 1 else {}
            dy, found = self.layers[i].backward(tapes[i], dy, need_dx=i > first, **extra)
            grads[:0] = found
        return grads

    @property
    def final_activation(self):
        """Name of the activation that makes the output, or None."""
        activation = getattr(self.layers[-1], "activation", None)
        return getattr(activation, "name", None)

    def summary(self, print_fn=None):
        """Print a table of the layers.

        Parameters
        ----------
        print_fn : callable, optional
            Receives the text, line by line; `print` if None.
        """
        if self.input_shape is not None:
            self.build()
        shape, rows = self.input_shape, [("Layer (type)", "Output shape", "Parameters")]
        for layer in self.layers:
            shape = None if shape is None else layer.compute_output_shape(shape)
            text = "?" if shape is None else checks.shape_text(shape)
            rows.append((f"{layer.name} ({type(layer).__name__})", text, f"{layer.count_params():,}" if self.built else "?"))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        say = print_fn or print
        say(f'Model: "{self.name}"')
        for i, (a, b, c) in enumerate(rows):
            say(f" {a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}")
            if not i:
                say(" " + "-" * (sum(widths) + 4))
        if self.built:
            n = self.count_params()
            say(f" Total parameters: {n:,} ({n * self.dtype.itemsize / 1024:,.1f} KiB)")
        else:
            say(" Not built: shapes are known after Input(shape) or the first call")


def _check_free_shape(shape):
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"input_shape: expected a tuple with the batch axis, such as (None, None, 12), received {type(shape).__name__}")
    for n in shape:
        if n is not None:
            checks.integer(n, "input_shape", 0)


def _any_dtype(layer):
    return isinstance(layer, Input) and layer.any_dtype
