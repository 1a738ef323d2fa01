"""Prediction shared by processes: the bits and the order of `model.predict`, and what a lost worker had is done again."""

import concurrent.futures
import functools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import lstmc
from lstmc.distributed import Processes, engines, parts, predict, scoring
from lstmc.distributed.ordered import in_order
from lstmc.distributed.processes import remove
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


def same(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def dying(run, path):
    return lambda task, *more: run(Dying(task, str(path)), *more)


def test_processes_serve_calls_and_a_lost_one_is_replaced(tmp_path, monkeypatch):
    """Large parts and outputs pass through files; two models; functions as parts; an error; a lost worker; closed, nothing is left."""
    lstmc.utils.set_random_seed(0)
    model = lstmc.Sequential([Input((None, 300)), LSTM(50, return_sequences=True), Dense(40)])
    other = lstmc.Sequential([Input((4, 3)), LSTM(4)])
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(n, 300)) for n in rng.integers(1, 30, 200)]
    expected = model.predict(x, verbose=0)
    with Processes(2, 1) as engine:
        found = predict(model, x, engine, partition=64, verbose=0)
        same(found, expected)
        found[0][:] = 0         # one's own
        part = functools.partial(np.ones, (40, 4, 3), np.float32)
        for y in predict(other, [part, part].__iter__(), engine, verbose=0):
            np.testing.assert_array_equal(y, other.predict(part(), verbose=0))
        with pytest.raises(ValueError, match="expected input of shape"):
            list(predict(other, iter([np.ones((40, 4, 2), np.float32)]), engine, verbose=0))
        lost = tmp_path / "lost"
        monkeypatch.setattr(engine, "_run", dying(engine._run, lost))
        same(predict(model, x, engine, partition=64, verbose=0), expected)
        assert lost.exists()
        folder = Path(engine._folder)
        assert [p for p in folder.iterdir() if p.is_dir()] == []
        parent = os.getpid()
        if (child := os.fork() if hasattr(os, "fork") else 1) == 0:
            remove(str(folder), parent)     # as at the child's end
            os._exit(0 if folder.exists() else 1)
        assert child == 1 or os.waitpid(child, 0)[1] == 0
    assert not folder.exists()


PROGRAM = """
import os, sys, time
import numpy as np
import lstmc
from lstmc.distributed import Processes, predict
from lstmc.layers import LSTM, Input

if __name__ == "__main__":
    engine = Processes(1, 1)
    model = lstmc.Sequential([Input((4, 3)), LSTM(4)])
    predict(model, np.ones((40, 4, 3)), engine, verbose=0)
    print(engine._folder, *engine._pool._processes, flush=True)
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("end", ["closed by no one", "killed"])
def test_workers_and_files_end_with_the_program(end, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run([sys.executable, str(path), end], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == (0 if end != "killed" else -signal.SIGKILL), done.stderr
    assert end == "killed" or not done.stderr
    folder, worker = done.stdout.split()
    limit = time.monotonic() + 30
    while Path(folder).exists() or running(int(worker)):
        assert time.monotonic() < limit
        time.sleep(0.01)


def running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"      # one that no one waits for is gone


class Here(concurrent.futures.Executor):
    """Runs what it gets, in two workers in turn, each of which keeps its own model."""

    def __init__(self, monkeypatch):
        self.monkeypatch, self.kept, self.blobs = monkeypatch, ({}, {}), []

    def submit(self, task, blob, part):
        self.blobs.append(blob)
        self.monkeypatch.setattr(scoring, "_kept", self.kept[len(self.blobs) % 2])
        future = concurrent.futures.Future()
        future.set_result(task(blob, part))
        return future


def test_any_executor_of_processes_is_an_engine(monkeypatch):
    model = lstmc.Sequential([Input((4, 3)), LSTM(4), Dense(1)])
    x = np.random.default_rng(0).normal(size=(100, 4, 3)).astype(np.float32)
    engine = Here(monkeypatch)
    np.testing.assert_array_equal(predict(model, x, engine, workers=1, partition=32, verbose=0), model.predict(x, verbose=0))
    assert [b is None for b in engine.blobs] == [False, False, True, True]
    engine.kept[0].clear()      # a worker that is new, or has another model
    np.testing.assert_array_equal(predict(model, x, engine, workers=1, partition=16, batch_size=16, verbose=0), model.predict(x, verbose=0))
    with concurrent.futures.ThreadPoolExecutor(1) as threads, pytest.raises(TypeError, match="engine: expected workers that are processes"):
        predict(model, x, threads)
    with pytest.raises(TypeError, match=r"engine: expected one of processes, dask, .* received int"):
        predict(model, x, 3)


def test_a_model_of_several_outputs_gives_what_predict_gives(monkeypatch):
    x = lstmc.Input((4, 3))
    h = LSTM(4, return_sequences=True)(x)
    model = lstmc.Model(x, {"a": Dense(1)(h), "b": LSTM(2)(h)})
    data = np.random.default_rng(0).normal(size=(70, 4, 3)).astype(np.float32)
    found, expected = predict(model, data, Here(monkeypatch), partition=32, verbose=0), model.predict(data, verbose=0)
    assert set(found) == set(expected) == {"a", "b"}
    for name, y in expected.items():
        np.testing.assert_array_equal(found[name], y)


def test_where_files_have_no_room_parts_travel_themselves(tmp_path):
    part = np.ones((300, 300))
    path = str(tmp_path / "part")
    there = parts.stowed([part, parts.Packed(part, np.array([300])), np.ones(3)], path)
    assert [type(a) for a in there] == [parts.Mapped, parts.Packed, np.ndarray]
    back = parts.brought(there, copy=True)
    np.testing.assert_array_equal(back[0], part)
    np.testing.assert_array_equal(back[1].values, part)
    assert parts.stowed(part, str(tmp_path / "none" / "part")) is part


def test_parts_of_any_engine_come_in_order_and_few_are_under_way(monkeypatch):
    model, most, under_way = lstmc.Sequential([Input((4, 3)), LSTM(4), Dense(1)]), [], []

    def one(task, blob, parts, workers, here):
        def submit(part):
            under_way.append(part)
            most.append(len(under_way))
            return part

        def result(part):
            under_way.pop(0)
            return task(blob, part)

        return in_order(parts, 2 * workers, submit, result)

    monkeypatch.setitem(engines.ENGINES, "ray", one)
    x = np.random.default_rng(0).normal(size=(300, 4, 3))
    whole = predict(model, x, "ray", workers=2, partition=10, batch_size=8, verbose=0)
    np.testing.assert_array_equal(whole, model.predict(x, verbose=0))
    assert len(most) == 19      # of 16 each
    assert max(most) == 4
    several = predict(model, (x[i:i + 90] for i in range(0, 300, 90)), "ray", workers=1, verbose=0)
    np.testing.assert_array_equal(np.concatenate(list(several)), whole)
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
