"""lstmc.Model: graphs with shared layers, several inputs and outputs, against central differences, `Sequential` and themselves loaded again."""

import copy
import pickle

import numpy as np
import pytest

import lstmc
from lstmc import Model, Sequential
from lstmc.layers import GRU, LSTM, Activation, Bidirectional, Dense, Dropout, Embedding, Input, SimpleRNN
from recipes import bits

pytestmark = pytest.mark.once
RNG = np.random.default_rng(3)
A, B = RNG.normal(size=(7, 5, 3)), RNG.normal(size=(7, 4, 2))
LABELS, VALUES = RNG.integers(0, 4, (7, 4)), RNG.normal(size=(7, 1))
F64 = {"dtype": "float64"}


def branched(dtype="float64", dropout=0.0, name=None):
    """Two inputs, two outputs, a layer that is called twice, states handed on."""
    a, b = Input((None, 3), name="a"), Input((None, 2), name="b")
    shared = Dense(3, "tanh", dtype=dtype, seed=1, name="shared")
    y, *states = LSTM(4, return_state=True, dtype=dtype, seed=2, name="encoder", dropout=dropout)(shared(shared(a)))
    steps = LSTM(4, return_sequences=True, dtype=dtype, seed=3, name="decoder")(b, initial_state=states)
    tags = Dense(4, "softmax", dtype=dtype, seed=4, name="tags")(steps)
    value = Dense(1, dtype=dtype, seed=5, name="value")(y)
    return Model([a, b], [tags, value], name)


def compiled(model, **arguments):
    model.compile(lstmc.optimizers.Adam(0.01), ["sparse_categorical_crossentropy", "mse"], **{"loss_weights": [1.0, 0.3], **arguments})
    model.shuffle_seed = 11
    return model


def test_gradients_of_a_graph():
    model = compiled(branched())
    batch = model._prepare([A, B], [LABELS, VALUES])
    model.graph.prepare_gradients()
    run = model.run(batch.x, True, 0)
    dps = []
    grads = model._penalized(model._gradients(run, model._measure(batch, run, dps), dps))
    names = [name for name, _ in model.trained]
    assert names[:2] == ["shared/kernel", "shared/bias"]
    eps, n = 1e-6, 0
    for (name, v), g in zip(model.trained, grads, strict=True):
        w = v.array.reshape(-1) if v.array.flags.c_contiguous else v.array
        for i in range(0, w.size, 5):
            at = np.unravel_index(i, v.array.shape)
            found = []
            for d in (eps, -eps):
                v.array[at] += d
                found.append(model.evaluate([A, B], [LABELS, VALUES], verbose=0, return_dict=True)["loss"])
                v.array[at] -= d
            assert np.isclose((found[0] - found[1]) / (2 * eps), g[at], rtol=1e-6, atol=1e-8), (name, at)
            n += 1
    assert n > 50


def test_gradients_of_a_tensor_that_two_layers_take():
    """They add up: two heads with the same weights on one hidden layer move it as one head of twice the loss."""
    a, results = Input((3,)), []
    for heads in (1, 2):
        hidden = Dense(4, "tanh", seed=1, **F64)
        t = hidden(a)
        model = Model(a, [Dense(1, seed=2, name=f"head{n}", **F64)(t) for n in range(heads)])
        model.compile(lstmc.optimizers.SGD(0.1), ["mse"] * heads, loss_weights=[2.0 / heads] * heads)
        model.train_on_batch(A[:, 0], [VALUES] * heads if heads > 1 else VALUES)
        results.append(hidden.get_weights())
    assert all(np.allclose(one, two, rtol=1e-12) for one, two in zip(*results, strict=True))


def test_predictions_are_no_views_of_the_input():
    x = np.ones((2, 3), np.float32)
    p = Sequential([Input((3,)), Activation("linear")]).predict(x, verbose=0)
    p[:] = 7
    assert (x == 1).all()


