"""Files of graphs with the progress of a `fit`: settings changed at random are refused as FormatError, or load; nothing else happens, and at once."""

import json
import random

import numpy as np
import pytest

import lstmc
from bad_files import joined, parts
from lstmc import callbacks
from lstmc.training import saving
from test_graph import LABELS, VALUES, A, B, branched, compiled

pytestmark = pytest.mark.once
ODD = (None, True, -1, 0, 1, 2**63, 10**40, 1.5, "", "a", [], {}, [None], [[1]], [0, 0, 0], {"tensor": "x"}, {"class": "LSTM", "config": {}}, "LSTM",
       float("nan"), [1] * 50, 2**31)


class Keep(callbacks.Callback):
    """Saves with the progress after the second batch."""

    def __init__(self, path):
        self.path = path

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            saving.save(self.model, self.path, self.model._fitting.progress())


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "m.safetensors"
    model = compiled(branched("float32", 0.2), metrics=[["accuracy"], ["mae"]])
    model.fit([A, B], [LABELS, VALUES], batch_size=2, verbose=0, epochs=2,
              callbacks=[Keep(path), callbacks.EarlyStopping("loss", restore_best_weights=True)])
    return path.read_bytes()


def paths(tree, path=()):
    """Where anything is in JSON types."""
    yield path
    for key in tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ():
        yield from paths(tree[key], (*path, key))


def at(tree, path):
    for key in path:
        tree = tree[key]
    return tree


def changed(header, everywhere, rng):
    """The header with one to three places changed: an odd value, nothing, or what is elsewhere."""
    found = json.loads(json.dumps(header))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        *path, key = rng.choice(everywhere)
        try:
            inside = at(found, path)
            if rng.random() < 0.2:
                del inside[key]
            else:
                inside[key] = rng.choice(ODD) if rng.random() < 0.75 else at(header, rng.choice(everywhere))
        except (KeyError, IndexError, TypeError):      # an earlier change has taken it away
            continue
    return found


def test_changed_settings(good, tmp_path):
    path, rng = tmp_path / "m.safetensors", random.Random(0)
    table, header, data = parts(good)
    path.write_bytes(joined(table, header, data))
    lstmc.load(path)
    everywhere, refused = [p for p in paths(header) if p], 0
    for _ in range(1500):
        path.write_bytes(joined(table, changed(header, everywhere, rng), data))
        try:
            assert type(lstmc.load(path)) is lstmc.Model
        except lstmc.FormatError:
            refused += 1
    assert refused > 1000       # the others changed a name, or the progress, which `load` leaves alone


def test_progress_is_read_as_it_was_written(good, tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(good)
    _, progress = lstmc.training.reading.load_progress(path)
    assert (progress["epoch"], progress["done"], progress["at"]) == (1, 2, 2)
    (kind, state), *_ = [c for c in progress["callbacks"] if c[0] == "EarlyStopping"]
    assert kind == "EarlyStopping"
    assert all(isinstance(w, np.ndarray) for w in state["best_weights"])
    assert progress["history"]["epoch"] == [0]


def test_changed_progress_is_refused_where_it_is_used(good, tmp_path):
    path, rng = tmp_path / "backup.safetensors", random.Random(1)
    table, header, data = parts(good)
    everywhere, refused = [("progress", *p) for p in paths(header["progress"]) if p], 0

    class Stop(callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            raise InterruptedError

    Stop.__name__, Keep.get_state = "Keep", lambda self: {}
    for _ in range(200):
        path.write_bytes(joined(table, changed(header, everywhere, rng), data))
        model = compiled(branched("float32", 0.2), metrics=[["accuracy"], ["mae"]])
        try:
            model.fit([A, B], [LABELS, VALUES], batch_size=2, verbose=0, epochs=2, callbacks=[
                callbacks.BackupAndRestore(tmp_path), Stop(), callbacks.EarlyStopping("loss", restore_best_weights=True)])
        except (lstmc.FormatError, ValueError):
            refused += 1
        except InterruptedError:        # it went on
            continue
    assert refused > 100
