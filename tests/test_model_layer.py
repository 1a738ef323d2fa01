"""TimeDistributed of a model: its weights, files and copies, what it refuses. Keras' numbers: test_programs.py."""

import copy
import pickle

import numpy as np
import pytest

import lstmc
from lstmc import Model, Sequential
from lstmc.layers import GRU, LSTM, BatchNormalization, Concatenate, Dense, Dropout, Embedding, Input, TimeDistributed
from recipes import bits

pytestmark = pytest.mark.once
X, Y = np.random.default_rng(0).integers(0, 9, (5, 4, 6)), np.ones((5, 1))


def reader(seed=1):
    """A model of sentences."""
    words = Input((None,))
    return Model(words, LSTM(3, seed=seed)(Embedding(9, 4, mask_zero=True, seed=2)(words)), name="reader")


def documents(model):
    """A model of documents around it."""
    x = Input((None, 6))
    found = Model(x, Dense(1, seed=4)(GRU(3, seed=3, dropout=0.2)(TimeDistributed(model)(x))))
    found.compile("adam", "mse")
    found.shuffle_seed = 7
    return found


def test_it_is_the_model_on_every_step_and_shares_its_weights():
    inner = reader()
    inner.set_weights([w + 0.5 for w in inner.get_weights()])
    kept = bits(inner)
    x = Input((None, 6))
    alone = Model(x, TimeDistributed(inner)(x))
    assert bits(inner) == bits(alone) == kept
    want = np.stack([inner.predict(X[:, t], verbose=0) for t in range(4)], 1)
    assert np.array_equal(alone.predict(X, verbose=0), want)
    model = documents(inner)
    model.fit(X, Y, verbose=0)
    assert bits(inner) == bits(alone) != kept
    assert [name for name, _ in model.variables][:2] == ["time_distributed/embedding/embeddings", "time_distributed/lstm/kernel"]


def test_a_layer_that_has_weights_keeps_them():
    dense = Dense(2)
    dense.build((None, 3))
    dense.set_weights([w + 1 for w in dense.get_weights()])
    before = [w.tobytes() for w in dense.get_weights()]
    TimeDistributed(dense).build((None, None, 3))
    assert [w.tobytes() for w in dense.get_weights()] == before


def test_weights_that_two_layers_have_are_trained_once():
    """Both uses count, and there is one step of the optimizer."""
    results = []
    for wrapped in (True, False):
        x, dense = Input((4, 3)), Dense(2, seed=1, dtype="float64")
        again = TimeDistributed(dense)(x) if wrapped else dense(x)
        model = Model(x, Concatenate(dtype="float64")([dense(x), again]))
        model.compile(lstmc.optimizers.AdamW(0.1, weight_decay=0.1), "mse")
        model.train_on_batch(np.ones((2, 4, 3)), np.zeros((2, 4, 4)))
        assert len(model.trained) == 2
        results.append(dense.get_weights())
    assert all(np.allclose(a, b, rtol=1e-12) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("make", [reader, lambda: Sequential([Embedding(9, 4, mask_zero=True, seed=2), LSTM(3, seed=1), Dropout(0.3, seed=5)])],
                         ids=["Model", "unbuilt Sequential"])
def test_files_copies_and_going_on(make, tmp_path):
    model = documents(make())
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "m.safetensors")
    same = [lstmc.load(tmp_path / "m.safetensors"), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    fresh = Model.from_config(model.get_config())
    fresh.load_weights(tmp_path / "m.safetensors")
    assert bits(fresh) == bits(model)
    model.fit(X, Y, epochs=2, verbose=0)
    for other in same:
        other.fit(X, Y, epochs=2, verbose=0)
        assert bits(other) == bits(model)
        assert other.predict(X, verbose=0).tobytes() == model.predict(X, verbose=0).tobytes()


def test_what_is_frozen_inside_stays():
    inner = reader()
    inner.get_layer("embedding").trainable = False
    model = documents(inner)
    before = [w.tobytes() for w in inner.get_weights()]
    model.fit(X, Y, verbose=0)
    assert [a == w.tobytes() for a, w in zip(before, inner.get_weights(), strict=True)] == [True, False, False, False]
    model.get_layer("time_distributed").trainable = False
    assert not inner.trainable
    assert len(model.trainable_weights) == 5


def pair():
    return Input((3,)), Input((3,))


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Sequential([Input((3,)), Dense(2), BatchNormalization()]), "layer: expected layers that treat samples alone, received 'batch_normalization'"),
    (lambda: Sequential([Input((4, 3), batch_size=2), LSTM(2, stateful=True)]), "layer: expected stateful=False, .* received 'lstm' in the model"),
    (lambda: Sequential([Input((3,)), Dense(2, activity_regularizer="l2")]), "layer: expected activity_regularizer=None, .* of 'dense' in the model"),
    (lambda: Model(list(p := pair()), Concatenate()(list(p))), "layer: expected a model of one input and one output, received 'model' of 2 and 1"),
    (lambda: Sequential(), "layer: expected a model with layers, received 'sequential' without"),
])
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        TimeDistributed(make())


def test_a_wrong_shape_names_the_layer_inside():
    with pytest.raises(ValueError, match=r"dense: expected input of shape \(batch, ..., 3\), received \(None, 5\)|expected input of shape"):
        TimeDistributed(Sequential([Input((3,)), Dense(2)]))(Input((4, 5)))
    with pytest.raises(ValueError, match=r"time_distributed: expected input of shape \(batch, time, ...\), received \(None, 5\)"):
        TimeDistributed(Sequential([Input((3,)), Dense(2)]))(Input((5,)))