class Doubled(Dense):
    def forward(self, x, mask=None, training=False, step=0):
        y, mask, tape = super().forward(x, mask, training, step)
        return 2 * y, mask, tape


class AlwaysDropped(Dropout):
    def forward(self, x, mask=None, training=False, step=0):
        return super().forward(x, mask, True, step)


def test_outputs_alone_are_those_of_a_run():
    """Of rows of layers, which keep no account then, of others, and of layers whose forward is a subclass's own."""
    rows = [
        *([kind(4, seed=1, **more), Dropout(0.5), Dense(3, "tanh", seed=2)] for kind in (LSTM, GRU, SimpleRNN)
          for more in ({}, {"return_sequences": True}, {"go_backwards": True}, {"activation": "relu", "use_bias": False})),
        *([Bidirectional(GRU(4, seed=1), merge), Activation("softmax")] for merge in ("concat", "sum", "mul", "ave")),
        [Dense(4, seed=1), LSTM(4, seed=2, return_sequences=True), Bidirectional(LSTM(2, seed=3))],
        [LSTM(4, seed=1), Doubled(2, seed=2)],
        [LSTM(4, seed=1), AlwaysDropped(0.5, seed=2)],
        [lstmc.layers.Masking(0.0), LSTM(4, seed=1), Dense(2, seed=2)],
        [Dropout(0.5), Activation("linear")],
    ]
    x, fast = A.astype(np.float32), 0
    x[0, 2:] = 0
    for row in rows:
        model = Sequential([Input((None, 3)), *row])
        model.build()
        fast += model.graph.values is not None
        assert not np.shares_memory(model.predict(x, verbose=0), x)
        for some in (x, x[:1], x[3:4], x[:0], x[:, :0]):
            want = model.run((some,)).outputs[0]
            assert [a.tobytes() for a in (model.predict(some, verbose=0), model.predict_on_batch(some), model(some))] == [want.tobytes()] * 3, row
            assert model.predict(some, verbose=0).shape == want.shape
    assert fast == len(rows) - 3
    assert branched().graph.values is None


def test_what_fits_into_no_memory_is_said():
    model = Sequential([Input((None, 1)), LSTM(4)])
    with pytest.raises(MemoryError, match="70368744177664 steps of 1 sequences"):
        model.predict(np.broadcast_to(np.float32(0), (1, 2**46, 1)), verbose=0)


def test_more_shapes_than_are_remembered():
    model = Sequential([Input((None, 3)), LSTM(2, seed=1)])
    for _ in range(2):
        assert [model.predict(A[:1, :1].repeat(t, 1), verbose=0).shape for t in range(1, 80)] == [(1, 2)] * 79


