"""Sequential: Keras' numbers, gradients of whole models, the same bits for the same seed, construction and its errors."""

import threading

import numpy as np
import pytest

import lstmc
from lstmc import optimizers
from lstmc.layers import GRU, LSTM, Dense, Flatten, Input, Masking
from lstmc.training import Sequential
from recipes import KERAS, PADDED, RECIPES, X, bits, build, trained


@pytest.mark.parametrize("name", RECIPES)
def test_training_follows_keras(name):
    model, x, y, fit = build(name)
    history = model.fit(x, y, batch_size=4, epochs=3, shuffle=False, verbose=0, **fit)
    assert list(history.history) == list(KERAS[name])
    for key, values in KERAS[name].items():
        assert history.history[key] == pytest.approx(values, abs=3e-6)


class Recorder(optimizers.Optimizer):
    """Keeps the gradients and leaves the weights."""

    def __init__(self):
        super().__init__(0.1)

    def apply(self, grads, weights):
        self.grads = [g.copy() for g in grads]


@pytest.mark.parametrize("name", RECIPES)
def test_gradients_of_whole_models(name):
    model, x, y, fit = build(name, dtype="float64")
    fit.pop("validation_split", None)
    model.optimizer = Recorder()
    model.train_on_batch(x, y, **fit)
    weights = fit.get("sample_weight")
    if "class_weight" in fit:
        weights = np.vectorize(fit["class_weight"].get)(y, 1.0)
    for w, g in zip(model.weights, model.optimizer.grads, strict=True):
        for i in list(np.ndindex(w.shape))[:: max(1, w.size // 12)]:
            kept, ends = w[i], []
            for step in (1e-5, -1e-5):
                w[i] = kept + step
                ends.append(model.test_on_batch(x, y, weights)[0])
            w[i] = kept
            assert g[i] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-9, rel=1e-6)


def test_same_seed_same_bits_on_any_number_of_threads():
    one, history, x, _ = trained(1)
    for threads in (2, 3):
        other, again, _, _ = trained(threads)
        assert bits(other) == bits(one)
        assert again == history
        with lstmc.threads(threads):
            assert other.predict(x, verbose=0).tobytes() == one.predict(x, batch_size=7, verbose=0).tobytes()
    assert bits(trained(1, seed=2)[0]) != bits(one)


def test_predict_from_several_threads():
    model, _, x, _ = trained(1)
    want, found = model.predict(x, verbose=0).tobytes(), []
    workers = [threading.Thread(target=lambda: found.append(model.predict(x, verbose=0).tobytes())) for _ in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert found == [want] * 4


def test_flatten_ends_a_mask_with_a_warning():
    model = Sequential([Input((6, 3)), Masking(), LSTM(2, return_sequences=True), Flatten(), Dense(1)])
    with pytest.warns(UserWarning, match="flatten: the mask ends here"):
        model.predict(PADDED, verbose=0)


def test_names_shapes_and_summary():
    model = Sequential([Masking(), LSTM(4, return_sequences=True), LSTM(3), Dense(2)])
    assert [layer.name for layer in model.layers] == ["masking", "lstm", "lstm_1", "dense"]
    text = []
    model.summary(text.append)
    assert text[-1].startswith(" Not built")
    assert model.predict(np.zeros((2, 5, 6)), verbose=0).shape == (2, 2)
    text.clear()
    model.summary(text.append)
    assert text[-1] == " Total parameters: 280 (1.1 KiB)"
    assert text[4].split() == ["lstm", "(LSTM)", "(None,", "5,", "4)", "176"]
    assert model.output_shape == (None, 2)
    assert model.predict(np.zeros((2, 9, 6)), verbose=0).shape == (2, 2)


def test_wrong_models():
    with pytest.raises(ValueError, match=r"lstm_1: expected input of shape .* received \(None, 4\); .*return_sequences=True"):
        Sequential([Input((None, 3)), LSTM(4), LSTM(4)]).build()
    with pytest.raises(ValueError, match="dtype: expected float64, as of 'lstm', received float32 for 'dense'"):
        Sequential([LSTM(4, dtype="float64"), Dense(2)])
    with pytest.raises(ValueError, match="name: expected a unique name, received 'a' twice"):
        Sequential([Dense(2, name="a"), Dense(2, name="a")])
    layer = Dense(2)
    with pytest.raises(ValueError, match="every layer once"):
        Sequential([layer, layer])
    with pytest.raises(TypeError, match=r"layer: expected an lstmc\.layers\.Layer, received str"):
        Sequential(["lstm"])
    with pytest.raises(ValueError, match="Input as the first layer only, received 'input_layer' behind 'dense'"):
        Sequential([Dense(2), Input((3,))])
    with pytest.raises(ValueError, match="input_shape: expected Input"):
        Sequential([Dense(2)]).build()
    with pytest.raises(ValueError, match="layers: expected at least one layer"):
        Sequential().predict(X)
    with pytest.raises(ValueError, match="dense: expected input of shape"):
        Sequential([Input((None, 3)), Flatten(), Dense(2)]).build()
    model = Sequential([Input((None, 3)), LSTM(4), Dense(2)])
    with pytest.raises(ValueError, match=r"fit: expected compile\(optimizer, loss\) first"):
        model.fit(X, np.zeros(11))
    with pytest.raises(ValueError, match="optimizer: expected one of"):
        model.compile("adagard")
    with pytest.raises(ValueError, match="compile: steps_per_execution=2 is not supported"):
        model.compile("adam", steps_per_execution=2)
    model.build()
    with pytest.raises(ValueError, match=r"lstm_1: expected input of shape \(batch, time, features\), received \(None, 2\)"):
        model.add(LSTM(2))
    assert len(model.layers) == 2
    with pytest.raises(ValueError, match="weights: expected 5 arrays, received a list of 1"):
        model.set_weights([np.zeros(3)])
    before = bits(model)
    with pytest.raises(ValueError, match=r"dense/bias: expected shape \(2,\)"):
        model.set_weights([*[np.ones_like(w) for w in model.get_weights()[:-1]], np.ones(3)])
    assert bits(model) == before


def test_a_wrong_first_call_builds_nothing():
    model = Sequential([LSTM(4), LSTM(4)])
    with pytest.raises(ValueError, match="return_sequences"):
        model.predict(X, verbose=0)
    assert not any(layer.built for layer in model.layers)


def test_padding_before_and_after_data_says_the_same():
    model = Sequential([Input((None, 3)), Masking(), LSTM(4, return_sequences=True), GRU(3), Dense(2)])
    after = model.predict(PADDED, verbose=0)
    lengths = (PADDED != 0).any(-1).sum(1)
    before = np.stack([np.roll(x, -n, 0) for x, n in zip(PADDED, lengths, strict=True)])
    holed = np.insert(PADDED, 1, 0, axis=1)
    assert np.array_equal(model.predict(before, verbose=0), after)
    assert np.array_equal(model.predict(holed, verbose=0), after)
