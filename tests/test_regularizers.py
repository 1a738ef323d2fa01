"""Penalties: their values and gradients, where they are asked for, and that models with them are saved."""

import copy
import pickle

import numpy as np
import pytest

import lstmc
from lstmc import layers, regularizers
from lstmc.layers import GRU, LSTM, Bidirectional, Dense, Embedding, Input, TimeDistributed
from lstmc.regularizers import L1, L1L2, L2, OrthogonalRegularizer, Regularizer
from test_layers import inputs

pytestmark = pytest.mark.once

ALL = [L1(0.3), L2(0.2), L1L2(0.1, 0.4), L1L2(), OrthogonalRegularizer(0.5), OrthogonalRegularizer(0.5, "columns")]


@pytest.mark.parametrize("regularizer", ALL, ids=lambda r: f"{type(r).__name__}{list(r.get_config().values())}")
def test_gradients_and_configs(regularizer):
    x = inputs(4, 3)
    g, numeric = regularizer.gradient(x), np.empty((4, 3))
    for i in np.ndindex(x.shape):
        ends = []
        for step in (1e-6, -2e-6):
            x[i] += step
            ends.append(regularizer(x))
        x[i] += 1e-6
        numeric[i] = (ends[0] - ends[1]) / 2e-6
    assert np.abs(g - numeric).max() < 1e-8
    again = regularizers.get({"class": type(regularizer).__name__, "config": regularizer.get_config()})
    assert type(again) is type(regularizer)
    assert again.get_config() == regularizer.get_config()
    small = x.astype(np.float32)
    assert regularizer.gradient(small).dtype == np.float32
    assert isinstance(regularizer(small), float)
    assert abs(regularizer(small) - regularizer(x)) < 1e-6


def test_values():
    x = np.array([[3.0, -4.0], [0.0, 1.0]])
    assert L1(0.5)(x) == 4.0
    assert L2(0.5)(x) == 13.0
    assert L1L2(0.5, 0.5)(x) == 17.0
    # One pair of rows at an angle whose cosine is -4/5.
    assert abs(OrthogonalRegularizer(0.5)(x) - 0.5 * 0.8) < 1e-15
    assert OrthogonalRegularizer()(x[:1]) == 0.0
    assert np.array_equal(L1(0.5).gradient(x), [[0.5, -0.5], [0.0, 0.5]])


def test_names():
    assert regularizers.get(None) is None
    assert regularizers.get("l1").get_config() == {"l1": 0.01}
    assert regularizers.get("L2").get_config() == {"l2": 0.01}
    assert regularizers.get(L1L2).get_config() == {"l1": 0.0, "l2": 0.0}
    assert regularizers.l1_l2(0.1, 0.2).get_config() == {"l1": 0.1, "l2": 0.2}
    assert regularizers.get("orthogonal_regularizer").get_config() == {"factor": 0.01, "mode": "rows"}
    for wrong, error, message in ((0.01, ValueError, "kernel_regularizer: expected one of l1, l1_l2"), ("l0", ValueError, "received 'l0'"),
                                  (np.square, TypeError, "a subclass of Regularizer gives its own gradient")):
        with pytest.raises(error, match=message):
            Dense(3, kernel_regularizer=wrong)
    for make, message in ((lambda: L1(-1), "l1: expected at least 0"), (lambda: L2(np.inf), "l2: expected a finite"),
                          (lambda: OrthogonalRegularizer(mode="row"), "mode: expected 'rows'"),
                          (lambda: OrthogonalRegularizer()(np.zeros(3)), "expected a matrix, received shape")):
        with pytest.raises(ValueError, match=message):
            make()


def test_a_penalty_is_of_keras_layout():
    class Weighted(Regularizer):
        """The sum of w times the number of its row, and of its column."""

        def penalty(self, x):
            return float((x * self.gradient(x)).sum())

        def gradient(self, x):
            return (10.0 * np.arange(x.shape[0])[:, None] + np.arange(x.shape[1])).astype(x.dtype)

    layer = GRU(3, kernel_regularizer=Weighted(), dtype="float64", seed=1)
    layer.build((None, None, 2))
    v, want = layer.variables[0], Weighted().gradient(np.zeros((2, 9)))
    assert np.isclose(v.penalty(), (layer.get_weights()[0] * want).sum())
    assert np.array_equal(v.outward(v.penalty_gradient()), want)
    assert v.penalty_gradient().flags.c_contiguous
    model = lstmc.Sequential([Input((None, 2)), layer])
    with pytest.raises(ValueError, match=r"kernel_regularizer: expected one of L1, L2, .*Weighted"):
        model.save("nowhere.safetensors")


