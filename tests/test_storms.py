"""Storms: many threads at whatever they can share, and forks in the middle of it. Nobody gets another's numbers, nothing hangs.

What one meeting of threads does is in test_races.py and test_forks.py; here chance brings them about, some thousands of times. How often is
not what a test depends on: whatever happens, all that comes out must be right.
"""

import os
import sys
import threading

import numpy as np
import pytest

from conftest import assert_same_bits, named
from lstmc import layers, nn
from lstmc.training import Sequential, set_random_seed
from processes import printed
from test_forks import PREPARE

X = np.random.default_rng(0).standard_normal((5, 3, 4), dtype=np.float32)
MODULES = (lambda: nn.LSTM(4, 9, 2, bidirectional=True, dropout=0.3, seed=1), lambda: nn.GRU(4, 17, seed=2), lambda: nn.RNN(4, 8, 3, seed=3),
           lambda: nn.LSTM(4, 16, proj_size=3, peephole=True, zoneout=0.1, seed=4))


@pytest.fixture
def quick_switches():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Storm:
    """Threads that work until those that count their rounds are through; what any of them raises is raised here."""

    def __init__(self):
        self.over, self.errors, self.threads = threading.Event(), [], []

    def start(self, work, rounds=None):
        """rounds None: until the others are through."""
        def run():
            try:
                n = 0
                while not self.over.is_set() and n != rounds:
                    work(n)
                    n += 1
            except BaseException as error:
                self.errors.append(error)
                self.over.set()

        self.threads.append((threading.Thread(target=run), rounds))

    def run(self):
        for thread, _ in self.threads:
            thread.start()
        for thread, rounds in sorted(self.threads, key=lambda t: t[1] is None):
            if rounds is None:
                self.over.set()
            thread.join(100)
            assert not thread.is_alive()
        for error in self.errors:
            raise error


def trainable():
    set_random_seed(7)
    model = Sequential([layers.Input((None, 4)), layers.LSTM(6, return_sequences=True), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.build()
    return model


def trained(m, steps, threads=None):
    """Bits of so many training calls."""
    found = []
    for _ in range(steps):
        y, state, tape = m.forward(X, threads=threads)
        found.append(b"".join(a.tobytes() for a in named(y, state, m.backward(tape, y, threads=threads)).values()))
    return found


def test_threads(quick_switches):
    storm = Storm()

    # Innocents: modules and sessions of their own.
    for make in MODULES:
        want = trained(make(), 3)

        def innocent(n, make=make, want=want):
            m = make()
            assert trained(m, 3, 1 + n % 2) == want
            if m.num_directions == 1:
                s = m.session(3)
                y = np.stack([s.step(x) for x in X])
                assert_same_bits(y, m(X)[0])

        storm.start(innocent, 40)

    # Tapes that three threads want: each serves one.
    m, tapes, lock = nn.LSTM(4, 9, seed=5), [], threading.Lock()
    y, state, tape = m.forward(X)
    want = named(y, state, m.backward(tape, y))
    served, refusals = {}, set()

    def fight(n):
        with lock:
            if n % 3 == 0 or not tapes:
                tapes.append(m.forward(X))
            mine = tapes[-1]
        try:
            g = m.backward(mine[2], mine[0])
        except ValueError as error:
            refusals.add(str(error))
            return
        assert_same_bits(named(mine[0], mine[1], g), want)
        with lock:
            served[id(mine)] = served.get(id(mine), 0) + 1

    # A session that all want.
    shared, x = m.session(1), X[0, :1]
    steps = []

    def step(n):
        try:
            if n % 50 == 49:
                shared.fork().run(X[:, :1])
            else:
                steps.append(shared.step(x).tobytes())
        except RuntimeError as error:
            refusals.add(str(error))

    # Layers that nobody has built yet, one after the other.
    unbuilt = [layers.Dense(4), layers.LSTM(4), layers.Bidirectional(layers.LSTM(4))]

    def build(n):
        with lock:
            if n % 4 == 0:
                unbuilt[n % 3] = (layers.Dense(4), layers.LSTM(4), layers.Bidirectional(layers.LSTM(4)))[n % 3]
            layer = unbuilt[n % 3]
        assert_same_bits(layer(X), layer(X))

    # Weights that some write while others compute with them, always the same values: lent, noticed, never torn.
    written = nn.GRU(4, 17, seed=6)
    values, before = {name: w.copy() for name, w in written.state_dict().items()}, written(X)[0]

    def write(n):
        written.load_state_dict(values)
        for name, w in written.state_dict().items():
            w[...] = values[name]
        assert_same_bits(written(X)[0], before)

    # A model that all want to train: every step that is taken is the next of one who trains alone.
    losses, refused = {}, "train_on_batch: expected a model that one thread at a time trains or evaluates, received one in another thread's call"

    def fit(n):
        try:
            loss = model.train_on_batch(X, X[..., :2])
        except RuntimeError as error:
            refusals.add(str(error))
            return
        with lock:
            losses[loss] = losses.get(loss, 0) + 1

    model, single = trainable(), trainable()

    for work in (fight, step, build, write, fit):
        for _ in range(2):
            storm.start(work)
    storm.run()
    assert max(served.values()) == 1
    assert refusals <= {refused, "tape: expected a tape that has not been used, received one that has served its backward",
                        "session: expected one call at a time, received one while another thread's is in it"}
    want = {}
    for _ in range(sum(losses.values())):
        loss = single.train_on_batch(X, X[..., :2])
        want[loss] = want.get(loss, 0) + 1
    assert losses == want
    alone = m.session(1)
    assert sorted(steps) == sorted(alone.step(x).tobytes() for _ in range(len(steps)))


if hasattr(os, "fork"):

    def test_forks():
        """Forks while others build, save, load, draw seeds and compute: every child does all of that and ends."""
        assert printed(PREPARE + """
    import itertools, tempfile
    from pathlib import Path
    from lstmc.layers import LSTM, Bidirectional, Dense, Dropout, Input
    from lstmc.seeds import next_seed
    from lstmc.training import Sequential
    folder = tempfile.TemporaryDirectory()
    numbers = itertools.count()

    def model():
        made = Sequential([Input((None, 8)), Bidirectional(LSTM(24, return_sequences=True)), Dropout(0.2), Dense(4)])
        made.compile("adam", "mse")
        made.build()
        return made

    def saves():
        path = Path(folder.name) / f"{next(numbers)}-{os.getpid()}.safetensors"
        made = model()
        made.save(path)
        again = lstmc.load(path)
        path.unlink()
        return again.predict(x, verbose=0).tobytes() == made.predict(x, verbose=0).tobytes()

    def all_of_it():
        return saves() and next_seed() >= 0 and results() == want and lstmc.load(fixed).predict(x, verbose=0).tobytes() == predicted

    made = model()
    fixed = Path(folder.name) / "fixed.safetensors"
    made.save(fixed)
    predicted = made.predict(x, verbose=0).tobytes()
    sys.setswitchinterval(1e-5)
    over, errors = False, []

    def go_on(work):
        try:
            while not over:
                assert work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=go_on, args=(work,)) for work in (saves, lambda: model() is not None, lambda: results() == want,
                                                                         lambda: lstmc.load(fixed) is not None, lambda: next_seed() >= 0)]
    for t in threads:
        t.start()
    ended = [in_child(all_of_it) for _ in range(25)]
    over = True
    for t in threads:
        t.join()
    assert all(ended), ended
    assert not errors, errors
    print("done")
    """, 300) == "done"