def test_what_was_taken_as_it_is_is_taken_again_without_a_look(monkeypatch):
    """And nothing else is: other dtypes, order of bytes, alignment, shapes, subclasses, lists."""
    model, looks, real = Sequential([Input((None, 3)), LSTM(2, seed=1)]), [], lstmc.layers.base.as_floats
    monkeypatch.setattr(lstmc.layers.base, "as_floats", lambda *arguments: (looks.append(1), real(*arguments))[1])
    x = A.astype(np.float32)
    want = model.predict(x, verbose=0).tobytes()
    looks.clear()
    assert model.predict(x.copy(), verbose=0).tobytes() == want
    assert not looks
    unaligned = np.frombuffer(b"1" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
    assert not unaligned.flags.aligned
    for same in (x.astype(np.float64), x.astype(">f4"), unaligned, np.ma.array(x), x.tolist(), [x]):
        looks.clear()
        assert model.predict(same, verbose=0).tobytes() == want
        assert looks
    with pytest.raises(ValueError, match="masked"):
        model.predict(np.ma.array(x, mask=x > 0), verbose=0)
    with pytest.raises(ValueError, match=r"lstm: expected input of shape|expected input"):
        model.predict(x[..., :2], verbose=0)


def test_a_row_of_calls_is_a_sequential():
    def layers():
        return [Embedding(9, 3, mask_zero=True, seed=1), Bidirectional(GRU(5, return_sequences=True, seed=2)), Dropout(0.3, seed=6), LSTM(3, seed=3),
                Dense(2, "softmax", seed=4)]

    x, y = np.arange(60).reshape(10, 6) % 9, np.arange(10) % 2
    row = Sequential([Input((6,)), *layers()])
    t = first = Input((6,))
    for layer in layers():
        t = layer(t)
    graph = Model(first, t)
    results = []
    for model in (row, graph):
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.shuffle_seed = 5
        history = model.fit(x, y, epochs=3, batch_size=4, verbose=0).history
        results.append((history, bits(model), model.predict(x, verbose=0).tobytes(), [w.shape for w in model.get_weights()]))
    assert results[0] == results[1]


def test_results_of_several_outputs():
    model = compiled(branched(), metrics=[["accuracy"], []], weighted_metrics=[None, ["mse"]])
    found = model.evaluate([A, B], [LABELS, VALUES], batch_size=3, verbose=0)
    assert model.metrics_names == ["loss", "tags_loss", "value_loss", "tags_accuracy", "value_mse"]
    p, v = model.predict({"b": B, "a": A}, batch_size=2, verbose=0)
    assert p.shape == (7, 4, 4)
    tags = -np.log(np.take_along_axis(p, LABELS[..., None], -1)).mean()
    value = np.square(v - VALUES).mean()
    assert np.allclose(found, [tags + 0.3 * value, tags, value, (p.argmax(-1) == LABELS).mean(), value], rtol=1e-12)
    by_name = compiled(branched(), metrics={"tags": "accuracy"})
    by_name.loss = {"tags": by_name.loss[0], "value": by_name.loss[1]}
    assert by_name.evaluate({"a": A, "b": B}, {"value": VALUES, "tags": LABELS}, batch_size=3, verbose=0)[:3] == found[:3]
    weights = np.arange(7) / 3
    weighted = compiled(branched(), weighted_metrics={"value": ["mse"]})
    logs = weighted.evaluate([A, B], [LABELS, VALUES], sample_weight={"value": weights}, verbose=0, return_dict=True)
    assert np.isclose(logs["value_loss"], (np.square(v - VALUES)[:, 0] * weights).mean())
    assert logs["tags_loss"] == pytest.approx(found[1], rel=1e-12)
    both = weighted.evaluate([A, B], [LABELS, VALUES], sample_weight=weights, verbose=0, return_dict=True)
    assert np.isclose(both["tags_loss"], (-np.log(np.take_along_axis(p, LABELS[..., None], -1))[..., 0] * weights[:, None]).mean())


def test_an_output_without_a_loss_is_not_trained():
    model = branched("float32")
    model.compile("sgd", {"value": "mse"})
    before = model.get_layer("decoder").get_weights(), model.get_layer("encoder").get_weights()
    history = model.fit([A, B], {"value": VALUES}, verbose=0).history
    assert list(history) == ["loss", "value_loss"]
    assert all(np.array_equal(a, b) for a, b in zip(before[0], model.get_layer("decoder").get_weights(), strict=True))
    assert not np.array_equal(before[1][0], model.get_layer("encoder").get_weights()[0])


def test_saved_and_loaded_in_mid_training(tmp_path):
    whole, half = (compiled(branched("float32", 0.2, "twins"), metrics=[["accuracy"], ["mae"]]) for _ in range(2))
    first = whole.fit([A, B], [LABELS, VALUES], epochs=4, batch_size=3, verbose=0).history
    half.fit([A, B], [LABELS, VALUES], epochs=2, batch_size=3, verbose=0)
    half.save(tmp_path / "m.safetensors")
    again = lstmc.load(tmp_path / "m.safetensors")
    assert type(again) is Model
    assert again.name == "twins"
    assert again.get_config() == half.get_config()
    rest = again.fit([A, B], [LABELS, VALUES], epochs=4, initial_epoch=2, batch_size=3, verbose=0).history
    assert {k: v[2:] for k, v in first.items()} == rest
    assert bits(again) == bits(whole)
    new = Model.from_config(half.get_config())
    assert [w.shape for w in new.get_weights()] == [w.shape for w in half.get_weights()]
    half.save_weights(tmp_path / "w.safetensors")
    for name in ("w", "m"):
        new.set_weights([w * 0 for w in new.get_weights()])
        new.load_weights(tmp_path / f"{name}.safetensors")
        assert all(np.array_equal(a, b) for a, b in zip(new.get_weights(), half.get_weights(), strict=True))
    other = Sequential([Input((3,)), Dense(2)])
    other.build()
    before = bits(other)
    with pytest.raises(lstmc.FormatError, match="are missing"):
        other.load_weights(tmp_path / "w.safetensors")
    assert bits(other) == before


@pytest.mark.parametrize("again", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))], ids=["copy", "pickle"])
def test_copies_share_nothing(again):
    model = compiled(branched("float32"))
    model.fit([A, B], [LABELS, VALUES], verbose=0)
    twin = again(model)
    before = bits(model)
    assert bits(twin) == before
    twin.fit([A, B], [LABELS, VALUES], verbose=0)
    assert bits(model) == before != bits(twin)
    model.fit([A, B], [LABELS, VALUES], verbose=0)
    assert bits(model) == bits(twin)


