"""The fuzzer of stops: training, prediction, sessions and estimators that end in the middle, by Ctrl-C at a random moment, by data that end or
raise, by a callback that stops or raises.

    python tests/fuzz/stops.py --seconds 60 --seed 0
    python tests/fuzz/stops.py --seed 0 --round 123         one round again

After each, the weights are those of a whole number of steps of a run that nobody stopped, bit for bit, the optimizer has counted the same steps,
the model trains on to the same bits, no thread is left and the handler of signals is the caller's.
"""

import argparse
import faulthandler
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1])]

from lstmc import Sequential, callbacks, nn, optimizers  # noqa: E402
from lstmc.layers import GRU, LSTM, Dense, Dropout, Input  # noqa: E402
from lstmc.sklearn import LSTMClassifier  # noqa: E402

N, T, F, BATCH, STEPS = 48, 7, 3, 8, 12      # two epochs of six batches
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((N, T, F), np.float32), RNG.integers(0, 4, N)


class Wrong(Exception):
    """Raised by what a round gives to `fit`."""


def bits(model):
    return b"".join(w.tobytes() for w in model.get_weights())


def build(cell, optimizer):
    model = Sequential([Input((T, F)), cell(9, return_sequences=True, seed=1), Dropout(0.3, seed=2), cell(5, seed=3), Dense(4, "softmax", seed=4)])
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


MODELS = {
    "lstm-adam": lambda: build(LSTM, optimizers.Adam(0.01)),
    "gru-sgd": lambda: build(GRU, optimizers.SGD(0.1, momentum=0.9)),
    "lstm-rmsprop": lambda: build(LSTM, optimizers.RMSprop(0.01, centered=True, clipnorm=1.0)),
}
TRACES = {}     # name -> bits before step 0 and after each


