"""Layers that make one output of several inputs, value by value: Add, Subtract, Multiply, Average, Maximum, Minimum; and their functions."""

import numpy as np

from lstmc.layers.base import Layer
from lstmc.layers.casts import as_mask
from lstmc.layers.sums import onto
from lstmc.layers.symbolic import apply, is_symbolic
from lstmc.nn import checks


class Merging(Layer):
    """Takes a list: of shapes, of arrays, of masks of which each may be None; backward gives a list."""

    merges = True
    least, most = 1, None     # inputs

    def __call__(self, x, mask=None, training=False):
        """The output for a list of batches, or of symbolic tensors."""
        if not isinstance(x, (list, tuple)):
            raise TypeError(f"{self.name}: expected a list of inputs, received {type(x).__name__}")
        if is_symbolic(x):
            self.no_mask(mask)
            return apply(self, x)
        x = [self.cast(a) for a in x]
        self.build([(None, *a.shape[1:]) for a in x])
        self.check_shape([a.shape for a in x])
        masks = [None] * len(x) if mask is None else list(mask)
        if len(masks) != len(x):
            raise ValueError(f"mask: expected a list of {len(x)}, one for each input, received {len(masks)} of them")
        masks = [None if m is None else as_mask(m, a.shape) for a, m in zip(x, masks, strict=True)]
        return self.forward(x, masks, checks.flag(training, "training"))[0]

    def check_shape(self, shape):
        if len(shape) < self.least or (self.most and len(shape) > self.most):
            raise ValueError(f"{self.name}: expected a list of {self.most or 'at least ' + str(self.least)} inputs, received {len(shape)}")
        for s in shape:
            if len(s) < 2:
                raise self.wrong_shape("(batch, ...)", s)
        if len({s[0] for s in shape} - {None}) > 1:
            raise self.unlike("the same number of samples", shape)

    def unlike(self, expected, shapes):
        """The ValueError for inputs of shapes that do not fit each other, and what is `expected`."""
        return ValueError(f"{self.name}: expected inputs of {expected}, received shapes {', '.join(map(checks.shape_text, shapes))}")

    def get_config(self):
        return self.plain_config()


class _Elementwise(Merging):
    """Inputs of one shape, or of shapes that broadcast: missing axes are after the batch's, and sizes of 1 are repeated."""

    def check_shape(self, shape):
        super().check_shape(shape)
        self.compute_output_shape(shape)

    def compute_output_shape(self, input_shape):
        found = expanded(input_shape[0], max(map(len, input_shape)))
        for s in input_shape[1:]:
            pairs = list(zip(found, expanded(s, len(found)), strict=True))
            if any(None not in pair and 1 not in pair and pair[0] != pair[1] for pair in pairs[1:]):
                raise self.unlike("shapes that broadcast", input_shape)
            batch = pairs[0][0] if pairs[0][1] is None else pairs[0][1]
            found = (batch, *(b if a == 1 else a if b == 1 else None if None in (a, b) else a for a, b in pairs[1:]))
        return found

    def merge(self, xs, masks):
        """The output for inputs xs of as many axes; masks are of the shapes of inputs, or None."""
        raise NotImplementedError

    def merge_bwd(self, xs, masks, y, dy):
        """For each of the inputs xs its gradient, of the shape of the output y."""
        raise NotImplementedError

    def forward(self, x, mask=None, training=False, step=0):
        mask = [None] * len(x) if mask is None else mask
        axes = max(a.ndim for a in x)
        xs = [a.reshape(expanded(a.shape, axes)) for a in x]
        masks = [None if m is None else spread(m, a) for m, a in zip(mask, xs, strict=True)]
        y = self.merge(xs, masks)
        return y, any_of(mask), ([a.shape for a in x], xs, masks, y) if training else None

    def backward(self, tape, dy, need_dx=True):
        shapes, xs, masks, y = tape
        return [np.ascontiguousarray(onto(d, a.shape)).reshape(s)
                for d, a, s in zip(self.merge_bwd(xs, masks, y, dy), xs, shapes, strict=True)], []


def expanded(shape, axes):
    """A shape with axes of 1 after the batch's, as many as are missing."""
    return (shape[0], *(1,) * (axes - len(shape)), *shape[1:])


def spread(mask, x):
    """A mask of steps against the values of x."""
    return np.broadcast_to(mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim)), x.shape)


