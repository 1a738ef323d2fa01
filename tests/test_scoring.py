"""Prediction shared by processes: the bits and the order of `model.predict`, and what a lost worker had is done again."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

import lstmc
from lstmc.distributed import engines, predict
from lstmc.distributed.scoring import Task
from lstmc.layers import LSTM, Dense, Input

pytestmark = pytest.mark.once


class Dying(Task):
    """A task whose first worker is lost at the first partition."""

    def __init__(self, task, path):
        vars(self).update(vars(task))
        self.path = path

    def __call__(self, blob, part):
        try:
            Path(self.path).touch(exist_ok=False)
        except FileExistsError:
            return super().__call__(blob, part)
        os.kill(os.getpid(), signal.SIGKILL)
        return None


def test_processes_give_what_predict_gives_and_a_lost_one_is_replaced(tmp_path, monkeypatch):
    model = lstmc.Sequential([Input((None, 3)), LSTM(4, return_sequences=True), Dense(2)])
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(n, 3)).astype(np.float32) for n in rng.integers(1, 9, 200)]
    expected = model.predict(x, verbose=0)
    run = engines.processes
    lost = tmp_path / "lost"
    monkeypatch.setitem(engines.ENGINES, "processes", lambda task, *more: run(Dying(task, str(lost)), *more))
    found = predict(model, x, workers=2, threads=1, partition=40, verbose=0)
    assert lost.exists()
    assert len(found) == 200
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def test_parts_of_any_engine_come_in_order_and_few_are_under_way(monkeypatch):
    model, most, under_way = lstmc.Sequential([Input((4, 3)), LSTM(4), Dense(1)]), [], []

    def here(task, blob, parts, workers, client):
        def submit(part):
            under_way.append(part)
            most.append(len(under_way))
            return part

        def result(part):
            under_way.pop(0)
            return task(blob, part)

        return engines.in_order(parts, 2 * workers, submit, result)

    monkeypatch.setitem(engines.ENGINES, "ray", here)
    x = np.random.default_rng(0).normal(size=(300, 4, 3))
    whole = predict(model, x, "ray", workers=2, partition=10, batch_size=8, verbose=0)
    np.testing.assert_array_equal(whole, model.predict(x, verbose=0))
    assert len(most) == 19      # of 16 each
    assert max(most) == 4
    parts = predict(model, (x[i:i + 90] for i in range(0, 300, 90)), "ray", workers=1, verbose=0)
    np.testing.assert_array_equal(np.concatenate(list(parts)), whole)
    assert predict(model, x[:0], "ray", verbose=0).shape == (0, 1)
    with pytest.raises(ValueError, match="engine: expected one of processes, dask, ray, spark, received 'threads'"):
        predict(model, x, "threads")
    with pytest.raises(ValueError, match="expected input of shape"):
        predict(model, x[:, :, :2], "ray")


def test_wrong_arguments_are_named():
    model = lstmc.Sequential([Input((4, 3)), LSTM(4)])
    for wrong, received in ((None, "NoneType"), (lstmc.nn.LSTM(3, 4), r"lstmc\.nn\.\S+LSTM"), (lstmc.Sequential, "the class lstmc")):
        with pytest.raises(TypeError, match=rf"model: expected an lstmc\.Sequential or lstmc\.Model, received {received}"):
            predict(wrong, np.zeros((2, 4, 3)))
    for name in ("threads", "workers"):
        with pytest.raises(TypeError, match=f"{name}: expected an int, received str"):
            predict(model, np.zeros((2, 4, 3)), **{name: "2"})
        with pytest.raises(ValueError, match=f"{name}: expected at least 1, received 0"):
            predict(model, np.zeros((2, 4, 3)), **{name: 0})
