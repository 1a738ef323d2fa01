"""Sequential: a row of layers, whose graph comes about when the shape of its input is known."""

from lstmc import received
from lstmc.layers import InputLayer, Layer
from lstmc.layers.base import building
from lstmc.layers.symbolic import SymbolicTensor
from lstmc.nn import checks
from lstmc.training import architecture, hints
from lstmc.training.consistency import one_dtype, unique_names
from lstmc.training.graph import Graph
from lstmc.training.model import Model
from lstmc.training.trainer import Trainer
from lstmc.turn import in_turn


class Sequential(Model):
    """Layers in a row, with Keras' methods.

    Parameters
    ----------
    layers : list of lstmc.layers.Layer, optional
        With `Input(shape)` first (or `input_shape=` of the first layer), weights exist from `build()` on; without it, from the first call with data on.
    name : str, optional

    Notes
    -----
    The same seed and the same data give the same weights bit for bit, on any number of threads.

    Examples
    --------
    >>> import numpy as np
    >>> from lstmc.layers import LSTM, Dense, Input
    >>> from lstmc.training import Sequential, set_random_seed
    >>> set_random_seed(0)
    >>> model = Sequential([Input((None, 3)), LSTM(8), Dense(2, activation="softmax")])
    >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    >>> x, y = np.zeros((10, 5, 3)), np.zeros(10)
    >>> history = model.fit(x, y, epochs=2, verbose=0)
    >>> model.predict(x, verbose=0).shape
    (10, 2)
    """

    def __init__(self, layers=None, name=None):
        Trainer.__init__(self, "sequential" if name is None else name)
        self._layers = []
        if layers is not None and not isinstance(layers, (list, tuple)):
            raise TypeError(f"layers: expected a list of layers, received {type(layers).__name__}")
        for layer in layers or ():
            self.add(layer)

    @property
    def layers(self):
        """The layers, without `Input`, as in Keras."""
        return [layer for layer in self._layers if not isinstance(layer, InputLayer)]

    @in_turn
    def add(self, layer):
        """Append a layer. A model that is built is built anew with it: all others keep their weights.

        Parameters
        ----------
        layer : lstmc.layers.Layer
            `Input` only as the first.
        """
        if isinstance(layer, SymbolicTensor) and isinstance(layer.call.layer, InputLayer):
            layer = layer.call.layer
        if isinstance(layer, Model):
            raise TypeError(f"layer: expected an lstmc.layers.Layer, received the model {layer.name!r}; add its layers one by one, or call it on Input: "
                            "lstmc.Model takes models in models")
        if not isinstance(layer, Layer):
            raise TypeError(f"layer: expected an lstmc.layers.Layer, received {received.kind(layer)}")
        if any(layer is other for other in self._layers):
            raise ValueError(f"layer: expected every layer once, received {layer.name!r} a second time")
        if getattr(layer, "return_state", False):
            raise ValueError(f"layer: expected one output, received {layer.name!r} with return_state=True, which has states beside it; "
                             "lstmc.Model takes several")
        if getattr(layer, "outputs", 1) > 1:
            raise ValueError(f"layer: expected one output, received {layer.name!r} with merge_mode=None, which has two; lstmc.Model takes several")
        if layer.merges:
            raise ValueError(f"layer: expected one input, received {layer.name!r}, which takes a list; lstmc.Model has such layers")
        if isinstance(layer, InputLayer) and self._layers:
            raise ValueError(f"layer: expected Input as the first layer only, received {layer.name!r} behind {self._layers[-1].name!r}")
        one_dtype([*self._layers, layer])
        unique_names([*self._layers, layer])
        if self.built:
            layer.check_shape(self.output_shape)
        self._layers.append(layer)
        self._draw_again()

    @in_turn
    def pop(self):
        """Remove the last layer and return it; a built model is then built anew, of the layers that are left, which keep their weights."""
        if not self.layers:
            raise ValueError("layers: expected at least one layer to remove, received none")
        layer = self._layers.pop()
        self._draw_again()
        return layer

    def _draw_again(self):
        """The graph of a built model for the layers that it has now; what `compile` said counts for the new output."""
        if self.built:
            with building.now:
                if self.layers:
                    self._draw_graph(self.input_shape, True)
                else:
                    self.graph = None
            self._forget_bound()

    @property
    def dtype(self):
        """Of floats that go in, weights and outputs."""
        layers = [layer for layer in self._layers if not getattr(layer, "any_dtype", False)] or self._layers
        if not layers:
            raise ValueError("layers: expected at least one layer, received none")
        return layers[0].dtype

    @property
    def input_shape(self):
        """Shape with the batch axis that the model was built for, or declares; None if neither."""
        if self.built:
            return self.graph.inputs[0].shape
        if not self._layers:
            return None
        first = self._layers[0]
        return (None, *first.shape) if isinstance(first, InputLayer) else first.declared_shape

    @property
    def output_shape(self):
        """Shape of the output with the batch axis, None where free."""
        self.build()
        return self.compute_output_shape(self.input_shape)

    def compute_output_shape(self, input_shape):
        """Shape of the output for a shape of the input, both with the batch axis; ValueError if a layer cannot take it."""
        shape = tuple(input_shape)
        for layer in self._layers:
            layer.check_shape(shape)
            shape = layer.compute_output_shape(shape)
        return shape

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
            if not self._layers:
                raise ValueError("layers: expected at least one layer, received none")
            stated = self.input_shape
            if input_shape is not None:
                _check_free_shape(input_shape)
                if stated is not None and isinstance(self._layers[0], InputLayer):
                    self._layers[0].check_shape(tuple(input_shape))
            if input_shape is None and stated is None:
                raise ValueError("input_shape: expected Input(shape) as the first layer or a call with data first, received None")
            shape = tuple(input_shape) if stated is None else stated
            self.compute_output_shape(shape)
            self._draw_graph(shape, draw)

    def _draw_graph(self, shape, draw):
        first = self._layers[0] if isinstance(self._layers[0], InputLayer) else None
        tensor = x = (self.graph.inputs[0] if self.built else first.tensor if first else
                      InputLayer(batch_shape=shape, implied=self.input_shape is None).tensor)
        for layer in self._layers:
            layer.build(shape, draw=draw)
            shape = layer.compute_output_shape(shape)
            if layer is not first:
                x = layer(x)
        self.graph = Graph([tensor], [x])

    def _build_for(self, x):
        if not self._layers:
            raise ValueError("layers: expected at least one layer, received none")
        if not self.built:
            first = self.layers[0] if self.layers else self._layers[0]
            a = self.accepted(x, first, "x")
            shape = (None, *a.shape[1:]) if a.ndim else a.shape
            try:
                self.compute_output_shape(a.shape)      # before a wrong x decides what is built
            except ValueError as error:
                raise ValueError(f"{error}{hints.of_inputs([a.shape], [self.input_shape])}") from None
            self.build(shape)

    @classmethod
    def from_config(cls, config):
        """A model of the architecture `config`, from `get_config`, with new weights, which exist if the shape of its input is known."""
        made = architecture.model(cls, config)
        if config.get("input_shape") is not None:
            made.build(architecture.shape_of(config))
        return made

    def __repr__(self):
        return f"Sequential([{', '.join(layer.name for layer in self.layers)}])"


def _check_free_shape(shape):
    if not isinstance(shape, (tuple, list)):
        raise TypeError(f"input_shape: expected a tuple with the batch axis, such as (None, None, 12), received {type(shape).__name__}")
    for n in shape:
        if n is not None:
            checks.integer(n, "input_shape", 0)
