"""What every loss has: its protocol, its arguments, the shapes of targets, and how values become one number.

Predictions have shape (B, ..., C); a loss gives one value for each of (B, ...). Values are computed in float64
for the report; gradients in the dtype of the predictions, without functions of NumPy whose bits depend on the machine
where a loss can do without them: those of msle, the focal losses and nothing else take logarithms or powers from it.
"""

import math

import numpy as np

from lstmc.layers.casts import as_floats, own_float
from lstmc.nn import checks
from lstmc.reprs import constructed, text_name

EPSILON = 1e-7      # Keras'
REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none")


class Loss:
    """Base class: `targets`, `values` and `gradient` define a loss.

    Parameters
    ----------
    name : str, optional
        Made from the class name if None.
    reduction : {"sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", "none", None}
        How weighted values become one number: their sum divided by how many they are (the first two), their sum, or their sum divided by
        the sum of the weights. With "none" or None a call gives all values; a model cannot be trained with it.
    dtype : {"float32", "float64"}, optional
        To which a call casts its arguments; None keeps arrays of float64 and casts others to float32. In a model, the model's counts.

    Attributes
    ----------
    fuses : str or None
        Activation whose input `gradient(..., fused=True)` refers to.
    uses_mask : bool
        True means that `values` and `gradient` also take `mask=`, the (B, T) bool array that belongs to the predictions, or None.
    """

    fuses = None
    uses_mask = False
    __repr__ = constructed
    default_name = None
    reduction = "sum_over_batch_size"
    dtype = None

    def __init__(self, name=None, reduction="sum_over_batch_size", dtype=None):
        self.name = text_name(self.default_name if name is None else name, self)
        if not (reduction is None or (isinstance(reduction, str) and reduction in REDUCTIONS)):
            raise ValueError(f"reduction: expected one of {', '.join(REDUCTIONS)}, or None; received {reduction!r}")
        self.reduction = reduction
        self.dtype = None if dtype is None else str(checks.float_dtype(dtype))

    def targets(self, y, shape, dtype):
        """y as the array that `values` expects for predictions of this shape, or an error."""
        return same_shape(as_floats(y, dtype, "y"), shape)

    def values(self, y, p):
        """(B, ...) float64 losses of targets y and predictions p (B, ..., C)."""
        raise NotImplementedError(f"{type(self).__name__}: expected its own values(y, p) and gradient(y, p, fused), received none; "
                                  "`call` of a loss of Keras has no gradient here")

    def gradient(self, y, p, fused=False):
        """d values / d p, or with respect to the input of the activation `fuses`; shaped like p."""
        raise NotImplementedError

    def both(self, y, p, fused=False, **mask):
        """(`values`, `gradient`) of y and p: for training, where a loss may find them together."""
        return self.values(y, p, **mask), self.gradient(y, p, fused, **mask)

    def valid(self, y):
        """Which of the values count, as a bool array shaped like them; None for all."""
        return

    def counting(self, y, shape, mask=None):
        """Which of the values of this shape count, by their targets and a mask of the first axes, which is ignored if it is of others; None for all."""
        valid = self.valid(y)
        mask = mask if mask is not None and mask.shape == tuple(shape[:mask.ndim]) else None
        if valid is not None:
            mask = valid if mask is None else valid & mask.reshape(mask.shape + (1,) * (len(shape) - mask.ndim))
        return mask

    def counts(self, y, shape, weights=None, mask=None):
        """What each of the values of this shape contributes to the loss: a number, or an array of float64.

        Without weights and mask, 1 / size. A mask takes the mean over valid steps instead; weights multiply, and the divisor stays, as in
        Keras. So does `reduction`, where it is another.

        Parameters
        ----------
        y : array
            From `targets`.
        shape : tuple
            Of the values.
        weights : array of float64, optional
            From `spread`.
        mask : bool array, optional
            Ignored unless its shape is that of the first axes of the values.
        """
        if self.reduction in (None, "none"):
            raise ValueError(f"reduction: expected one to a number, such as {REDUCTIONS[0]!r}, for a model; received {self.reduction!r}, which gives "
                             "a value per sample")
        mask = self.counting(y, shape, mask)
        size = math.prod(shape)
        c = 1 / size if size else 0.0
        if self.reduction in ("sum", "mean_with_sample_weight"):
            c = 1.0 if mask is None else mask.astype(np.float64)
        elif mask is not None:
            c = mask * (c * mask.size / max(mask.sum(), 1))
        if mask is not None:
            c = c.reshape(mask.shape + (1,) * (len(shape) - mask.ndim))
        if weights is not None:
            c = weights * c
        if self.reduction == "mean_with_sample_weight":
            total = float(np.broadcast_to(c, shape).sum())
            c = c / total if total else 0.0 * c
        return c if isinstance(c, float) else np.broadcast_to(c, shape)

    def __call__(self, y_true, y_pred, sample_weight=None):
        """The values, weighted by `sample_weight` and reduced: a float, or with reduction None an array in the dtype of the predictions."""
        y, p = pair(self, y_true, y_pred)
        values = self.values(y, p)
        weights = None
        if sample_weight is not None:
            weights = as_floats(sample_weight, np.dtype(np.float64), "sample_weight")
            weights = spread(weights, values.shape) if weights.ndim else weights
        if self.reduction in (None, "none"):
            return narrowed(values if weights is None else values * weights, p.dtype)
        c = np.asarray(self.counts(y, values.shape, weights))
        return float(np.where(c != 0, values * c, 0).sum())

    def get_config(self):
        """Constructor arguments that rebuild the loss; JSON types only."""
        return dict(vars(self))