def made():
    lstmc.utils.set_random_seed(3)
    model = lstmc.Sequential([
        Input((5,)), Embedding(9, 4, embeddings_regularizer="l2"),
        Bidirectional(LSTM(3, kernel_regularizer=L1(0.1), recurrent_regularizer="l2", bias_regularizer="l1", return_sequences=True), dtype="float32"),
        TimeDistributed(Dense(2, kernel_regularizer=L2(0.5)), activity_regularizer="l2"), GRU(2, recurrent_regularizer=OrthogonalRegularizer()),
        layers.BatchNormalization(gamma_regularizer="l2"), Dense(1, activation="sigmoid", activity_regularizer=L1(0.2)),
    ])
    model.compile("sgd", "binary_crossentropy")
    return model


def test_the_loss_has_the_penalties_and_models_are_saved(tmp_path):
    x, y = np.arange(40).reshape(8, 5) % 9, np.arange(8) % 2
    model = made()
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = lstmc.load(tmp_path / "m.safetensors")
    assert [a.get_config() for a in again.layers] == [a.get_config() for a in model.layers]
    for m in (model, again):
        m.fit(x, y, verbose=0)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(model.get_weights(), again.get_weights(), strict=True))
    loss = again.evaluate(x, y, verbose=0)
    weights = sum(v.penalty() for layer in again.layers for v in layer.variables if v.regularizer is not None)
    steps = lstmc.Model(again.inputs, again.graph.tensors[3]).predict(x, verbose=0)
    p = again.predict(x, verbose=0)
    data = lstmc.losses.BinaryCrossentropy()(y, p)
    assert np.isclose(loss, data + weights + L2(0.01)(steps) / 8 + L1(0.2)(p) / 8, rtol=1e-6)
    assert weights > 0.1


def test_a_step_goes_down_the_penalties():
    """Where samples weigh nothing, they alone move the weights."""
    model = lstmc.Sequential([Input((4,)), Dense(3, kernel_regularizer=L2(0.25), seed=1), Dense(1, bias_regularizer=L1(1.0), bias_initializer="ones", seed=2)])
    model.compile(lstmc.optimizers.SGD(0.5), "mse")
    before = model.get_weights()
    model.train_on_batch(np.ones((2, 4)), np.ones(2), sample_weight=np.zeros(2))
    after = model.get_weights()
    assert np.allclose(after[0], before[0] * (1 - 0.5 * 2 * 0.25), rtol=1e-6)
    assert after[3].tolist() == [0.5]
    assert all(np.array_equal(after[n], before[n]) for n in (1, 2))


def test_threads_and_frozen_layers():
    x, y = np.arange(40).reshape(8, 5) % 9, np.arange(8) % 2
    results = []
    for n in (1, 2):
        with lstmc.threads(n):
            model = made()
            model.build()
            model.layers[0].trainable = False
            model.compile("sgd", "binary_crossentropy")
            before = model.layers[0].get_weights()[0]
            whole, own = model.evaluate(x, y, verbose=0), model.layers[0].variables[0].penalty()
            model.layers[0].trainable = True
            assert own > 1e-4
            assert abs(model.evaluate(x, y, verbose=0) - whole - own) < 1e-9      # as in Keras, what is not trained has no penalty
            model.layers[0].trainable = False
            history = model.fit(x, y, epochs=2, verbose=0).history
            assert np.array_equal(model.layers[0].get_weights()[0], before)
            results.append((history, [w.tobytes() for w in model.get_weights()]))
    assert results[0] == results[1]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_has_penalties_of_its_own_weights(copied):
    x, y = np.arange(40).reshape(8, 5) % 9, np.arange(8) % 2
    model = made()
    model.fit(x, y, verbose=0)
    twin = copied(model)
    loss = model.evaluate(x, y, verbose=0)
    twin.set_weights([2 * w for w in twin.get_weights()])
    assert model.evaluate(x, y, verbose=0) == loss
    assert twin.evaluate(x, y, verbose=0) > loss
    twin.set_weights(model.get_weights())
    for m in (model, twin):
        m.fit(x, y, shuffle=False, verbose=0)
    assert [w.tobytes() for w in twin.get_weights()] == [w.tobytes() for w in model.get_weights()]


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Bidirectional(LSTM(2, activity_regularizer="l2")), "layer: expected activity_regularizer=None, .* give it to Bidirectional"),
    (lambda: TimeDistributed(Dense(2, activity_regularizer="l2")), "layer: expected activity_regularizer=None, .* give it to TimeDistributed"),
    (lambda: Dense(2, activity_regularizer="l"), "activity_regularizer: expected one of l1"),
])  # fmt: skip
def test_activity(make, message):
    with pytest.raises(ValueError, match=message):
        make()
