"""Layer normalisation of each row, forward and backward.

    u = (v - mean(v)) / sqrt(mean((v - mean(v))^2) + eps)      n = gamma . u + beta

The means run over the last axis. The parameter is gamma (N,) alone, or (2,N) with the rows gamma and beta. An
absent parameter means that nothing is normalised.
"""

from typing import NamedTuple

import numpy as np


class SavedNorm(NamedTuple):
    """What the backward reads: u (B,N) and the factor 1 / sqrt(variance + eps) (B,1)."""

    u: np.ndarray
    factor: np.ndarray


def norm_fwd(v, parameter, eps):
    """v (B,N) -> n (B,N), SavedNorm; v itself and None without a parameter."""
    if parameter is None:
        return v, None
    gamma, beta = _split(parameter)
    centred = v - v.mean(1, keepdims=True)
    factor = 1.0 / np.sqrt((centred**2).mean(1, keepdims=True) + eps)
    u = centred * factor
    return gamma * u + beta, SavedNorm(u, factor)


def norm_bwd(dn, saved, parameter):
    """The transpose of `norm_fwd`: dv (B,N) and the gradient of the parameter, in its shape."""
    if parameter is None:
        return dn, None
    u, factor = saved
    gamma, _ = _split(parameter)
    du = dn * gamma
    dv = factor * (du - du.mean(1, keepdims=True) - u * (du * u).mean(1, keepdims=True))
    dgamma, dbeta = (dn * u).sum(0), dn.sum(0)
    return dv, dgamma if parameter.ndim == 1 else np.stack([dgamma, dbeta])


def _split(parameter):
    return (parameter, 0.0) if parameter.ndim == 1 else parameter
