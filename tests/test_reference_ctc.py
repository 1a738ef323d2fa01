"""The reference of CTC: proven by all paths one by one, by central differences, and by the numbers of PyTorch and Keras."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from lstmc.reference.ctc import ctc

pytestmark = pytest.mark.reference

GOLDEN = Path(__file__).parent / "golden"


def said(path, blank):
    """The labels of a path."""
    return tuple(c for c, _ in itertools.groupby(path) if c != blank)


def probabilities(x, blank):
    """labels -> probability, the sum over all paths."""
    y, found = np.exp(x) / np.exp(x).sum(1, keepdims=True), {}
    for path in itertools.product(range(x.shape[1]), repeat=len(x)):
        key = said(path, blank)
        found[key] = found.get(key, 0.0) + np.prod([y[t, c] for t, c in enumerate(path)])
    return found


@pytest.mark.parametrize(("T", "C", "blank"), [(1, 2, 0), (2, 3, 2), (4, 3, 0), (5, 3, 1), (6, 2, 1), (3, 4, 0), (4, 4, 3)])
def test_the_loss_is_the_sum_over_all_paths(T, C, blank):
    x = 2 * np.random.default_rng(T).standard_normal((T, C))
    want = probabilities(x, blank)
    letters = [c for c in range(C) if c != blank]
    for labels in itertools.chain.from_iterable(itertools.product(letters, repeat=n) for n in range(T + 2)):
        loss, dx = ctc(x, labels, blank)
        if labels in want:
            assert loss == pytest.approx(-np.log(want[labels]), abs=1e-12)
            assert np.abs(dx.sum(1)).max() < 1e-12
        else:
            assert loss == np.inf
            assert not dx.any()


@pytest.mark.parametrize("labels", [(), (1,), (1, 1), (2, 1, 2), (2, 2, 1), (3, 3, 3)], ids=str)
def test_gradients_by_central_differences(labels):
    x = np.random.default_rng(len(labels)).standard_normal((7, 4))
    dx = ctc(x, labels)[1]
    for at in np.ndindex(x.shape):
        ends = []
        for step in (1e-5, -1e-5):
            moved = x.copy()
            moved[at] += step
            ends.append(ctc(moved, labels)[0])
        assert dx[at] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8)


def test_without_frames():
    assert ctc(np.zeros((0, 3)), ())[0] == 0
    assert ctc(np.zeros((0, 3)), (1,))[0] == np.inf


@pytest.mark.parametrize(("which", "tolerance"), [("torch", 1e-13), ("keras", 1e-6)])
@pytest.mark.parametrize("blank", [0, 4, 2])
def test_the_numbers_of_others(which, tolerance, blank):
    """The last sequence cannot be said: its loss is infinite in PyTorch, and some large number in Keras."""
    file = np.load(GOLDEN / f"ctc_{which}.npz")
    for b, (x, y, n) in enumerate(zip(file["x"], file["y"], file["frames"], strict=True)):
        loss, dx = ctc(x[:n], y[y >= 0], blank)
        if b == len(file["x"]) - 1:
            assert loss == np.inf
            assert file[f"loss{blank}"][b] == np.inf if which == "torch" else file[f"loss{blank}"][b] > 1e5
        else:
            assert loss == pytest.approx(file[f"loss{blank}"][b], rel=tolerance)
            assert np.abs(dx - file[f"dx{blank}"][b, :n]).max() < tolerance
            assert not file[f"dx{blank}"][b, n:].any()
