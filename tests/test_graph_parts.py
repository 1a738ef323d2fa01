"""Models that are parts of others, and share their layers: inference models, models in models, models from and up to a layer, dicts of both ends."""

import copy
import pickle

import numpy as np
import pytest

import lstmc
from lstmc import Model, Sequential
from lstmc.layers import GRU, LSTM, Concatenate, Dense, Embedding, Input, RepeatVector, TimeDistributed
from test_graph import LABELS, VALUES, A, B

pytestmark = pytest.mark.once


def test_inference_models_share_the_layers():
    source, target = Input((None, 3)), Input((None, 2))
    encoder, decoder, head = LSTM(4, return_state=True), LSTM(4, return_sequences=True, return_state=True), Dense(2, "softmax")
    _, *states = encoder(source)
    y, _, _ = decoder(target, initial_state=states)
    model = Model([source, target], head(y))
    encode = Model(source, states)
    inputs = [Input((4,)), Input((4,))]
    z, *more = decoder(target, initial_state=inputs)
    decode = Model([target, *inputs], [head(z), *more])
    model.compile("adam", "mse")
    model.fit([A, B], B, epochs=2, verbose=0)
    want = model.predict([A, B], verbose=0)
    h = encode.predict(A, verbose=0)
    for t in range(B.shape[1]):
        p, *h = decode.predict([B[:, t:t + 1], *h], verbose=0)
        assert p.tobytes() == np.ascontiguousarray(want[:, t:t + 1]).tobytes()
    in_list = Model([target, *inputs], decoder([target, *inputs])[0])
    assert in_list.predict([B, *encode.predict(A, verbose=0)], verbose=0).shape == (7, 4, 4)


def test_models_in_models():
    encoder = Sequential([Input((5, 3)), LSTM(4)], name="encoder")
    x, code = Input((5, 3)), Input((4,))
    decoder = Model(code, TimeDistributed(Dense(3))(LSTM(4, return_sequences=True)(RepeatVector(5)(code))))
    auto = Model(x, decoder(encoder(x)))
    auto.compile("adam", "mse")
    auto.fit(A, A, verbose=0)
    assert np.array_equal(auto.predict(A, verbose=0), decoder.predict(encoder.predict(A, verbose=0), verbose=0))
    assert [type(layer).__name__ for layer in auto.layers] == ["InputLayer", "LSTM", "RepeatVector", "LSTM", "TimeDistributed"]
    assert [layer.name for layer in auto.layers] == ["input_layer", "lstm", "repeat_vector", "lstm_1", "time_distributed"]


def test_pop_and_get_layer():
    model = Sequential([Input((4, 2)), LSTM(3), Dense(2), Dense(5)])
    model.build()
    kept = model.get_weights()[:5]
    assert model.pop().units == 5
    assert model.output_shape == (None, 2)
    assert all(np.array_equal(a, b) for a, b in zip(kept, model.get_weights(), strict=True))
    assert model.get_layer("lstm") is model.get_layer(index=0)
    model.compile("sgd", "mse")
    model.fit(np.ones((3, 4, 2)), np.ones((3, 2)), verbose=0)
    with pytest.raises(ValueError, match="name: expected one of 'lstm', 'dense', received 'gru'"):
        model.get_layer("gru")
    with pytest.raises(ValueError, match="expected one of the two, received neither"):
        model.get_layer()


def test_inputs_of_which_no_output_depends(tmp_path):
    a, b, e = Input((None, 3), name="a"), Input((3,), name="b"), Input((1,), name="e")
    model = Model([b, a, e], Dense(1, seed=2, name="d")(GRU(4, seed=1, name="g")(a)))
    model.compile("sgd", "mse")
    assert [layer.name for layer in model.layers] == ["a", "g", "b", "e", "d"]      # as Keras has them
    given, targets = {"a": A, "b": np.full((7, 3), np.nan), "e": np.ones((7, 1))}, np.ones((7, 1))
    model.fit(given, targets, verbose=0)
    want = model.predict(given, verbose=0)
    assert np.isfinite(want).all()
    model.save(tmp_path / "m.safetensors")
    for same in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), lstmc.load(tmp_path / "m.safetensors")):
        assert np.array_equal(same.predict(given, verbose=0), want)
    features = Model(model.inputs, model.get_layer("g").output)
    assert features.predict([given[name] for name in features.input_names], verbose=0).shape == (7, 4)
    with pytest.raises(ValueError, match="x: expected as many samples for every input, received 2, 7, 7"):
        model.predict(given | {"b": np.ones((2, 3))}, verbose=0)


@pytest.mark.parametrize("first", [[], [Input((None, 3))]], ids=["data", "Input"])
def test_layers_are_added_to_and_taken_off_a_built_model(first):
    x = A.astype(np.float32)
    model, whole = (Sequential([*first, LSTM(4, seed=1), Dense(2, seed=2)]) for _ in range(2))
    model.compile("sgd", "mse", metrics=["mae"])
    model.fit(x, np.ones((7, 2)), verbose=0)
    kept, features = model.get_weights()[:3], model.layers[0]
    head = model.pop()
    assert model.output_shape == (None, 4)
    model.add(Dense(1, seed=3))
    assert [layer.name for layer in model.layers] == ["lstm", "dense"]
    assert model.predict(x[:, :3], verbose=0).shape == (7, 1)
    assert all(np.array_equal(a, b) for a, b in zip(kept, model.get_weights(), strict=False))
    with pytest.raises(ValueError, match="optimizer: expected the weights that it has trained before"):
        model.fit(x, np.ones((7, 1)), verbose=0)        # what was compiled counts still
    model.compile("sgd", "mse")
    assert model.fit(x, np.ones((7, 1)), verbose=0).history.keys() == {"loss"}
    assert model.layers[0] is features
    model.pop()
    model.add(head)
    assert model.get_weights()[3].shape == (4, 2)

    whole.compile("sgd", "mse")
    whole.predict(x, verbose=0)
    whole.pop()
    whole.add(Dense(1, seed=3))         # before anything was trained
    assert whole.fit(x, np.ones((7, 1)), verbose=0).history.keys() == {"loss"}
    for _ in range(2):
        whole.pop()
    whole.add(LSTM(2))
    assert whole.predict(x, verbose=0).shape == (7, 2)


