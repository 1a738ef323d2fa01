"""Embedding and what steps do beside it: sparse gradients that are exactly the dense ones, numbers that are whole, and programs of the usual shape."""

import copy
import pickle

import numpy as np
import pytest

import lstmc
from lstmc import layers, optimizers, utils
from lstmc.kernels import rows
from lstmc.layers import (
    GRU,
    LSTM,
    Activation,
    Bidirectional,
    Dense,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    RepeatVector,
    Reshape,
    SpatialDropout1D,
    TimeDistributed,
)
from lstmc.layers.rows import Rows, summed
from lstmc.training import Sequential
from recipes import bits
from test_layers import F64, assert_gradients, inputs

NUMBERS = np.random.default_rng(1).zipf(1.5, (40, 9)) % 23


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_summed_by_number(dtype):
    values = inputs(360, 5, dtype=dtype)
    before = values.copy()
    found = summed(NUMBERS.reshape(-1), values, (30, 5))
    assert np.array_equal(found.numbers, np.unique(NUMBERS))
    want = np.zeros((30, 5))
    np.add.at(want, NUMBERS.reshape(-1), values.astype(np.float64))
    assert np.allclose(found.dense(), want, rtol=0, atol=1e-5 if dtype == np.float32 else 1e-13)
    assert np.array_equal(values, before)
    assert summed(np.zeros(0, np.int64), values[:0], (30, 5)).dense().tolist() == np.zeros((30, 5)).tolist()
    whole = summed(np.zeros(360, np.int64), np.ones((360, 5), dtype), (30, 5))
    assert whole.values.tolist() == [[360] * 5]


def tree(rows):
    """The sum of rows: that of the first 2^k, as many as are less than all, plus that of the others."""
    if len(rows) == 1:
        return rows[0]
    half = 1 << (len(rows) - 1).bit_length() - 1
    return tree(rows[:half]) + tree(rows[half:])


@pytest.mark.parametrize("V", [23, 10**4])     # sorted by counting, by comparing
def test_rows_of_a_number_are_summed_by_one_tree_on_any_threads(V):
    numbers, values = NUMBERS.reshape(-1), inputs(360, 5, dtype=np.float32)
    for threads in (1, 2, 3, 7):
        found, sums = rows.sum_rows(numbers, values, V, threads)
        assert found.tolist() == sorted(set(numbers.tolist()))
        assert all(a.tobytes() == tree(list(values[numbers == n])).tobytes() for n, a in zip(found, sums, strict=True))
        y = np.empty((360, 5), np.float32)
        assert rows.gather(numbers, values, y, threads) == -1
        assert np.array_equal(y, values[numbers])


def test_numbers_beyond_a_table():
    values = np.zeros((3, 2), np.float32)
    assert [rows.gather(np.array([0, n, 9]), values, np.empty_like(values)) for n in (-1, 3, 2)] == [1, 1, 2]
    for n in (-1, 3):
        with pytest.raises(ValueError, match=f"numbers: expected numbers from 0 to 2, received {n}"):
            rows.sum_rows(np.array([0, n, 1]), values, 3)
    for numbers, some in ((np.zeros(3, np.int32), values), (np.zeros(2, np.int64), values), (np.zeros(3, np.int64), values[0])):
        with pytest.raises(ValueError, match="numbers, values: expected N numbers of 8 bytes and N rows"):
            rows.sum_rows(numbers, some, 3)
    with pytest.raises(ValueError, match="numbers, table, y: expected N numbers of 8 bytes and rows of one size"):
        rows.gather(np.zeros(3, np.int64), values, np.empty((3, 3), np.float32))


OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.1), "momentum": lambda: optimizers.SGD(0.1, 0.9, True), "decay": lambda: optimizers.SGD(0.1, weight_decay=0.1),
    "adam": lambda: optimizers.Adam(0.1), "rmsprop": lambda: optimizers.RMSprop(0.1), "adamw": lambda: optimizers.AdamW(0.1),
    "clipvalue": lambda: optimizers.SGD(0.1, clipvalue=0.01), "clipvalue of adam": lambda: optimizers.Adam(0.1, clipvalue=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_update_by_rows_is_that_of_the_dense_gradient(name):
    results = []
    for dense in (False, True):
        optimizer, w = OPTIMIZERS[name](), inputs(30, 4, dtype=np.float32)
        for step in range(4):
            g = summed(NUMBERS[step], inputs(9, 4, dtype=np.float32, seed=step), w.shape)
            optimizer.apply([g.dense() if dense else g], [w])
        results.append(w.tobytes())
    assert results[0] == results[1]


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm"])
def test_norms_of_rows(clip):
    found = []
    for dense in (False, True):
        optimizer, w, other = optimizers.SGD(0.1, **{clip: 0.5}), inputs(30, 4), inputs(3, seed=4)
        g = summed(NUMBERS[0], inputs(9, 4, seed=1), w.shape)
        optimizer.apply([g.dense() if dense else g, np.ones(3)], [w, other])
        found.append((w, other))
    assert all(np.allclose(a, b, rtol=0, atol=1e-15) for a, b in zip(*found, strict=True))


def test_a_gradient_that_is_not_finite_shows_in_all_rows():
    optimizer, w = optimizers.SGD(0.1, global_clipnorm=1.0), inputs(30, 4)
    optimizer.apply([summed(NUMBERS[0], np.full((9, 4), np.inf), w.shape)], [w])
    assert np.isnan(w).all()


@pytest.mark.parametrize("kind", optimizers.CLASSES)
def test_no_optimizer_makes_a_dense_gradient(kind, monkeypatch):
    def dense(self):
        raise AssertionError("dense")

    monkeypatch.setattr(Rows, "dense", dense)
    model = Sequential([Embedding(10**4, 4), GRU(3), Dense(1)])
    model.compile(kind, "mse")
    model.fit(NUMBERS, np.zeros(40), verbose=0)


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "int64", "float32", "float64", bool])
def test_whole_numbers_of_any_dtype(dtype):
    x = np.array([[0, 1], [1, 1]], dtype)
    layer = Embedding(2, 3, mask_zero=True, seed=1)
    y, mask, _ = layer.forward(x) if layer.built else (layer(x), None, None)
    assert np.array_equal(y, layer.get_weights()[0][x.astype(int)])
    assert mask is None
    assert np.array_equal(layer.forward(x)[1], [[False, True], [True, True]])
    assert layer(x.tolist()).shape == (2, 2, 3)


@pytest.mark.parametrize(("x", "message"), [
    ([[0, 5]], "embedding: x: expected numbers from 0 to 4, received 5"),
    ([[-1, 0]], "embedding: x: expected numbers from 0 to 4, received -1"),
    ([[0.5, 1]], "x: expected whole numbers, received 0.5"),
    ([[np.nan, 1]], "x: expected whole numbers, received nan"),
    ([[np.inf, 1]], "x: expected whole numbers, received inf"),
    ([[2.0**63, 1]], r"x: expected whole numbers, received 9\.22"),
    (np.array([[2**63 + 1]], np.uint64), "x: expected whole numbers, received 9223372036854775809"),
    ([["a"]], "x: expected whole numbers, received dtype <U1"),
    ([[[1], [2, 3]]], "x: expected a rectangular array; lstmc.utils.pad_sequences makes one"),
])  # fmt: skip
def test_other_numbers_are_refused(x, message):
    model = Sequential([Embedding(5, 3), Flatten()])
    for call in (Embedding(5, 3, name="embedding"), lambda x: model.predict(x, verbose=0)):
        with pytest.raises((TypeError, ValueError), match=message):
            call(x)