def test_a_long_row():
    t = first = Input((2,))
    for _ in range(990):
        t = Activation("relu")(t)
    model = pickle.loads(pickle.dumps(Model(first, t)))
    assert np.array_equal(model.predict(np.eye(2), verbose=0), np.eye(2))


def test_frozen_layers():
    model = branched("float32")
    model.get_layer("encoder").trainable = False
    compiled(model)
    before = model.get_layer("encoder").get_weights(), model.get_layer("shared").get_weights()
    model.fit([A, B], [LABELS, VALUES], verbose=0)
    assert all(np.array_equal(a, b) for a, b in zip(before[0], model.get_layer("encoder").get_weights(), strict=True))
    assert not np.array_equal(before[1][0], model.get_layer("shared").get_weights()[0])      # gradients pass through
    assert len(model.trainable_weights) == len(model.weights) - 3
    model.trainable = False
    model.compile("adam", ["sparse_categorical_crossentropy", "mse"])
    before = bits(model)
    model.fit([A, B], [LABELS, VALUES], verbose=0)
    assert bits(model) == before


def test_the_table(capsys):
    branched(name="both").summary()
    assert capsys.readouterr().out.splitlines() == [
        'Model: "both"',
        " Layer (type)    Output shape     Parameters  Called on",
        " -------------------------------------------------------",
        " a (InputLayer)  (None, None, 3)           0  -",
        " b (InputLayer)  (None, None, 2)           0  -",
        " shared (Dense)  (None, None, 3)          12  a",
        " shared (Dense)  (None, None, 3)           0  shared",
        " encoder (LSTM)  (None, 4)               128  shared",
        "                 (None, 4)",
        "                 (None, 4)",
        " decoder (LSTM)  (None, None, 4)         112  b",
        "                                              encoder[1]",
        "                                              encoder[2]",
        " tags (Dense)    (None, None, 4)          20  decoder",
        " value (Dense)   (None, 1)                 5  encoder[0]",
        " Total parameters: 277 (2.2 KiB)",
    ]