def test_a_model_up_to_a_layer_of_another_model(tmp_path):
    """`layer.output` and `layer.input`, of the first call; of copies and loaded models, too."""
    x, model = A.astype(np.float32), Sequential([Input((None, 3)), LSTM(4, return_sequences=True, seed=1), GRU(2, seed=2), Dense(1, seed=3)])
    with pytest.raises(AttributeError, match=r"lstm has no input and output yet: .* model.build\(\)"):
        model.layers[0].output      # noqa: B018
    want = model.predict(x, verbose=0)
    model.save(tmp_path / "m.safetensors")
    for same in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model)), lstmc.load(tmp_path / "m.safetensors")):
        lstm, gru, dense = same.layers
        assert lstm.output is gru.input
        assert dense.output is same.output
        features = Model(same.inputs, gru.output)
        h = features.predict(x, verbose=0)
        assert h.shape == (7, 2)
        assert Model(dense.input, dense.output).predict(h, verbose=0).tobytes() == want.tobytes()
        assert lstm.output is gru.input     # the first call still
    both = LSTM(3, return_state=True)
    given = Input((None, 2))
    found = both(given)
    assert both.output == found
    assert [t is given for t in [both.input]] == [True]


def by_name():
    """Dicts of inputs and outputs; one input has its name from the dict."""
    words, more = Input((None,)), Input((2,), name="more")
    h = GRU(3, seed=1)(Embedding(9, 4, seed=2)(words))
    return Model({"words": words, "more": more}, {"tags": Dense(4, "softmax", seed=3)(h), "age": Dense(1, seed=4)(Concatenate()([h, more]))})


def test_dicts_of_inputs_and_outputs(tmp_path):
    model = by_name()
    x, y = {"words": np.arange(28).reshape(7, 4) % 9, "more": B[:, 0], "unknown": "left alone"}, {"age": VALUES, "tags": LABELS[:, 0]}
    assert (model.input_names, model.output_names) == (["more", "words"], ["age", "tags"])
    assert {name: t.shape for name, t in model.output.items()} == {"age": (None, 1), "tags": (None, 4)}
    model.compile("adam", {"tags": "ce", "age": "mse"}, metrics={"tags": "accuracy"}, loss_weights={"age": 0.5})
    history = model.fit(x, y, epochs=2, batch_size=3, verbose=0, validation_data=(x, y)).history
    assert {"age_loss", "tags_loss", "tags_accuracy", "val_tags_accuracy"} < history.keys()
    model.train_on_batch(x, y)
    want = model.predict(x, batch_size=3, verbose=0)
    assert {name: p.shape for name, p in want.items()} == {"age": (7, 1), "tags": (7, 4)}
    model.save(tmp_path / "m.safetensors")
    outer = Model({"words": (a := Input((None,), name="words")), "more": (b := Input((2,), name="more"))}, model({"words": a, "more": b}))
    for same in (lstmc.load(tmp_path / "m.safetensors"), copy.deepcopy(model), pickle.loads(pickle.dumps(model)), outer):
        assert same.output_names == ["age", "tags"]
        for found in (same.predict(x, verbose=0), same.predict([x["more"], x["words"]], verbose=0), same.predict_on_batch(x), same(x)):
            assert {name: p.tobytes() for name, p in found.items()} == {name: p.tobytes() for name, p in want.items()}
    again = lstmc.load(tmp_path / "m.safetensors")
    assert again.evaluate(x, y, verbose=0, return_dict=True) == model.evaluate(x, y, verbose=0, return_dict=True)


def test_models_from_what_layers_inside_give(tmp_path):
    """Both halves of a model, split where a tensor is inside: they share its layers, and are it one after the other."""
    a = Input((None, 3))
    states = LSTM(4, return_sequences=True, return_state=True, seed=1)(a)
    h = Dense(3, "tanh", seed=2)(states[0])
    y = Dense(2, seed=3)(GRU(3, seed=4)(Concatenate()([h, states[0]]), initial_state=Dense(3, seed=5)(states[1])))
    whole, front, back = Model(a, y), Model(a, [h, states[0], states[1]]), Model([h, states[0], states[1]], y)
    x = A.astype(np.float32)
    assert len(set(back.input_names)) == 3
    assert [t.shape for t in back.inputs] == [(None, None, 3), (None, None, 4), (None, 4)]
    inner = front.predict(x, verbose=0)
    assert back.predict(inner, verbose=0).tobytes() == whole.predict(x, verbose=0).tobytes()
    back.compile("sgd", "mse")
    back.fit(inner, VALUES[:, [0, 0]], verbose=0)
    assert back.predict(inner, verbose=0).tobytes() == whole.predict(x, verbose=0).tobytes()
    back.save(tmp_path / "m.safetensors")
    for same in (lstmc.load(tmp_path / "m.safetensors"), copy.deepcopy(back)):
        assert same.predict(inner, verbose=0).tobytes() == back.predict(inner, verbose=0).tobytes()
    assert Model({"middle": h}, Dense(2)(h)).predict({"middle": inner[0]}, verbose=0).shape == (7, 5, 2)
