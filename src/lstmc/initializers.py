"""Initial weights, by Keras' names and distributions (its random numbers themselves are TensorFlow's and differ).

An initializer is called with a shape and a NumPy generator and returns float64; fan-in and fan-out are those of
a (inputs, outputs) matrix, or of as many as axes before it say. Results are the same on any number of threads: no product is left to a BLAS.
"""

import math

import numpy as np

from lstmc import names, received
from lstmc.kernels import linear
from lstmc.nn import checks
from lstmc.reprs import constructed
from lstmc.seeds import check_seed, generator


class Initializer:
    """Base class: a subclass gives `values`.

    Parameters
    ----------
    seed : int, optional
        Of a generator of its own, in the place of the layer's.
    """

    __repr__ = constructed

    def __init__(self, seed=None):
        self.seed = None if seed is None else check_seed(seed)

    def __call__(self, shape, rng):
        return self.values(tuple(shape), rng if self.seed is None else generator(self.seed))

    def values(self, shape, rng):
        """An array of this shape, drawn from the `numpy.random.Generator` rng."""
        raise NotImplementedError

    def get_config(self):
        """Constructor arguments that rebuild the initializer; JSON types only."""
        return dict(vars(self))


class Zeros(Initializer):
    """All 0."""

    def values(self, shape, rng):
        return np.zeros(shape)


class Ones(Initializer):
    """All 1."""

    def values(self, shape, rng):
        return np.ones(shape)


class Constant(Initializer):
    """All `value`."""

    def __init__(self, value=0.0):
        super().__init__()
        self.value = checks.number(value, "value")

    def values(self, shape, rng):
        return np.full(shape, self.value)

    def get_config(self):
        return {"value": self.value}


class RandomNormal(Initializer):
    """Normal distribution of this `mean` and standard deviation `stddev`."""

    def __init__(self, mean=0.0, stddev=0.05, seed=None):
        super().__init__(seed)
        self.mean, self.stddev = checks.number(mean, "mean"), checks.at_least_0(stddev, "stddev")

    def values(self, shape, rng):
        return rng.normal(self.mean, self.stddev, shape)


class TruncatedNormal(RandomNormal):
    """Normal distribution of this `mean` and `stddev`, of which values beyond two `stddev` from `mean` are drawn again, as in Keras."""

    def values(self, shape, rng):
        return self.mean + self.stddev * truncated(shape, rng)