def test_large_numbers_stay_exact_in_float32():
    n = 2**24 + 1
    layer = Embedding(n + 1, 1, "zeros")
    model = Sequential([layer, Flatten()])
    model.build((None, 1))
    layer.weights[0][n] = 1
    assert model.predict(np.array([[n]]), verbose=0).tolist() == [[1]]


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 9])
def test_gradients_of_pooling_and_shapes(length):
    x = inputs(3, length, 4)
    mask = np.arange(length) % 2 == np.arange(3)[:, None] % 2
    assert_gradients(GlobalAveragePooling1D(dtype="float64"), x)
    assert_gradients(GlobalAveragePooling1D(dtype="float64", keepdims=True), x, mask)
    assert_gradients(GlobalMaxPooling1D(dtype="float64"), x)
    assert_gradients(RepeatVector(length, dtype="float64"), inputs(3, 4))
    assert_gradients(Reshape((2, -1), dtype="float64"), x)
    assert_gradients(SpatialDropout1D(0.5, **F64), x)
    assert_gradients(TimeDistributed(Dense(3, "tanh", **F64)), x)
    assert_gradients(TimeDistributed(Bidirectional(GRU(2, **F64))), inputs(2, 2, length, 3))


def test_the_mean_of_nothing_is_0():
    x, mask = inputs(2, 3, 2), np.array([[False] * 3, [True, False, True]])
    layer = GlobalAveragePooling1D(dtype="float64")
    x[0] = np.nan
    y = layer(x, mask)
    assert not y[0].any()
    assert np.allclose(y[1], x[1, [0, 2]].mean(0))
    assert not layer(np.zeros((2, 0, 3))).any()


def test_spatial_dropout_drops_whole_features():
    x = np.ones((50, 7, 20), np.float32)
    layer = SpatialDropout1D(0.3, seed=1)
    layer.build(x.shape)
    y = layer.forward(x, None, True, 5)[0]
    assert (y == y[:, :1]).all()
    assert abs((y[:, 0] != 0).mean() - 0.7) < 0.05
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.7)}
    assert layer(x) is x


def test_steps_share_weights_and_the_fused_gradient():
    results = []
    for last in (Dense(5, "softmax", seed=2), TimeDistributed(Dense(5, "softmax", seed=2))):
        model = Sequential([Embedding(23, 4, mask_zero=True, seed=3), LSTM(6, return_sequences=True, seed=1), last])
        model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
        results.append((model.fit(NUMBERS, NUMBERS % 5, epochs=2, shuffle=False, verbose=0).history, bits(model)))
    assert results[0] == results[1]