class Simple(Loss):
    """A loss without settings of its own: its arguments are in the order of Keras' losses, not of their base."""

    def __init__(self, reduction="sum_over_batch_size", name=None, dtype=None):
        super().__init__(name, reduction, dtype)


def pair(loss, y_true, y_pred):
    """(targets, predictions) of a call on a caller's arrays, from which a last axis of 1 may be missing in either."""
    p = as_floats(y_pred, np.dtype(loss.dtype) if loss.dtype else own_float(y_pred), "y_pred")
    if p.ndim == 0:
        raise ValueError("y_pred: expected at least one axis, received a number")
    if p.ndim == 1 and np.shape(y_true)[1:] == (1,):
        p = p[:, None]
    try:
        return loss.targets(y_true, p.shape, p.dtype), p
    except (TypeError, ValueError) as error:
        raise (TypeError if isinstance(error, TypeError) else ValueError)("y_true" + str(error).removeprefix("y")) from None


def per_sample(loss, y_true, y_pred):
    """Values of a loss for a caller's arrays, in the dtype of the predictions, as Keras' functions give them."""
    y, p = pair(loss, y_true, y_pred)
    return narrowed(loss.values(y, p), p.dtype)


def narrowed(values, dtype):
    """float64 values in another dtype; infinite where it does not reach."""
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def same_shape(y, shape):
    """y with the shape of the predictions: a last axis of 1 may be missing or extra."""
    given = y.shape
    if y.ndim + 1 == len(shape) and shape[-1] == 1:
        y = y[..., None]
    elif y.ndim == len(shape) + 1 and y.shape[-1] == 1:
        y = y[..., 0]
    if y.shape != tuple(shape):
        raise ValueError(f"y: expected shape {checks.shape_text(shape)} of the model's output, received {checks.shape_text(given)}")
    return y


def spread(weights, shape):
    """Weights of samples, or of samples and steps, against values of this shape."""
    if weights.ndim > 1 and weights.shape[-1] == 1 and weights.shape != tuple(shape):
        weights = weights[..., 0]
    if weights.ndim == 0 or weights.shape != tuple(shape[:weights.ndim]):
        expected = " or ".join(dict.fromkeys(checks.shape_text(s) for s in (shape[:1], shape)))
        raise ValueError(f"sample_weight: expected shape {expected}, received {checks.shape_text(weights.shape)}")
    return weights.reshape(weights.shape + (1,) * (len(shape) - weights.ndim))


def plain(loss, cls):
    """Whether a loss has the values and the gradient of this class, not others of a subclass."""
    return type(loss) is cls or (type(loss).values, type(loss).gradient) == (cls.values, cls.gradient)


def mean_of_last(a):
    """a.mean(-1) of a float64 array that may be written to: the same bits, in fewer steps."""
    n = a.shape[-1]
    if n == 1:
        return a.reshape(a.shape[:-1])
    total = np.add.reduce(a, -1)
    total /= n
    return total


def difference(y, p):
    """float64 p - y, to be written to."""
    return np.subtract(p, y, dtype=np.float64)


def shared(d, n):
    """d / n as part of a mean over n, in place."""
    if n != 1:
        d *= d.dtype.type(1 / n)
    return d


def within(p, low, high):
    """np.clip(p, low, high), in fewer steps."""
    p = np.maximum(p, low)
    return np.minimum(p, high, out=p)


def last_axis(axis):
    """axis, which must be -1."""
    if isinstance(axis, (bool, np.bool_)) or not isinstance(axis, (int, np.integer)) or axis != -1:
        raise ValueError(f"axis: expected -1, since classes and features are last here; received {axis!r}; np.moveaxis moves one there")
    return -1


def check_range(y, loss):
    """Targets of a cross-entropy are probabilities."""
    if y.size and not (y.min() >= 0 and y.max() <= 1):
        raise ValueError(f"y: expected values from 0 to 1 for {loss}, received values from {y.min()} to {y.max()}")
