"""Losses against Keras' own results (`golden/make_keras_losses.py`): values, gradients, weights, reductions, names."""

import json
from pathlib import Path

import numpy as np
import pytest

from lstmc import losses

GOLDEN = np.load(Path(__file__).with_name("golden") / "keras_losses.npz")
LOSSES = json.loads(str(GOLDEN["losses"]))
REDUCTIONS = ("sum_over_batch_size", "mean", "sum", "mean_with_sample_weight")

pytestmark = pytest.mark.once


def data(kind, part):
    return GOLDEN[f"{kind}/{part}"]


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    for dtype in ("float64", "float32"):
        check_loss(name, LOSSES[name], dtype)


def check_loss(name, case, dtype):
    kind, tolerance = getattr(losses, case["class"]), 1e-7 if case["data"] == "edge" else 1e-12
    y, p = data(case["data"], "y0"), data(case["data"], "p0").astype(dtype)
    tolerance = max(tolerance, np.finfo(dtype).eps * 20)
    loss = kind(**case["config"])
    targets = loss.targets(y, p.shape, p.dtype)
    want, slope = GOLDEN[f"loss {name}/values"], GOLDEN[f"loss {name}/gradient"]
    assert np.allclose(loss.values(targets, p), want, tolerance, tolerance)
    d = loss.gradient(targets, p)
    assert (d.dtype, d.shape) == (p.dtype, p.shape)
    if case["data"] != "edge":      # where JAX takes a half
        assert np.abs(d - slope).max() <= tolerance * max(1, np.abs(slope).max())
    each = kind(**case["config"], reduction=None)(y, p)
    assert each.dtype == dtype
    assert np.allclose(each, want, tolerance, tolerance)
    weights = [None, data(case["data"], "w0" if p.ndim == 2 else "s0")]
    found = [kind(**case["config"], reduction=r)(y, p, sample_weight=w) for w in weights for r in REDUCTIONS]
    assert np.allclose(found, GOLDEN[f"loss {name}/reduced"], tolerance, tolerance)


def test_names():
    for kind, (own, identifier) in json.loads(str(GOLDEN["loss_names"])).items():
        assert getattr(losses, kind)().name == own
        for name in (kind, identifier):
            assert type(losses.get(name)) is getattr(losses, kind)