def test_copies_of_steps_have_their_own_weights():
    x = inputs(2, 3, 4, dtype=np.float32)
    for inner in (Dense(2, seed=1), Dense(2, "relu", seed=1), Embedding(5, 2, seed=1)):
        layer = TimeDistributed(inner)
        x = np.ones((2, 3, 1), int) if isinstance(inner, Embedding) else x
        before = layer(x)
        for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            for w in twin.weights:
                w[...] = 0
            assert not twin(x).any()
            assert np.array_equal(layer(x), before)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: TimeDistributed(Input((3,))), "layer: expected a layer that computes something, received Input"),
    (lambda: TimeDistributed(5), "layer: expected a layer that computes something, received int"),
    (lambda: TimeDistributed(LSTM(2, return_state=True)), "layer: expected return_state=False and stateful=False"),
    (lambda: TimeDistributed(Dense(2), dtype="float64"), "dtype: expected float32, as of 'dense'"),
    (lambda: TimeDistributed(Dense(2))(np.zeros((2, 3))), r"time_distributed: expected input of shape \(batch, time, ...\), received \(2, 3\)"),
    (lambda: Reshape((2, -1, -1)), "target_shape: expected -1 once"),
    (lambda: Reshape(4), "target_shape: expected a tuple, received int"),
    (lambda: Reshape((4,))(np.zeros((2, 3))), r"reshape: expected input of shape of sizes that make \(4,\), received \(2, 3\)"),
    (lambda: Reshape((2, -1))(np.zeros((2, 3))), r"sizes that make \(2, -1\)"),
    (lambda: RepeatVector(0), "n: expected at least 1"),
    (lambda: RepeatVector(2)(np.zeros((2, 3, 4))), r"received \(2, 3, 4\); a recurrent layer before it needs return_sequences=False"),
    (lambda: GlobalMaxPooling1D()(np.zeros((2, 0, 4))), "at least one step"),
    (lambda: GlobalAveragePooling1D("channels_first"), "data_format='channels_first' is not supported"),
    (lambda: SpatialDropout1D(1.0), "rate: expected"),
    (lambda: SpatialDropout1D(0.5)(np.zeros((2, 3))), "spatial_dropout1d: expected input of shape"),
    (lambda: Embedding(0, 3), "input_dim: expected at least 1"),
    (lambda: Embedding(3, 3, weights=[np.zeros((3, 3))]), r"is not supported \(only None\); call set_weights after"),
])  # fmt: skip
def test_arguments(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


def test_input_length_warns_as_in_keras():
    with pytest.warns(DeprecationWarning, match="input_length: expected None"):
        Embedding(5, 3, input_length=4)


@pytest.mark.parametrize("layer", [
    Embedding(5, 3, mask_zero=True, seed=1), TimeDistributed(Bidirectional(GRU(3), "sum")), TimeDistributed(Dense(2, "relu")), RepeatVector(3),
    Reshape((2, -1)), GlobalAveragePooling1D(keepdims=True), GlobalMaxPooling1D(), SpatialDropout1D(0.5, seed=2),
], ids=lambda layer: layer.name)  # fmt: skip
def test_config_rebuilds_the_layer(layer):
    again = layers.from_config(type(layer).__name__, layer.get_config())
    assert again.get_config() == layer.get_config()


def test_a_classifier_of_padded_texts_learns(tmp_path):
    rng = np.random.default_rng(0)
    texts = [list(rng.integers(1, 30, rng.integers(3, 12))) for _ in range(300)]
    labels = np.array([int(7 in t) for t in texts])
    x = utils.pad_sequences(texts)
    utils.set_random_seed(0)
    model = Sequential([Input((None,)), Embedding(30, 8, mask_zero=True), SpatialDropout1D(0.1), Bidirectional(LSTM(8)), Dense(1, "sigmoid")])
    model.compile(optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    model.fit(x, labels, epochs=15, verbose=0)
    assert model.evaluate(x, labels, verbose=0)[1] > 0.95
    short = model.predict(utils.pad_sequences(texts[:1]), verbose=0)
    assert np.array_equal(short, model.predict(x[:1], verbose=0))
    model.save(tmp_path / "m.safetensors")
    again = lstmc.load(tmp_path / "m.safetensors")
    for m in (model, again):
        m.fit(x, labels, epochs=1, verbose=0)
    assert bits(model) == bits(again)


def test_addition_by_repeat_and_steps():
    model = Sequential([Input((4, 3)), GRU(8), RepeatVector(2), GRU(8, return_sequences=True), TimeDistributed(Dense(5, "softmax")), Activation("linear")])
    model.build()
    assert model.output_shape == (None, 2, 5)
    assert model.predict(inputs(3, 4, 3), verbose=0).shape == (3, 2, 5)


def test_rows_of_a_small_and_of_a_large_table_have_the_same_sums():
    numbers, values = np.array([3, 1, 3, 0, 3, 1]), inputs(6, 4, dtype=np.float32)
    small, large = (summed(numbers, values, (size, 4)) for size in (5, 10_000))
    assert np.array_equal(small.numbers, large.numbers)
    assert small.values.tobytes() == large.values.tobytes()


def test_numbers_that_change_after_they_were_looked_up():
    layer = Embedding(5, 2, seed=0)
    layer.build((None, 3))
    x, dy = np.array([[1, 4, 1]]), np.ones((1, 3, 2), np.float32)
    _, _, tape = layer.forward(x, training=True)
    x[:] = 10**9
    found = layer.backward(tape, dy)[1][0]
    assert found.numbers.tolist() == [1, 4]
    assert found.values.tolist() == [[2, 2], [1, 1]]
