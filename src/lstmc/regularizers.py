"""Penalties of weights and outputs that are part of the loss, by Keras' names and equations.

Penalties are summed in float64 by fixed trees, gradients are of the dtype of the array; neither depends on the NumPy in use.
"""

import numpy as np

from lstmc import names
from lstmc.kernels import linear, train
from lstmc.layers.casts import as_floats, own_float
from lstmc.layers.sums import total
from lstmc.nn import checks
from lstmc.reprs import constructed

__all__ = ["L1", "L1L2", "L2", "OrthogonalRegularizer", "Regularizer", "get", "l1", "l1_l2", "l2", "orthogonal_regularizer"]


class Regularizer:
    """Base: a subclass gives `penalty` and `gradient`, of an array in Keras' layout.

    Attributes
    ----------
    elementwise : bool
        Whether the penalty is a sum over elements, so that the layout does not matter.
    """

    elementwise = False
    __repr__ = constructed

    def penalty(self, x):
        """The penalty of an array x, a float."""
        raise NotImplementedError

    def gradient(self, x):
        """Its gradient, of the shape and dtype of x."""
        raise NotImplementedError

    def __call__(self, x):
        """The penalty of an array."""
        a = checks.plain(x, "x")
        return float(self.penalty(as_floats(a, own_float(a), "x")))

    def get_config(self):
        """Constructor arguments that rebuild the regularizer; JSON types only."""
        return dict(vars(self))


class L1L2(Regularizer):
    """l1 sum abs(w) + l2 sum w^2."""

    elementwise = True

    def __init__(self, l1=0.0, l2=0.0):
        self.l1, self.l2 = (checks.at_least_0(0.0 if v is None else v, name) for v, name in ((l1, "l1"), (l2, "l2")))

    def penalty(self, x):
        return (self.l1 * float(total(np.abs(x).astype(np.float64).reshape(-1), 0)) if self.l1 else 0.0) \
            + (self.l2 * train.sumsq(np.ascontiguousarray(x).reshape(-1)) if self.l2 else 0.0)

    def gradient(self, x):
        g = x * x.dtype.type(2 * self.l2)
        return g + np.sign(x) * x.dtype.type(self.l1) if self.l1 else g


class L1(L1L2):
    """l1 sum abs(w)."""

    def __init__(self, l1=0.01):
        super().__init__(0.01 if l1 is None else l1)

    def get_config(self):
        return {"l1": self.l1}


class L2(L1L2):
    """l2 sum w^2."""

    def __init__(self, l2=0.01):
        super().__init__(0.0, 0.01 if l2 is None else l2)

    def get_config(self):
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """factor times the mean of abs(u v) over pairs of rows (or columns) of a matrix that are scaled to length 1.

    Parameters
    ----------
    factor : float
    mode : {"rows", "columns"}
    """

    def __init__(self, factor=0.01, mode="rows"):
        self.factor = checks.at_least_0(factor, "factor")
        if not isinstance(mode, str) or mode not in ("rows", "columns"):
            raise ValueError(f"mode: expected 'rows' or 'columns', received {mode!r}")
        self.mode = mode

    def _pairs(self, x):
        """(unit vectors as rows, their lengths, products of different ones, the factor of the sum of their absolute values)."""
        if x.ndim != 2:
            raise ValueError(f"orthogonal_regularizer: expected a matrix, received shape {checks.shape_text(x.shape)}")
        a = (x if self.mode == "rows" else x.T).astype(np.float64)
        n = len(a)
        lengths = np.sqrt(np.maximum(total(a * a, 1), 1e-14))[:, None]
        u = a / lengths
        products = np.empty((n, n))
        linear.linear_fwd(u, u.T, None, products)
        np.fill_diagonal(products, 0)
        return u, lengths, products, self.factor / (n * (n - 1)) if n > 1 else 0.0

    def penalty(self, x):
        *_, products, share = self._pairs(x)
        return share * float(total(np.abs(products).reshape(-1), 0))

    def gradient(self, x):
        u, lengths, products, share = self._pairs(x)
        du = np.empty_like(u)
        linear.linear_fwd(np.sign(products), u, None, du)
        du *= 2 * share
        dx = (du - u * total(du * u, 1)[:, None]) / lengths
        return (dx if self.mode == "rows" else dx.T).astype(x.dtype)


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer
CLASSES = {c.__name__: c for c in (L1, L2, L1L2, OrthogonalRegularizer)}
_BY_NAME = CLASSES | {"l1": L1, "l2": L2, "l1l2": L1L2, "l1_l2": L1L2, "orthogonal_regularizer": OrthogonalRegularizer}


def get(identifier, argument="regularizer"):
    """A Regularizer from an `identifier`: a name, a Regularizer, its class, or what `config_of` gives; None is None. Errors call it `argument`."""
    if identifier is None or isinstance(identifier, Regularizer):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Regularizer):
        return identifier()
    if isinstance(identifier, dict) and isinstance(identifier.get("config", {}), dict):
        return type(get(identifier.get("class", ""), argument))(**identifier.get("config", {}))
    if callable(identifier):
        raise TypeError(f"{argument}: expected a name or an lstmc.regularizers.Regularizer, received {identifier!r}; "
                        "a subclass of Regularizer gives its own gradient")
    if not isinstance(identifier, str) or identifier not in _BY_NAME:
        known = ", ".join(sorted(n for n in _BY_NAME if n.islower()))
        raise ValueError(f"{argument}: expected one of {known}, an lstmc.regularizers object, or None; received {identifier!r}")
    return _BY_NAME[identifier]()


def configs_of(thing, arguments):
    """The entries of a config for those of these attributes that are regularizers."""
    found = {name: getattr(thing, name) for name in arguments}
    return {name: {"class": type(r).__name__, "config": r.get_config()} for name, r in found.items() if r is not None}


__getattr__, __dir__ = names.face(__name__, __all__)