def batches(start=0):
    """Steps from `start` on of the run that nobody stops."""
    for step in range(start, STEPS):
        i = step % (N // BATCH) * BATCH
        yield X[i:i + BATCH], Y[i:i + BATCH]


def trace(name):
    """The bits before the first step and after each, of a run that nobody stops."""
    if name not in TRACES:
        model = MODELS[name]()
        found = [bits(model)]
        for x, y in batches():
            model.train_on_batch(x, y)
            found.append(bits(model))
        TRACES[name] = found
    return TRACES[name]


class Alarm:
    """Ctrl-C after so many seconds, in the middle of whatever runs then."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __enter__(self):
        self.before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, *_):
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.before)


class Indexed:
    """Batches by number, which a thread reads ahead."""

    def __init__(self, raise_at=None):
        self.raise_at = raise_at

    def __len__(self):
        return N // BATCH

    def __getitem__(self, i):
        if i == self.raise_at:
            raise Wrong
        return X[i * BATCH:(i + 1) * BATCH], Y[i * BATCH:(i + 1) * BATCH]


def ending(rng):
    """A generator that ends early, or raises."""
    last, raises = int(rng.integers(0, STEPS)), rng.random() < 0.5
    for step, batch in enumerate(batches()):
        if step == last:
            if raises:
                raise Wrong
            return
        yield batch


def stopper(rng):
    """A callback that stops the training or raises, somewhere."""
    at, where, raises = int(rng.integers(0, STEPS)), rng.choice(["on_train_batch_begin", "on_train_batch_end", "on_epoch_end"]), rng.random() < 0.5
    seen = [0]

    def call(number, logs):
        seen[0] += 1
        if seen[0] > at:
            if raises:
                raise Wrong
            stop.model.stop_training = True

    stop = callbacks.LambdaCallback(**{str(where): call})
    return stop


def fit(rng, model):
    """One way to train for STEPS steps at most, and how it ends."""
    way = rng.choice(["arrays", "generator", "indexed", "callback", "ends"])
    more = {"verbose": int(rng.choice([0, 2])), "epochs": 2}
    if way == "arrays":
        return str(way), lambda: model.fit(X, Y, batch_size=BATCH, shuffle=False, **more)
    if way == "generator":
        return str(way), lambda: model.fit(batches(), steps_per_epoch=N // BATCH, **more)
    if way == "indexed":
        data = Indexed(int(rng.integers(0, 6)) if rng.random() < 0.3 else None)
        return str(way), lambda: model.fit(data, shuffle=False, **more)
    if way == "callback":
        return str(way), lambda: model.fit(X, Y, batch_size=BATCH, shuffle=False, callbacks=[stopper(rng)], **more)
    return str(way), lambda: model.fit(ending(rng), steps_per_epoch=N // BATCH, **more)


def train(rng, seconds):
    """Training that is stopped, and goes on."""
    name = str(rng.choice(list(MODELS)))
    want, model = trace(name), MODELS[name]()
    way, run = fit(rng, model)
    end = stopped(run, seconds)
    found = bits(model)
    assert found in want, f"{name}, {way}, {end}: no whole number of steps"
    step = want.index(found)
    assert (model.step, model.optimizer.iterations) == (step, step), f"{name}, {way}, {end}: {model.step}, {model.optimizer.iterations} and {step}"
    for at, (x, y) in enumerate(batches(step), step + 1):
        model.train_on_batch(x, y)
        assert bits(model) == want[at], f"{name}, {way}, {end}: step {at} after {step}"
    return f"{way}: {end}"


def predict(rng, seconds):
    """A prediction or an evaluation that is stopped leaves nothing."""
    model = MODELS["lstm-adam"]()
    want, before = model.predict(X, verbose=0), bits(model)
    which = str(rng.choice(["predict", "evaluate"]))
    run = (lambda: model.predict(X, batch_size=2, verbose=0)) if which == "predict" else (lambda: model.evaluate(X, Y, batch_size=2, verbose=0))
    end = stopped(run, seconds)
    assert bits(model) == before
    assert model.predict(X, verbose=0).tobytes() == want.tobytes()
    return f"{which}: {end}"


def session(rng, seconds):
    """A session is between two steps, whichever they are."""
    m = nn.LSTM(F, 33, num_layers=2, seed=0)
    x = np.asarray(RNG.standard_normal((400, 1, F)), np.float32)
    s, reference, states = m.session(1), m.session(1), []
    states.append(b"".join(a.tobytes() for a in reference.state))
    for row in x:
        reference.step(row)
        states.append(b"".join(a.tobytes() for a in reference.state))

    def run():
        for row in x:
            s.step(row)

    end = stopped(run if rng.random() < 0.5 else lambda: s.run(x), seconds)
    found = b"".join(a.tobytes() for a in s.state)
    assert found in states, f"session, {end}: between steps"
    at = states.index(found)
    if at < len(x):
        s.step(x[at])
        assert b"".join(a.tobytes() for a in s.state) == states[at + 1]
    return f"session: {end}"


def module(rng, seconds):
    """A call of a module and a backward that are stopped: the module gives the same next time, and so does the tape."""
    m = nn.GRU(F, 17, num_layers=2, dropout=0.2, seed=0)
    x = np.repeat(X.transpose(1, 0, 2), 20, axis=0)
    y, _, tape = m.forward(x)
    dy = np.ones_like(y)
    want = {k: g.tobytes() for k, g in m.backward(tape, dy).params.items()}
    m.step = 0
    _, _, tape = m.forward(x)
    end = stopped(lambda: m.backward(tape, dy), seconds / 3)
    if not tape.used:       # it may also come when all is done, before the caller has it
        assert {k: g.tobytes() for k, g in m.backward(tape, dy).params.items()} == want
    m.step = 0
    assert m.forward(x)[0].tobytes() == y.tobytes()
    return f"module: {end}"


def estimator(rng, seconds):
    """An estimator whose fit is stopped can be fitted again, to the same bits."""
    make = lambda: LSTMClassifier(units=6, max_iter=2, batch_size=8, random_state=0)     # noqa: E731
    if "estimator" not in TRACES:
        TRACES["estimator"] = make().fit(X, Y).predict_proba(X).tobytes()
    e = make()
    end = stopped(lambda: e.fit(X, Y), seconds)
    assert e.fit(X, Y).predict_proba(X).tobytes() == TRACES["estimator"]
    return f"estimator: {end}"


KINDS = {"train": (train, 6), "predict": (predict, 1), "session": (session, 1), "module": (module, 1), "estimator": (estimator, 1)}
TIMES = {}


def stopped(run, part):
    """How a call ended that gets Ctrl-C after this part of the time that such calls take."""
    kind = sys._getframe(1).f_code.co_name
    took, start = TIMES.get(kind, 0.02), time.perf_counter()
    try:
        with Alarm(max(part * took, 1e-6)):
            run()
        end = "done"
    except KeyboardInterrupt:
        end = "Ctrl-C"
    except Wrong:
        end = "Wrong"
    except ValueError as error:
        if "expected at least one batch" not in str(error):
            raise
        end = "nothing given"
    if end == "done":
        TIMES[kind] = 0.8 * took + 0.2 * (time.perf_counter() - start)
    return end


def one(seed, number):
    rng = np.random.default_rng((seed, number))
    kinds = [k for k, (_, times) in KINDS.items() for _ in range(times)]
    kind, part = str(rng.choice(kinds)), float(rng.random() * 1.5)
    before, threads = signal.getsignal(signal.SIGINT), set(threading.enumerate())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = KINDS[kind][0](rng, part)
    assert signal.getsignal(signal.SIGINT) is before, "another handler"
    end = time.monotonic() + 5
    while time.monotonic() < end and set(threading.enumerate()) - threads:      # which end by themselves
        time.sleep(0.01)
    left = [t.name for t in threading.enumerate() if t not in threads]
    assert not left, f"threads left: {left}"
    return found


def unraisable(found):
    """Python loses a Ctrl-C that comes in the middle of a destructor or of a weak reference's end; nothing else may be lost."""
    if not issubclass(found.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(found)
        os._exit(1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=10**9, help="at most so many")
    parser.add_argument("--round", type=int, help="this round alone")
    given = parser.parse_args()
    faulthandler.enable()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.unraisablehook = unraisable
    for name in MODELS:
        trace(name)
    counts, number, end = {}, given.round or 0, time.monotonic() + given.seconds
    last = number + (given.rounds if given.round is None else 1)
    while number < last and time.monotonic() < end:
        try:
            found = one(given.seed, number)
        except BaseException:
            print(f"seed {given.seed}, round {number}", file=sys.stderr, flush=True)
            raise
        counts[found] = counts.get(found, 0) + 1
        number += 1
    for found in sorted(counts):
        print(f"{counts[found]:6}  {found}")


if __name__ == "__main__":
    main()
