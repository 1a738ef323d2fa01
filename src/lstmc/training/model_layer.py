"""A model of one input and one output as a layer, for TimeDistributed: a graph of its own of the model's layers, whose weights it shares."""

import numpy as np

from lstmc.layers import BatchNormalization
from lstmc.layers.base import Layer, building
from lstmc.training import architecture
from lstmc.training.graph import Graph, Padded
from lstmc.training.reading import kinds


class ModelLayer(Layer):
    """The layers of a model as one.

    Parameters
    ----------
    kind : str
        "Model" or "Sequential".
    config : dict
        Of the model, as `architecture.of_model` has it.
    found : list of Layer
        The layers of the config.
    model : Model, optional
        Made of them, when it is built, if None.
    """

    def __init__(self, kind, config, found, model=None):
        if not found:
            raise ValueError(f"layer: expected a model with layers, received {config['name']!r} without")
        fixed = [layer for layer in found if not getattr(layer, "any_dtype", False)] or found
        super().__init__(name=None, dtype=fixed[0].dtype)
        self.kind, self.config, self.found, self.model = kind, config, found, model
        self.last = None        # what `_traced` was asked, and found
        self.name, self.turns = config["name"], tuple(t for layer in found for t in layer.turns)
        for layer in found:
            refuse(layer)
        if model is not None and model.built:
            self._take()

    @classmethod
    def of(cls, model):
        """That of a model, whose layers stay the model's too."""
        found = model.graph.layers if getattr(model, "_layers", None) is None else model._layers
        return cls(type(model).__name__, {"name": model.name, **architecture.of_model(model)}, list(found), model)

    @classmethod
    def from_config(cls, kind, config):
        """That of a model which is made when the layer is built."""
        return cls(kind, config, architecture.layers_of(config))

    def get_config(self):
        return self.config if self.model is None else {"name": self.model.name, **architecture.of_model(self.model)}

    def __repr__(self):
        return f"<{self.kind} {self.name}>" if self.model is None else repr(self.model)

    # Weights -------------------------------------------------------------------------------------------------

    @property
    def trainable(self):
        """Whether any layer is trained; setting it sets that of all."""
        return any(layer.trainable for layer in self.found)

    @trainable.setter
    def trainable(self, value):
        for layer in vars(self).get("found", ()):       # none yet for the constructor, which lets all be as they are
            layer.trainable = value

    @property
    def trainable_variables(self):
        """The variables that training changes."""
        return [v for layer in self.found for v in layer.trainable_variables]

    @property
    def owned(self):
        """(layer, Variable) of every weight: of the layers inside."""
        return [pair for layer in self._in_order() for pair in layer.owned]

    @property
    def weight_names(self):
        """A name for each of `variables`, with that of its layer."""
        return [f"{layer.name}/{name}" for layer in self._in_order() for name in layer.weight_names]

    def _in_order(self):
        return self.graph.layers if self.built else self.found

    def build(self, input_shape, draw=True):
        """As `Layer.build`; weights that the model has stay."""
        with building.now:
            if not self.built:
                self.check_shape(input_shape)
                if self.model is None:
                    self.model = architecture.model(kinds()[self.kind], self.config, self.found, draw)
                if not self.model.built:
                    self.model.build(tuple(input_shape), draw)
                self._take()
        self.check_shape(input_shape)

    def _take(self):
        g = self.model.graph
        if len(g.inputs) > 1 or len(g.outputs) > 1:
            raise ValueError(f"layer: expected a model of one input and one output, received {self.name!r} of {len(g.inputs)} and {len(g.outputs)}")
        self.graph = Graph(g.inputs, g.outputs)
        self.graph.prepare_gradients(every=True)
        self.variables = [v for layer in self.graph.layers for v in layer.variables]
        self.built = True

    def __getstate__(self):
        """For copy and pickle: the graph and its variables are those of a copy's model."""
        return {**self.__dict__, "graph": None, "variables": []}

    def __setstate__(self, state):
        super().__setstate__(state)
        if self.built:
            self._take()

    def check_complete(self):
        for layer in self.found:
            layer.check_complete()

    # Shapes --------------------------------------------------------------------------------------------------

    def _traced(self, shape):
        asked = self.built, tuple(shape)
        if self.last is None or self.last[0] != asked:      # every layer around asks three times, and so those around it
            self.last = asked, architecture.traced(self._in_order(), {**self.get_config(), "input_shape": list(shape)}, [tuple(shape)])
        return self.last[1]

    def cast(self, x):
        return next(layer for layer in self.found if not getattr(layer, "any_dtype", False)).cast(x) if not self.built else self.graph.caster(0).cast(x)

    def check_shape(self, shape):
        self.compute_output_shape(shape)

    def compute_output_shape(self, input_shape):
        outputs = self._traced(input_shape)[1]
        if len(outputs) != 1:
            raise ValueError(f"layer: expected a model of one input and one output, received {self.name!r} of {len(outputs)} outputs")
        return outputs[0]

    def weight_shapes(self, input_shape):
        return self._traced(input_shape)[0]

    # Running -------------------------------------------------------------------------------------------------

    def forward(self, x, mask=None, training=False, step=0):
        run = self.graph.run((x if mask is None else Padded(x, mask),), training, step)
        return run.outputs[0], run.masks[0], run.tapes if training else None

    def backward(self, tape, dy, need_dx=True):
        (dx,), found = self.graph.backward(tape, [dy])
        at = {id(v): g for (_, v), g in zip(self.graph.trained, found, strict=True)}
        return dx, [np.zeros_like(v.array) if v.trainable and at.get(id(v)) is None else at.get(id(v)) for v in self.variables]


def refuse(layer):
    """Raise for a layer that has no place inside."""
    if isinstance(layer, BatchNormalization):
        raise ValueError(f"layer: expected layers that treat samples alone, received {layer.name!r} in the model; BatchNormalization itself takes sequences")
    if getattr(layer, "stateful", False):
        raise ValueError(f"layer: expected stateful=False, since every step is a sample of its own, received {layer.name!r} in the model")
    if layer.activity_regularizer is not None:
        raise ValueError(f"layer: expected activity_regularizer=None, received {layer.activity_regularizer!r} of {layer.name!r} in the model; "
                         "give one to TimeDistributed")