def any_of(masks):
    """Where a step is valid in any input; None if one has no mask."""
    if any(m is None for m in masks):
        return None
    found = masks[0]
    for m in masks[1:]:
        found = found | m
    return found


class Add(_Elementwise):
    """The sum of inputs."""

    def merge(self, xs, masks):
        y = xs[0]
        for x in xs[1:]:
            y = y + x
        return y

    def merge_bwd(self, xs, masks, y, dy):
        return [dy] * len(xs)


class Average(Add):
    """The mean of inputs."""

    def merge(self, xs, masks):
        return super().merge(xs, masks) / self.dtype.type(len(xs))

    def merge_bwd(self, xs, masks, y, dy):
        return [dy / self.dtype.type(len(xs))] * len(xs)


class Subtract(_Elementwise):
    """The first of two inputs minus the second."""

    least = most = 2

    def merge(self, xs, masks):
        return xs[0] - xs[1]

    def merge_bwd(self, xs, masks, y, dy):
        return [dy, -dy]


class Multiply(_Elementwise):
    """The product of inputs; a masked value counts as 1, and what is masked in all of them is 0, as in Keras."""

    def merge(self, xs, masks):
        y = None
        for x in self.shown(xs, masks):
            y = x if y is None else y * x
        valid = any_of(masks)
        return y if valid is None else np.where(valid, y, self.dtype.type(0))

    def shown(self, xs, masks):
        """The inputs xs with 1 at masked values."""
        return [x if m is None else np.where(m, x, self.dtype.type(1)) for x, m in zip(xs, masks, strict=True)]

    def merge_bwd(self, xs, masks, y, dy):
        shown, valid, zero = self.shown(xs, masks), any_of(masks), self.dtype.type(0)
        dy = dy if valid is None else np.where(valid, dy, zero)
        for n, m in enumerate(masks):
            d = dy
            for x in shown[:n] + shown[n + 1:]:
                d = d * x
            yield d if m is None else np.where(m, d, zero)


class Maximum(_Elementwise):
    """The largest of inputs; values that are masked in one of two do not count, as in Keras. Where two are equal, each has half of the gradient."""

    def larger(self, a, b):
        """Which of two, a and b, counts."""
        return np.maximum(a, b)

    def pairs(self, xs, masks):
        """What is compared of xs, input by input: (output so far, where it counts, input, where it counts)."""
        y, valid = xs[0], masks[0]
        for x, m in zip(xs[1:], masks[1:], strict=True):
            b = x if m is None else np.where(m, x, y)
            a = y if valid is None else np.where(valid, y, b)
            yield a, b, valid, m
            valid = None if m is None or valid is None else valid | m
            y = self.larger(a, b)

    def merge(self, xs, masks):
        y = xs[0]
        for a, b, *_ in self.pairs(xs, masks):
            y = self.larger(a, b)
        return y

    def merge_bwd(self, xs, masks, y, dy):
        found, half, zero = [], self.dtype.type(0.5), self.dtype.type(0)
        for a, b, valid, m in reversed(list(self.pairs(xs, masks))):
            da = np.where(a == b, dy * half, np.where(self.larger(a, b) == a, dy, zero))
            db = dy - da
            # a is where(valid, y, b), and b is where(m, x, y).
            dprevious = da if valid is None else np.where(valid, da, zero)
            db = db if valid is None else db + np.where(valid, zero, da)
            found.append(db if m is None else np.where(m, db, zero))
            dy = dprevious if m is None else dprevious + np.where(m, zero, db)
        return [dy, *reversed(found)]


class Minimum(Maximum):
    """The smallest of inputs; values that are masked in one of two do not count, as in Keras. Where two are equal, each has half of the gradient."""

    def larger(self, a, b):
        return np.minimum(a, b)


# The same as functions ---------------------------------------------------------------------------------------

def function(cls):
    """A function of inputs and of the arguments of a class, whose layer it calls on them."""
    def merged(inputs, *arguments, **settings):
        return cls(*arguments, **settings)(inputs)

    merged.__name__ = merged.__qualname__ = cls.__name__.lower()
    merged.__module__ = cls.__module__
    merged.__doc__ = f"`{cls.__name__}(*arguments, **settings)(inputs)`: {cls.__doc__.splitlines()[0]}"
    return merged


add, average, maximum, minimum, multiply, subtract = map(function, (Add, Average, Maximum, Minimum, Multiply, Subtract))
