"""TimeDistributed: a layer on every step of a sequence."""

from lstmc import received, seeds
from lstmc.layers.base import Layer, building
from lstmc.layers.core import InputLayer
from lstmc.layers.normalization import BatchNormalization
from lstmc.layers.symbolic import is_symbolic
from lstmc.nn import checks
from lstmc.nn.dropout import first_sequence, sequences_from


class TimeDistributed(Layer):
    """The same layer, with the same weights, on every step: (batch, time, ...) is a batch of batch * time to it.

    Parameters
    ----------
    layer : Layer, or model
        With one input and one output. Its weights are those of this layer.
    name, dtype
        See `Layer`; the dtype is that of `layer`.
    """

    fixed = Layer.fixed | {"layer"}

    def __init__(self, layer, *, name=None, dtype=None, seed=None, **arguments):
        if hasattr(layer, "as_layer") and not isinstance(layer, type):
            layer = layer.as_layer()
        if not isinstance(layer, Layer) or isinstance(layer, InputLayer):
            raise TypeError(f"layer: expected a layer that computes something, received {'Input' if is_symbolic(layer) else received.kind(layer)}")
        if getattr(layer, "return_state", False) or getattr(layer, "stateful", False):
            raise ValueError(f"layer: expected return_state=False and stateful=False, since every step is a sample of its own, received {layer.name!r}")
        super().__init__(name, layer.dtype if dtype is None else dtype, seed, **arguments)
        if self.dtype != layer.dtype:
            raise ValueError(f"dtype: expected {layer.dtype}, as of {layer.name!r}, received {self.dtype}")
        if layer.merges or getattr(layer, "outputs", 1) > 1:
            raise ValueError(f"layer: expected one input and one output, received {layer.name!r} with several")
        if isinstance(layer, BatchNormalization):
            raise ValueError(f"layer: expected a layer that treats samples alone, received {layer.name!r}; BatchNormalization itself takes sequences")
        if layer.activity_regularizer is not None:
            raise ValueError(f"layer: expected activity_regularizer=None, received {layer.activity_regularizer!r}; give it to TimeDistributed")
        self.layer, self.turns = layer, layer.turns
        if not (self.trainable and layer.trainable):
            self.trainable = False

    @property
    def trainable(self):
        """Whether training changes the weights of the layer."""
        return self._trainable

    @trainable.setter
    def trainable(self, value):
        self._trainable = checks.flag(value, "trainable")
        if "layer" in vars(self):
            self.layer.trainable = self._trainable

    @property
    def activation(self):
        """That of the layer, if it ends in one."""
        return getattr(self.layer, "activation", None)

    def inner(self, shape):
        """The shape of one step."""
        return (None if None in shape[:2] else shape[0] * shape[1], *shape[2:])

    def cast(self, x):
        return self.layer.cast(x)

    def check_shape(self, shape):
        if len(shape) < 3:
            raise self.wrong_shape("(batch, time, ...)", shape)
        self.layer.check_shape(self.inner(shape))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:2], *self.layer.compute_output_shape(self.inner(input_shape))[1:])

    def weight_shapes(self, input_shape):
        return self.layer.weight_shapes(self.inner(input_shape))

    @property
    def trainable_variables(self):
        """Those of the layer."""
        return self.layer.trainable_variables if self.trainable else []

    @property
    def owned(self):
        """Those of the layer."""
        return self.layer.owned

    @property
    def weight_names(self):
        """Those of the layer."""
        return self.layer.weight_names

    def build(self, input_shape, draw=True):
        """As `Layer.build`; weights that the layer has stay."""
        with building.now:
            if not self.built:
                self.check_shape(tuple(input_shape))
                self.seed = seeds.next_seed() if self.seed is None else self.seed
                self.layer.build(self.inner(tuple(input_shape)), draw)
        super().build(input_shape, draw=False)

    def create(self, input_shape):
        self.variables = self.layer.variables

    def forward(self, x, mask=None, training=False, step=0):
        own = None if mask is None or mask.ndim < 3 else mask.reshape(-1, *mask.shape[2:])
        with sequences_from(first_sequence() * x.shape[1]):     # every step is a sample of its own
            y, _, tape = self.layer.forward(x.reshape(self.inner(x.shape)), own, training, step)
        return y.reshape(*x.shape[:2], *y.shape[1:]), mask, (tape, x.shape) if training else None

    def backward(self, tape, dy, need_dx=True, **how):
        """As that of the layer: see `Layer.backward`."""
        tape, shape = tape
        dx, grads = self.layer.backward(tape, dy.reshape(self.inner(dy.shape)), need_dx, **how)
        return None if dx is None else dx.reshape(shape), grads

    def check_complete(self):
        self.layer.check_complete()

    def __getstate__(self):
        """For copy and pickle: a copy's variables must be those of its own layer, not copies of these."""
        return {**self.__dict__, "variables": []}

    def __setstate__(self, state):
        super().__setstate__(state)
        if self.built:
            self.variables = self.layer.variables

    def get_config(self):
        return {"layer": {"class": getattr(self.layer, "kind", type(self.layer).__name__), "config": self.layer.get_config()}, **super().get_config()}

    @classmethod
    def from_config(cls, config):
        """The layer of a config."""
        inner = config["layer"]
        if inner["class"] in ("Model", "Sequential"):
            from lstmc.training.model_layer import ModelLayer
            layer = ModelLayer.from_config(inner["class"], inner["config"])
        else:
            from lstmc import layers  # all of them, of which this one is one
            layer = layers.from_config(inner["class"], inner["config"])
        return cls(layer, **{k: v for k, v in config.items() if k != "layer"})