def one():
    return Input((None, 3))


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: Model(), TypeError, "Model: expected inputs and outputs"),
    (lambda: Model(one(), np.ones(3)), TypeError, "outputs: expected symbolic tensors, which Input and layers give, received ndarray"),
    (lambda: Model([], []), ValueError, "expected at least one of each"),
    (lambda: Model(one(), LSTM(2)(one())), ValueError, "inputs: expected all that outputs depend on, received none for 'input_layer'"),
    (lambda: Model([t := one(), t], LSTM(2)(t)), ValueError, "expected every input once"),
    (lambda: Model(LSTM(2, return_state=True)(a := one())[0], Dense(1)(LSTM(2)(a))), ValueError, "received none for 'input_layer'"),
    (lambda: Model({"a": (t := Input((2,), name="b"))}, t), ValueError, r"inputs: expected a dict by the names of its inputs, received the key 'a' of Input"),
    (lambda: Model({1: (t := one())}, t), TypeError, "inputs: expected a dict by names, received the key 1"),
    (lambda: Model({"a": one()}, {"b": np.ones(2)}), TypeError, "outputs: expected symbolic tensors"),
    (lambda: Model(t := one(), Dense(1, dtype="float64")(LSTM(2)(t))), ValueError, "dtype: expected float32, as of 'lstm', received float64 for 'dense'"),
    (lambda: Model(t := one(), Dense(1, name="a")(Dense(1, name="a")(t))), ValueError, "name: expected a unique name, received 'a' twice"),
    (lambda: LSTM(2)(Input((3,))), ValueError, r"lstm: expected input of shape \(batch, time, features\), received \(None, 3\)"),
    (lambda: LSTM(2)(one(), initial_state=[Input((2,))]), ValueError, r"initial_state: expected a list of 2 states of shape \(batch, 2\)"),
    (lambda: LSTM(2)(one(), initial_state=[Input((2,)), Input((3,))]), ValueError, r"received \(None, 2\), \(None, 3\)"),
    (lambda: LSTM(2)(one(), mask=np.ones((2, 2))), ValueError, "lstm: mask: expected None with symbolic tensors"),
    (lambda: np.asarray(one()), TypeError, "stands for arrays to come and has no values"),
    (lambda: Sequential([Input((3, 2)), LSTM(2, return_state=True)]), ValueError, "with return_state=True, which has states beside it; lstmc.Model"),
    (lambda: Sequential([Sequential([Dense(2)])]), TypeError, "received the model 'sequential'; add its layers"),
    (lambda: branched().predict([A]), ValueError, "x: expected a list with an array for each of the 2 inputs 'a', 'b', received a list of 1"),
    (lambda: branched().predict({"a": A}), ValueError, "x: expected a dict with 'a', 'b', received one with 'a'"),
    (lambda: branched().predict([A, B[:3]]), ValueError, "x: expected as many samples for every input, received 7, 3"),
    (lambda: branched().predict([A, A]), ValueError, r"b: expected input of shape \(batch, any, 2\)"),
    (lambda: branched().predict([A, B.astype(str)]), TypeError, r"x\['b'\]: expected real numbers"),
    (lambda: compiled(branched()).fit([A, B], LABELS), ValueError, "y: expected a list with an entry for each of the 2 outputs 'tags', 'value'"),
    (lambda: compiled(branched()).fit([A, B], {"tags": LABELS}), ValueError, r"y\['value'\]: expected targets, received None"),
    (lambda: compiled(branched()).fit([A, B], [LABELS, VALUES[:2]]), ValueError, r"y\['value'\]: expected 7 entries"),
    (lambda: compiled(branched()).fit([A, B], [LABELS + 1, VALUES]), ValueError, r"y\['tags'\]: expected labels from 0 to 3"),
    (lambda: compiled(branched()).fit([A, B], [LABELS, VALUES], class_weight={0: 1}), ValueError, "class_weight: expected None for a model of several"),
    (lambda: branched().compile("sgd", ["mse"]), ValueError, "loss: expected a list with an entry for each of the 2 outputs"),
    (lambda: branched().compile("sgd", {"tag": "mse"}), ValueError, "loss: expected a dict by the outputs 'tags', 'value', received 'tag'"),
    (lambda: branched().compile("sgd", "mse"), ValueError, "loss: expected a list with an entry"),
])  # fmt: skip
def test_wrong_graphs_and_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
