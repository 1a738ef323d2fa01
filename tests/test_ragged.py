"""Lists of sequences, memory maps and batches that are indexed: what `fit`, `evaluate` and `predict` take beside arrays."""

import threading

import numpy as np
import pytest

import lstmc
from lstmc import Sequential, utils
from lstmc.layers import GRU, LSTM, Bidirectional, Dense, Embedding, Input, Masking
from lstmc.training.batches import ahead
from recipes import bits

pytestmark = pytest.mark.once
RNG = np.random.default_rng(8)
LENGTHS = [3, 7, 1, 4, 4, 6, 2, 5, 7]
LIST = [RNG.normal(size=(n, 3)).astype(np.float32) + 2 for n in LENGTHS]
PADDED = np.zeros((9, 7, 3), np.float32)
for row, part in zip(PADDED, LIST, strict=True):
    row[:len(part)] = part
LABELS = np.arange(9) % 3
STEPS = [RNG.integers(0, 3, n) for n in LENGTHS]
ALL_STEPS = np.zeros((9, 7), int)
for row, part in zip(ALL_STEPS, STEPS, strict=True):
    row[:len(part)] = part
SPARSE = "sparse_categorical_crossentropy"


def model(masked, sequences=False):
    layers = [Masking()] if masked else []
    found = Sequential([Input((None, 3)), *layers, Bidirectional(LSTM(5, seed=1, return_sequences=True)), GRU(4, seed=2, return_sequences=sequences),
                        Dense(3, "softmax", seed=3)])
    found.compile("adam", SPARSE, metrics=["accuracy"])
    found.shuffle_seed = 4
    return found


@pytest.mark.parametrize("sequences", [False, True])
def test_lists_train_as_padded_and_masked_arrays(sequences):
    y, whole = (STEPS, ALL_STEPS) if sequences else (LABELS, LABELS)
    weights = np.arange(9) / 4
    one, two = model(False, sequences), model(True, sequences)
    arguments = {"epochs": 3, "batch_size": 4, "verbose": 0, "sample_weight": weights}
    got = one.fit(LIST, y, validation_data=(LIST[:4], y[:4]), **arguments).history
    want = two.fit(PADDED, whole, validation_data=(PADDED[:4], whole[:4]), **arguments).history
    if sequences:       # the mean of a batch is over its steps, whose number padding changes: sample weights are means over other numbers
        assert got.keys() == want.keys()
    else:
        assert got == want
        assert bits(one) == bits(two)
        assert one.evaluate(LIST, y, 4, verbose=0) == one.evaluate(LIST, y, 4, verbose=0)
    p = one.predict(LIST, batch_size=4, verbose=0)
    alone = [one.predict(x[None], verbose=0)[0] for x in LIST]
    assert isinstance(p, list) == sequences
    assert all(a.tobytes() == b.tobytes() for a, b in zip(p, alone, strict=True))


def test_steps_of_lists_without_weights_are_those_of_masks():
    one, two = model(False, True), model(True, True)
    got = one.fit(LIST, STEPS, epochs=2, batch_size=9, shuffle=False, verbose=0).history
    want = two.fit(PADDED, ALL_STEPS, epochs=2, batch_size=9, shuffle=False, verbose=0).history
    assert got == want
    assert bits(one) == bits(two)
    split = one.fit(LIST, STEPS, validation_split=0.4, verbose=0).history
    assert set(split) == {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_lists_of_numbers():
    texts = [[1, 2, 3], [4], [5, 5, 0, 1]]
    layers = [Embedding(6, 4, seed=1), LSTM(3, seed=2), Dense(1, seed=3)]
    found = Sequential(layers)
    p = found.predict(texts, verbose=0)
    assert all(a.tobytes() == found.predict(np.array([t]), verbose=0)[0].tobytes() for a, t in zip(p, texts, strict=True))
    objects = np.empty(3, object)
    objects[:] = texts
    assert found.predict(objects, verbose=0).tobytes() == p.tobytes()
    found.compile("sgd", "mse")
    found.fit(texts, [1.0, 2.0, 3.0], verbose=0)
    assert found.train_on_batch(texts, [1.0, 2.0, 3.0]) > found.test_on_batch(texts, [1.0, 2.0, 3.0])
    assert np.array_equal(found(texts), found.predict_on_batch(texts))


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda m: m.fit(LIST, STEPS[::-1]), ValueError, r"y\[0\]: expected 3 steps, as x\[0\] has, received 7"),
    (lambda m: m.fit(PADDED, STEPS), ValueError, "y: expected an array where x is one"),
    (lambda m: m.fit(LIST, STEPS[:4]), ValueError, "y: expected 9 entries"),
    (lambda m: m.fit(LIST, [s + 1 for s in STEPS]), ValueError, r"y\[\d\]: expected labels from 0 to 2"),
    (lambda m: m.fit([x[:, :2] for x in LIST], STEPS), ValueError, r"input_layer: expected input of shape \(batch, any, 3\), received \(9, None, 2\)"),
    (lambda m: m.fit([*LIST[:3], LIST[0][:, :2]], STEPS[:4]), ValueError, r"x\[3\]: expected a sequence of entries of shape \(3,\)"),
    (lambda m: m.fit([*LIST[:3], np.array(["a", "b"])], STEPS[:4]), TypeError, r"x\[3\]: expected real numbers"),
    (lambda m: m.fit(LIST, STEPS, class_weight={0: 1}), ValueError, "class_weight: expected one label per sample, received sequences"),
    (lambda m: m.fit(LIST, STEPS, sample_weight=np.ones((9, 7))), ValueError, r"sample_weight: .* a list of sequences as x is one, received shape \(9, 7\)"),
])  # fmt: skip
def test_wrong_lists(call, error, message):
    with pytest.raises(error, match=message):
        call(model(False, True))


