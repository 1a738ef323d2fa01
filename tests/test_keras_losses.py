"""Losses and metrics against Keras' own results (`golden/make_keras_losses.py`): values, gradients, weights, reductions, names."""

import json
from pathlib import Path

import numpy as np
import pytest

from lstmc import losses, metrics

GOLDEN = np.load(Path(__file__).with_name("golden") / "keras_losses.npz")
LOSSES, METRICS = (json.loads(str(GOLDEN[name])) for name in ("losses", "metrics"))
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
    if f"loss {name}/masked" in GOLDEN.files and loss.valid(targets) is None:
        mask = data(case["data"], "m0")
        found = [(want * kind(**case["config"], reduction=r).counts(targets, want.shape, w, mask)).sum() for w in weights for r in REDUCTIONS]
        assert np.allclose(found, GOLDEN[f"loss {name}/masked"], 1e-12)
    found = [kind(**case["config"], reduction=r)(y, p, sample_weight=w) for w in weights for r in REDUCTIONS]
    assert np.allclose(found, GOLDEN[f"loss {name}/reduced"], tolerance, tolerance)


@pytest.mark.parametrize("kind", sorted({case["class"] for case in METRICS.values()}))
def test_metrics(kind):
    for name, case in METRICS.items():
        if case["class"] == kind:
            check_metric(name, case)


def check_metric(name, case):
    metric = getattr(metrics, case["class"])(**case["config"])
    found = []
    for n in range(3):
        y, p = (data(case["data"], f"{part}{n}") for part in "yp")
        metric.update_state(y, p, sample_weight=data(case["data"], f"{case['weights']}{n}") if case["weights"] else None)
        found.append(metric.result())
    assert np.allclose(found, GOLDEN[name], 1e-11, 1e-11), name
    assert isinstance(found[0], float) or found[0].shape == GOLDEN[name][0].shape


def test_names():
    for module, known in ((losses, "loss_names"), (metrics, "names")):
        for kind, (own, identifier) in json.loads(str(GOLDEN[known])).items():
            assert getattr(module, kind)().name == own
            for name in {kind, identifier} - {"Accuracy", "accuracy"}:      # which the targets choose
                found = module.get(name)
                assert type(found) is getattr(module, kind)
                assert found.name == (own if module is losses else name)
