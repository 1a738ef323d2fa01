"""Model and Sequential: how their graphs come about. Training is `Trainer`'s."""

from lstmc.layers import InputLayer, Layer
from lstmc.layers.base import building
from lstmc.layers.symbolic import SymbolicTensor
from lstmc.nn import checks
from lstmc.training import architecture, hints, reading, saving
from lstmc.training.graph import Graph
from lstmc.training.network import one_dtype, unique_names
from lstmc.training.trainer import Trainer


class Model(Trainer):
    """Layers in a graph: the functional model, with Keras' methods.

    Parameters
    ----------
    inputs : SymbolicTensor or list of SymbolicTensor
        Of `Input`.
    outputs : SymbolicTensor or list of SymbolicTensor
        What layers gave for them. A layer may be called several times, and be part of several models, which share its weights.
    name : str, optional

    Examples
    --------
    An encoder, whose final states a decoder begins with:

    >>> import lstmc
    >>> from lstmc.layers import LSTM, Dense, Input
    >>> source, target = Input((None, 5)), Input((None, 4))
    >>> _, *states = LSTM(8, return_state=True)(source)
    >>> decoded = LSTM(8, return_sequences=True)(target, initial_state=states)
    >>> model = lstmc.Model([source, target], Dense(4, activation="softmax")(decoded))
    >>> model.compile("adam", "categorical_crossentropy")

    Notes
    -----
    The same seed and the same data give the same weights bit for bit, on any number of threads. A model that is called on symbolic tensors
    gives what its layers give for them: it is drawn into the new graph, layer by layer.
    """

    def __init__(self, inputs=None, outputs=None, name=None):
        super().__init__("model" if name is None else name)
        if inputs is None or outputs is None:
            raise TypeError("Model: expected inputs and outputs, which Input and layers give; to define a model by a class of your own, compose "
                            "it of layers, or use lstmc.nn")
        if isinstance(inputs, dict) or isinstance(outputs, dict):
            raise TypeError("Model: expected tensors or lists of them for inputs and outputs, received a dict; fit finds entries of a dict by layers' names")
        several = [list(t) if isinstance(t, (list, tuple)) else [t] for t in (inputs, outputs)]
        graph = Graph(*several)
        one_dtype(graph.layers)
        unique_names(graph.layers)
        self.graph = graph

    @property
    def layers(self):
        """Each layer once, those of inputs first."""
        return list(self.graph.layers)

    def build(self, input_shape=None):
        """Nothing to do: layers were built when they were called."""

    @property
    def input_shape(self):
        """The shape of the input, or of each, with the batch axis."""
        shapes = [t.shape for t in self.graph.inputs]
        return shapes[0] if len(shapes) == 1 else shapes

    @property
    def output_shape(self):
        """The shape of the output, or of each, with the batch axis."""
        shapes = [t.shape for t in self.graph.outputs]
        return shapes[0] if len(shapes) == 1 else shapes

    def get_config(self):
        """The architecture in JSON types, for `from_config`."""
        return {"name": self.name, **architecture.of_model(self)}

    @classmethod
    def from_config(cls, config):
        """A model of this architecture with new weights."""
        return architecture.model(cls, config)

    def save(self, path):
        """Write the model to a .safetensors file: architecture, weights, and how training stands; see `lstmc.load`.

        Readers see the file that was there or the new one, never a part, whoever else saves to it. A link is followed.

        Parameters
        ----------
        path : path-like
            Ends in .safetensors.

        Raises
        ------
        ValueError
            It is not the name of a regular file, or the model has something that a file cannot hold and `lstmc.load` could not make
            again: layers, initializers, metrics or other parts that are not the package's own, or settings that were changed to wrong ones.
        OSError
            The file cannot be written.
        """
        saving.save(self, path)

    def save_weights(self, path):
        """Write the weights alone to a .safetensors file, whole or not at all, as `save` does.

        Parameters
        ----------
        path : path-like
            Ends in .safetensors.
        """
        saving.save_weights(self, path)

    def load_weights(self, path):
        """Read the weights of a file that `save_weights` or `save` wrote; layers must have the same names and shapes.

        Raises
        ------
        lstmc.FormatError
            The file is damaged, of another kind, or of other weights. Nothing is changed then.
        """
        reading.load_weights(self, path)

    def __repr__(self):
        return f"<Model {self.name}: {len(self.graph.layers)} layers, {self.count_params():,} parameters>"


class Sequential(Model):
    """Layers in a row, with Keras' methods.

    Parameters
    ----------
    layers : list of lstmc.layers.Layer, optional
        With `Input(shape)` first (or `input_shape=` of the first layer), weights exist from `build()` on; without it, from the first call with data on.
    name : str, optional

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

    Notes
    -----
    The same seed and the same data give the same weights bit for bit, on any number of threads.
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

    def add(self, layer):
        """Append a layer; only before the model is built.

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
            raise TypeError(f"layer: expected an lstmc.layers.Layer, received {hints.kind_of(layer)}")
        if self.built:
            raise ValueError(f"layer: expected to be added before the model is built, received {layer.name!r} afterwards")
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
            raise ValueError("layer: expected Input as the first layer only")
        one_dtype([*self._layers, layer])
        unique_names([*self._layers, layer])
        self._layers.append(layer)

    def pop(self):
        """Remove the last layer and return it; a built model is then built anew, of the layers that are left, which keep their weights."""
        if not self.layers:
            raise ValueError("layers: expected at least one layer to remove, received none")
        layer, shape = self._layers.pop(), self.input_shape
        if self.built:
            self.graph = self.optimizer = self.loss = None
            if self.layers:
                self.build(shape)
        return layer

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
        tensor = x = first.tensor if first else InputLayer(batch_shape=shape, implied=self.input_shape is None).tensor
        for layer in self._layers:
            layer.build(shape, draw=draw)
            shape = layer.compute_output_shape(shape)
            if layer is not first:
                x = layer(x)
        self.graph = Graph([tensor], [x])

    def accept(self, x):
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
        return super().accept(x)

    @classmethod
    def from_config(cls, config):
        """A model of this architecture with new weights, which exist if the shape of its input is known."""
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