def truncated(shape, rng):
    """Standard normal values within +-2."""
    values = rng.standard_normal(shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.standard_normal(np.count_nonzero(outside))
    return values


class RandomUniform(Initializer):
    """Uniform distribution on [minval, maxval)."""

    def __init__(self, minval=-0.05, maxval=0.05, seed=None):
        super().__init__(seed)
        self.minval, self.maxval = checks.number(minval, "minval"), checks.number(maxval, "maxval")
        if self.minval > self.maxval:
            raise ValueError(f"minval: expected at most maxval = {self.maxval}, received {self.minval}")

    def values(self, shape, rng):
        return rng.uniform(self.minval, self.maxval, shape)


class VarianceScaling(Initializer):
    """Variance scale / fan: uniform on +-sqrt(3 scale / fan), or normal truncated at two standard deviations.

    Parameters
    ----------
    scale : float
        At least 0.
    mode : {"fan_in", "fan_out", "fan_avg"}
        Whether fan is the number of inputs, of outputs, or their mean.
    distribution : {"truncated_normal", "uniform"}
        Which of the two.
    seed : int, optional
        See `Initializer`.
    """

    def __init__(self, scale=1.0, mode="fan_in", distribution="truncated_normal", seed=None):
        super().__init__(seed)
        if not isinstance(mode, str) or mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ValueError(f"mode: expected 'fan_in', 'fan_out' or 'fan_avg', received {mode!r}")
        if not isinstance(distribution, str) or distribution not in ("truncated_normal", "uniform"):
            raise ValueError(f"distribution: expected 'truncated_normal' or 'uniform', received {distribution!r}")
        self.scale, self.mode, self.distribution = checks.at_least_0(scale, "scale"), mode, distribution

    def values(self, shape, rng):
        fan_in, fan_out = (n * math.prod(shape[:-2]) for n in (shape[-2:] if len(shape) > 1 else shape * 2))
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            return rng.uniform(-math.sqrt(3 * variance), math.sqrt(3 * variance), shape)
        # 0.8796... is the standard deviation of a standard normal variable truncated at +-2.
        return truncated(shape, rng) * (math.sqrt(variance) / 0.87962566103423978)


class _Scaled(VarianceScaling):
    """A VarianceScaling with fixed settings, known by its own name."""

    settings = ()

    def __init__(self, seed=None):
        super().__init__(*self.settings, seed=seed)

    def get_config(self):
        return {"seed": self.seed}


class GlorotUniform(_Scaled):
    """Uniform on +-sqrt(6 / (fan_in + fan_out))."""

    settings = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal, variance 2 / (fan_in + fan_out)."""

    settings = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform on +-sqrt(6 / fan_in)."""

    settings = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal, variance 2 / fan_in."""

    settings = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform on +-sqrt(3 / fan_in)."""

    settings = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal, variance 1 / fan_in."""

    settings = (1.0, "fan_in", "truncated_normal")


class Orthogonal(Initializer):
    """gain times a matrix with orthonormal rows or columns, whichever are fewer: Q of a normal matrix, diag R > 0."""

    def __init__(self, gain=1.0, seed=None):
        super().__init__(seed)
        self.gain = checks.number(gain, "gain")

    def values(self, shape, rng):
        if len(shape) < 2:
            raise ValueError(f"orthogonal: expected a matrix shape, received {shape}")
        columns, rows = sorted((math.prod(shape[:-1]), shape[-1]))
        q = orthonormal(rng.standard_normal((rows, columns)))
        return self.gain * (q if shape[-1] == columns else q.T).reshape(shape)


class Identity(Initializer):
    """gain on the diagonal of a matrix, which need not be square, and else 0: a ReLU network begins by keeping its state (Le et al. 2015)."""

    def __init__(self, gain=1.0):
        super().__init__()
        self.gain = checks.number(gain, "gain")

    def values(self, shape, rng):
        if len(shape) != 2:
            raise ValueError(f"identity: expected a matrix shape, received {shape}")
        return self.gain * np.eye(*shape)

    def get_config(self):
        return {"gain": self.gain}


def orthonormal(a, block=32):
    """The columns of a (M, N), M >= N of full rank, made orthonormal in order: Q of the QR with a positive diagonal.

    Block Gram-Schmidt, and within a block the Cholesky factor of its Gram matrix; every step is done twice, which
    brings the error down to rounding.
    """
    q = np.empty_like(a)
    for start in range(0, a.shape[1], block):
        part = a[:, start:start + block]
        done = q[:, :start]
        for _ in range(2):
            part = part - times(done, transposed_times(done, part))
            part = times(part, inverse_cholesky(transposed_times(part, part)).T)
        q[:, start:start + block] = part
    return q


def inverse_cholesky(g):
    """L^-1 for the symmetric positive g = L L^T."""
    g, x = g.copy(), np.eye(len(g))
    for j in range(len(g)):
        column = g[j + 1:, j:j + 1] / g[j, j]
        x[j + 1:] -= column * x[j]
        g[j + 1:, j + 1:] -= column * g[j, j + 1:]
        x[j] /= math.sqrt(g[j, j])
    return x


# Products by the kernels of the dense layers: a BLAS may round differently on another number of threads.

def times(a, b):
    out = np.empty((a.shape[0], b.shape[1]))
    linear.linear_fwd(a, b, None, out)
    return out


def transposed_times(a, b):
    out = np.empty((a.shape[1], b.shape[1]))
    linear.linear_bwd(a, out, b, None, out, None)
    return out


_ALL = (
    Zeros, Ones, Constant, RandomNormal, TruncatedNormal, RandomUniform, VarianceScaling, GlorotUniform, GlorotNormal, HeUniform, HeNormal,
    LecunUniform, LecunNormal, Orthogonal, Identity,
)
CLASSES = {c.__name__: c for c in _ALL}
_BY_NAME = CLASSES | {
    "zeros": Zeros, "ones": Ones, "constant": Constant, "random_normal": RandomNormal, "random_uniform": RandomUniform,
    "variance_scaling": VarianceScaling, "glorot_uniform": GlorotUniform, "glorot_normal": GlorotNormal,
    "he_uniform": HeUniform, "he_normal": HeNormal, "lecun_uniform": LecunUniform, "lecun_normal": LecunNormal,
    "orthogonal": Orthogonal, "identity": Identity, "truncated_normal": TruncatedNormal, "normal": RandomNormal, "uniform": RandomUniform,
}  # fmt: skip


def get(identifier, argument="initializer"):
    """An Initializer from an `identifier`, called `argument` in errors: a name, an Initializer, or the {"class", "config"} form that `config_of` gives."""
    if isinstance(identifier, Initializer):
        return identifier
    if isinstance(identifier, dict) and isinstance(identifier.get("config", {}), dict):
        return type(get(identifier.get("class"), argument))(**identifier.get("config", {}))
    if not isinstance(identifier, str) or identifier not in _BY_NAME:
        known = ", ".join(sorted(n for n in _BY_NAME if n.islower()))
        raise ValueError(f"{argument}: expected one of {known}, or an lstmc.initializers object; received {received.short(identifier)}")
    return _BY_NAME[identifier]()


def config_of(initializer):
    """What `get` turns back into the same initializer."""
    return {"class": type(initializer).__name__, "config": initializer.get_config()}


__all__ = [*CLASSES, "Initializer", "get"]

__getattr__, __dir__ = names.face(__name__, __all__)
