"""utils: Keras' paddings, one-hot vectors and windows, and training on batches from an iterable."""

import inspect

import numpy as np
import pytest

from lstmc import optimizers, utils
from lstmc.callbacks import LambdaCallback
from lstmc.layers import LSTM, Dense, Input, RepeatVector, UpSampling1D
from lstmc.training import Sequential
from recipes import LABELS, X, bits, build

RAGGED = [[1, 2, 3, 4], [], [5], (6, 7)]


@pytest.mark.parametrize(("arguments", "expected"), [
    ({}, [[1, 2, 3, 4], [0, 0, 0, 0], [0, 0, 0, 5], [0, 0, 6, 7]]),
    ({"maxlen": 2}, [[3, 4], [0, 0], [0, 5], [6, 7]]),
    ({"maxlen": 2, "truncating": "post"}, [[1, 2], [0, 0], [0, 5], [6, 7]]),
    ({"maxlen": 3, "padding": "post", "value": -1}, [[2, 3, 4], [-1, -1, -1], [5, -1, -1], [6, 7, -1]]),
    ({"maxlen": 0}, np.zeros((4, 0))),
])  # fmt: skip
def test_pad_sequences(arguments, expected):
    y = utils.pad_sequences(RAGGED, **arguments)
    assert y.dtype == np.int32
    assert np.array_equal(y, expected)


def test_pad_sequences_says_when_it_cuts():
    for call in (lambda: utils.pad_sequences([[1], [2, 0.7]]), lambda: utils.pad_sequences([[1], [2, 3]], value=0.5)):
        with pytest.warns(UserWarning, match=r'(sequences\[1\]: numbers are|value: 0.5 is) cut to dtype int32, as in Keras; pass dtype="float32"'):
            assert call().tolist()[0] == [0, 1]
    assert utils.pad_sequences([[1.0], [2, 3]]).tolist() == [[0, 1], [2, 3]]