def test_weights_of_steps():
    found = model(False, True)
    plain = found.evaluate(LIST, STEPS, verbose=0)
    assert found.evaluate(LIST, STEPS, sample_weight=[np.ones(n) for n in LENGTHS], verbose=0)[0] == pytest.approx(plain[0], rel=1e-12)
    assert found.evaluate(LIST, STEPS, sample_weight=[np.full(n, 2) for n in LENGTHS], verbose=0)[0] == pytest.approx(2 * plain[0], rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
def test_memory_maps_are_cast_batch_by_batch(dtype, tmp_path):
    values = (PADDED * 10).astype(dtype)
    stored = np.memmap(tmp_path / "x", dtype, "w+", shape=values.shape)
    stored[:] = values
    largest = []
    one, two = model(True), model(True)
    forward = one.layers[0].forward
    one.layers[0].forward = lambda x, *more: (largest.append(x.shape[0]), forward(x, *more))[1]
    a = one.fit(stored, LABELS, epochs=2, batch_size=2, validation_split=0.3, verbose=0).history
    assert max(largest) == 2
    assert a == two.fit(values, LABELS, epochs=2, batch_size=2, validation_split=0.3, verbose=0).history
    assert one.predict(stored, verbose=0).tobytes() == two.predict(values, verbose=0).tobytes()


class Indexed:
    """Batches of three, by number."""

    def __init__(self):
        self.threads, self.ends = set(), 0

    def __len__(self):
        return 3

    def __getitem__(self, n):
        if n >= 3:
            raise IndexError
        self.threads.add(threading.current_thread())
        return PADDED[3 * n:3 * n + 3], LABELS[3 * n:3 * n + 3]

    def on_epoch_end(self):
        self.ends += 1


def test_indexed_batches_are_read_ahead_and_shuffled():
    one, two, source = model(True), model(True), Indexed()
    a = one.fit(source, epochs=3, shuffle=False, validation_data=Indexed(), verbose=0).history
    assert a == two.fit(PADDED, LABELS, batch_size=3, epochs=3, shuffle=False, validation_data=(PADDED, LABELS), validation_batch_size=3, verbose=0).history
    assert bits(one) == bits(two)
    assert source.ends == 3
    assert threading.current_thread() not in source.threads
    assert not any(t.is_alive() for t in source.threads)
    three, four = model(True), model(True)
    orders = [m.fit(Indexed(), epochs=4, verbose=0).history for m in (three, four)]
    assert orders[0] == orders[1]
    assert bits(three) == bits(four) != bits(one)
    assert one.predict(Indexed(), verbose=0).tobytes() == one.predict(PADDED, verbose=0).tobytes()
    assert one.evaluate(Indexed(), steps=2, verbose=0) == one.evaluate(PADDED[:6], LABELS[:6], batch_size=3, verbose=0)


def test_errors_of_a_reader_come_where_its_item_would():
    def items():
        yield 1
        yield 2
        raise OSError("disk")

    reader = ahead(items())
    assert [next(reader), next(reader)] == [1, 2]
    with pytest.raises(OSError, match="disk"):
        next(reader)
    before = threading.active_count()
    endless = ahead(iter(int, 1))
    assert next(endless) == 0
    endless.close()
    assert threading.active_count() == before


def test_the_thread_that_reads_ahead_ends_with_the_call():
    class Fails(lstmc.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            raise OSError("disk")

        on_predict_batch_end = on_test_batch_end

    found, before, fails = model(True), threading.active_count(), [Fails()]
    found.predict(Indexed(), steps=1, verbose=0)
    assert threading.active_count() == before
    for call in (lambda: found.predict(Indexed(), verbose=0, callbacks=fails), lambda: found.evaluate(Indexed(), verbose=0, callbacks=fails),
                 lambda: found.fit(PADDED, LABELS, verbose=0, validation_data=Indexed(), callbacks=fails)):
        with pytest.raises(OSError, match="disk") as kept:        # as a notebook keeps the last one
            call()
        assert threading.active_count() == before, kept
    reading = found._given(Indexed(), None, None, None)
    next(reading.epoch(None))
    del reading         # by who forgets to close it
    assert threading.active_count() == before


def test_steps_of_evaluation_validation_and_prediction():
    found = model(True)
    assert found.evaluate(PADDED, LABELS, batch_size=2, steps=2, verbose=0) == found.evaluate(PADDED[:4], LABELS[:4], batch_size=2, verbose=0)
    assert found.evaluate(PADDED, LABELS, steps=3, verbose=0) == found.evaluate(PADDED, LABELS, batch_size=3, verbose=0)
    assert found.predict(PADDED, batch_size=2, steps=3, verbose=0).shape == (6, 3)
    history = found.fit(PADDED, LABELS, epochs=4, validation_data=(PADDED, LABELS), validation_steps=1, validation_batch_size=4, validation_freq=[2, 4],
                        verbose=0).history
    assert len(history["val_loss"]) == 2
    assert history["val_loss"][-1] == found.evaluate(PADDED[:4], LABELS[:4], verbose=0)[0]


def test_windows_of_a_series_in_fit():
    series = np.sin(np.arange(60) / 3).astype(np.float32)
    windows = utils.timeseries_dataset_from_array(series[:-5, None], series[5:], 5, batch_size=8)
    found = Sequential([Input((5, 1)), LSTM(4, seed=1), Dense(1, seed=2)])
    found.compile(lstmc.optimizers.Adam(0.01), "mse")
    history = found.fit(windows, epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
