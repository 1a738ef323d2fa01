"""Dropout and SpatialDropout1D: which values are dropped is a function of seed, step and position."""

from lstmc.kernels import train
from lstmc.layers.base import Layer
from lstmc.nn import checks
from lstmc.nn.dropout import first_sequence, layer_mask, sequences_from


class Dropout(Layer):
    """In training, each value is 0 with probability `rate` and otherwise divided by 1 - rate.

    Which values is a function of seed, training step and position alone: of the place in the batch, the time step where
    there are three axes, and the place among the remaining values. It does not depend on the sizes of the batch or of time.

    Parameters
    ----------
    rate : float
    noise_shape : tuple, optional
        Where it has 1, values along that axis are dropped together; None is the size of the input there.
    seed, name, dtype
        See `Layer`.
    """

    fixed = Layer.fixed | {"rate", "noise_shape"}

    def __init__(self, rate, noise_shape=None, seed=None, *, name=None, dtype=None, **arguments):
        super().__init__(name, dtype, seed, **arguments)
        self.rate = checks.probability(rate, "rate")
        if noise_shape is not None and not isinstance(noise_shape, (tuple, list)):
            raise TypeError(f"noise_shape: expected a tuple with the batch axis, such as (None, 1, None), received {noise_shape!r}")
        self.noise_shape = None if noise_shape is None else tuple(None if n is None else checks.integer(n, "noise_shape", 1) for n in noise_shape)

    def check_shape(self, shape):
        noise = self.noise_shape
        if noise is not None and (len(noise) != len(shape) or any(n not in (None, 1, size) and size is not None for n, size in zip(noise, shape, strict=True))):
            raise self.wrong_shape(f"that noise_shape={noise} fits", shape)

    def forward(self, x, mask=None, training=False, step=0):
        if not training or not self.rate:
            return x, mask, () if training else None
        scale = self.scale(x.shape, step)
        return train.times(x, scale), mask, scale

    def _value(self, x):
        """The input: in inference nothing is dropped."""
        return x

    def scale(self, shape, step):
        """What multiplies an input of this shape."""
        if self.noise_shape is None:
            return layer_mask(self.rate, shape, self.dtype, self.seed, step)
        shape = tuple(size if n is None else n for n, size in zip(self.noise_shape, shape, strict=True))
        with sequences_from(0 if self.noise_shape[0] == 1 else first_sequence()):      # 1: the whole batch has one mask
            return layer_mask(self.rate, shape, self.dtype, self.seed, step)

    def backward(self, tape, dy, need_dx=True):
        return dy if isinstance(tape, tuple) else train.times(dy, tape), []

    def get_config(self):
        noise = {} if self.noise_shape is None else {"noise_shape": list(self.noise_shape)}
        return {"rate": self.rate, **noise, **super().get_config()}


class SpatialDropout1D(Dropout):
    """Dropout of whole features: in training, a feature of (batch, time, features) is 0 at all steps of a sequence with probability `rate`."""

    def __init__(self, rate, seed=None, *, name=None, dtype=None, **arguments):
        super().__init__(rate, None, seed, name=name, dtype=dtype, **arguments)

    def check_shape(self, shape):
        if len(shape) != 3:
            raise self.wrong_shape("(batch, time, features)", shape)

    def scale(self, shape, step):
        return layer_mask(self.rate, (shape[0], shape[2]), self.dtype, self.seed, step)[:, None]