def test_pad_sequences_of_vectors_and_of_words():
    y = utils.pad_sequences([np.ones((2, 3)), np.ones((1, 3)) / 2], dtype="float32")
    assert y.shape == (2, 2, 3)
    assert np.array_equal(y[1], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert utils.pad_sequences([["a", "b"], ["c"]], dtype=object, value="-").tolist() == [["a", "b"], ["-", "c"]]
    assert utils.pad_sequences([]).shape == (0, 0)
    with pytest.raises(ValueError, match=r"sequences\[1\]: expected entries of shape \(3,\), received \(2,\)"):
        utils.pad_sequences([np.ones((2, 3)), np.ones((2, 2))])


def test_to_categorical():
    assert np.array_equal(utils.to_categorical([0, 2, 1]), np.eye(3)[[0, 2, 1]])
    assert utils.to_categorical([[1], [0]], 4).shape == (2, 4)
    assert utils.to_categorical(np.zeros((2, 3)), 2).shape == (2, 3, 2)
    assert utils.to_categorical(1).tolist() == [0, 1]
    assert utils.to_categorical([1]).dtype == np.float64
    with pytest.raises(ValueError, match="x: expected labels from 0 to 1, received 2"):
        utils.to_categorical([0, 2], 2)
    with pytest.raises(TypeError, match="x: expected whole numbers"):
        utils.to_categorical([0.5])


@pytest.mark.parametrize(("arguments", "first", "targets"), [
    ({"sequence_length": 3}, [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [4, 5, 6], [5, 6, 7], [6, 7, 8], [7, 8, 9]], range(8)),
    ({"sequence_length": 3, "sequence_stride": 3}, [[0, 1, 2], [3, 4, 5], [6, 7, 8]], [0, 3, 6]),
    ({"sequence_length": 3, "sampling_rate": 2, "start_index": 1, "end_index": 8}, [[1, 3, 5], [2, 4, 6], [3, 5, 7]], [1, 2, 3]),
])  # fmt: skip
def test_windows(arguments, first, targets):
    data = np.arange(10)
    found = utils.timeseries_dataset_from_array(data, data * 10, batch_size=2, **arguments)
    batches = list(found)
    assert len(batches) == len(found) == -(-len(first) // 2)
    assert np.concatenate([x for x, _ in batches]).tolist() == first
    assert np.concatenate([y for _, y in batches]).tolist() == [10 * t for t in targets]
    alone = list(utils.timeseries_dataset_from_array(data, None, batch_size=None, **arguments))
    assert [x.tolist() for x in alone] == first


def test_windows_end_with_the_targets_and_are_shuffled_by_the_seed():
    data = np.arange(40)

    def starts(targets=data, **arguments):
        return [int(t) for _, y in utils.timeseries_dataset_from_array(data, targets, 5, batch_size=4, **arguments) for t in y]

    assert starts(data[5:12]) == list(range(5, 12))
    assert sorted(starts(shuffle=True, seed=1)) == starts()
    assert starts(shuffle=True, seed=1) == starts(shuffle=True, seed=1) != starts(shuffle=True, seed=2)
    dataset = utils.timeseries_dataset_from_array(data, data, 5, shuffle=True)
    (one,), (two,) = [list(dataset) for _ in range(2)]
    assert not np.array_equal(one[1], two[1])
    utils.set_random_seed(3)
    (one,) = utils.timeseries_dataset_from_array(data, data, 5, shuffle=True)
    utils.set_random_seed(3)
    (two,) = utils.timeseries_dataset_from_array(data, data, 5, shuffle=True)
    assert np.array_equal(one[1], two[1])
    assert starts(start_index=38) == []


@pytest.mark.parametrize(("call", "message"), [
    (lambda: utils.pad_sequences(5), "sequences: expected a list of sequences, received int"),
    (lambda: utils.pad_sequences([1, 2]), r"sequences\[0\]: expected a sequence, received int"),
    (lambda: utils.pad_sequences(["ab"]), r"sequences\[0\]: expected a sequence, received str"),
    (lambda: utils.pad_sequences([["a"]]), r"sequences\[0\]: expected what dtype int32 can hold"),
    (lambda: utils.pad_sequences([[1]], padding="left"), "padding: expected 'pre' or 'post', received 'left'"),
    (lambda: utils.pad_sequences([[1]], maxlen=-1), "maxlen: expected at least 0, received -1"),
    (lambda: utils.pad_sequences([[1]], value="a"), "value: expected one that dtype int32 can hold, received 'a'"),
    (lambda: utils.pad_sequences([[1]], value=np.nan), "value: expected one that dtype int32 can hold, received nan"),
    (lambda: utils.pad_sequences([[1]], value=np.ma.array([1.0], mask=[True])), "value: expected no masked values"),
    (lambda: utils.pad_sequences([[1], [2.0**40]]), r"sequences\[1\]: expected what dtype int32 can hold \(1099511627776.0 is outside"),
    (lambda: utils.pad_sequences([[1, np.nan]]), r"sequences\[0\]: expected what dtype int32 can hold \(nan is outside"),
    (lambda: utils.pad_sequences([[1]], dtype="M8[s]"), "dtype: expected one of numbers, text or objects, received 'M8"),
    (lambda: utils.pad_sequences([[1]], dtype="\ud800"), "dtype: expected a dtype, received"),
    (lambda: utils.to_categorical(np.dtype("f4")), "x: expected whole numbers, received object"),
    (lambda: Dense(2**62), "units: expected a size that fits into memory, received 4611686018427387904"),
    (lambda: RepeatVector(10**30), "n: expected a size that fits into memory"),
    (lambda: UpSampling1D(2**64), "size: expected a size that fits into memory"),
    (lambda: Input((None, 2**64)), "shape: expected a size that fits into memory"),
    (lambda: utils.to_categorical([]), "num_classes: expected the number of classes"),
    (lambda: utils.timeseries_dataset_from_array(np.arange(5), None, 0), "sequence_length: expected at least 1"),
    (lambda: utils.timeseries_dataset_from_array(np.arange(5), None, 2, start_index=5), "start_index: expected 0 to 4, received 5"),
    (lambda: utils.timeseries_dataset_from_array(np.arange(5), None, 2, start_index=2, end_index=2), "end_index: expected 3 to 5, received 2"),
    (lambda: utils.timeseries_dataset_from_array(5, None, 2), "data: expected an entry per time, received a scalar"),
])  # fmt: skip
def test_wrong_arguments(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_arguments_have_keras_names_and_order():
    assert list(inspect.signature(utils.pad_sequences).parameters) == ["sequences", "maxlen", "dtype", "padding", "truncating", "value"]
    assert list(inspect.signature(utils.timeseries_dataset_from_array).parameters) == [
        "data", "targets", "sequence_length", "sequence_stride", "sampling_rate", "batch_size", "shuffle", "seed", "start_index", "end_index"]


# Training on an iterable of batches ---------------------------------------------------------------------------

class Batches:
    """Four batches, with or without a length."""

    def __init__(self, *more):
        self.more = more

    def __iter__(self):
        for at in range(0, len(X), 3):
            yield tuple(a[at:at + 3] for a in (X, LABELS, *self.more))


class Sized(Batches):
    def __len__(self):
        return 4


@pytest.mark.parametrize("source", [Batches, Sized])
@pytest.mark.parametrize("verbose", [0, 1, 2])
def test_batches_train_like_the_arrays_they_are_cut_from(source, verbose, capsys):
    weights = np.arange(11) / 5
    for more, arguments in (((), {}), ((weights,), {"sample_weight": weights})):
        one, *_ = build("last")
        history = one.fit(X, LABELS, batch_size=3, epochs=3, shuffle=False, verbose=0, validation_data=(X, LABELS), **arguments).history
        two, *_ = build("last")
        assert two.fit(source(*more), epochs=3, verbose=verbose, validation_data=source()).history == history
        assert bits(two) == bits(one)
        assert two.evaluate(source(), verbose=verbose) == one.evaluate(X, LABELS, 3, verbose=0)
        assert two.predict(source(), verbose=verbose).tobytes() == one.predict(X, verbose=0).tobytes()
    assert ("4/4" in capsys.readouterr().out) == (verbose > 0)


def test_steps_of_an_iterable_and_of_an_iterator():
    seen = []
    record = LambdaCallback(on_train_batch_end=lambda n, logs: seen.append(n))
    one, two, three = (build("last")[0] for _ in range(3))
    with pytest.warns(UserWarning, match="x ran out of data before the epoch had its steps"):
        one.fit(Batches(), epochs=3, steps_per_epoch=3, verbose=0, callbacks=[record])
    assert seen == [0, 1, 2, 0, 0, 1, 2]        # as in Keras: the second epoch has what the first one left of a pass
    several = [*Batches(), *Batches(), *Batches()][:7]
    two.fit(iter(several), epochs=1, steps_per_epoch=7, verbose=0)
    three.fit(iter(several), verbose=0)
    assert bits(one) == bits(two) == bits(three)
    with pytest.raises(ValueError, match=r"x: expected at least one batch in a pass, received none; an iterator gives its batches once"):
        three.fit(iter(several), epochs=2, verbose=0)
    with pytest.warns(UserWarning, match="x ran out of data before the epoch had its steps"):
        three.fit((b for b in Batches()), steps_per_epoch=5, verbose=0)
    with pytest.raises(ValueError, match="x: expected at least one batch in a pass, received none"):
        three.fit(utils.timeseries_dataset_from_array(X[:3, 0], X[:3, 0], 5), steps_per_epoch=3, verbose=0)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"y": LABELS}, "y: expected None where x gives batches"),
    ({"batch_size": 2}, "batch_size: expected None where x gives batches"),
    ({"sample_weight": LABELS}, "sample_weight: expected None where x gives batches"),
    ({"validation_split": 0.5}, "validation_split: expected 0 where x gives batches"),
    ({"x": ((X, LABELS, None, None) for _ in range(2))}, r"x: expected batches \(x, y\)"),
    ({"x": (X for _ in range(2))}, "y: expected targets, received None"),
    ({"validation_data": (b for b in ())}, "validation_data: expected at least one batch"),
])  # fmt: skip
def test_what_batches_do_not_go_with(arguments, message):
    with pytest.raises(ValueError, match=message):
        build("last")[0].fit(**{"x": Batches(), "verbose": 0} | arguments)


def test_a_forecaster_on_windows():
    series = np.sin(np.arange(300) / 3)
    windows = utils.timeseries_dataset_from_array(series[:-8, None], series[8:], 8, batch_size=32, shuffle=True, seed=0)
    utils.set_random_seed(0)
    model = Sequential([LSTM(8), Dense(1)])
    model.compile(optimizers.Adam(0.01), "mse")
    losses = model.fit(windows, epochs=30, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 10
