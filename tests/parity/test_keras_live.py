"""Against Keras itself, on torch's backend: objects taken in, objects made, and the proof that both compute the same."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import pytest
from keras import layers as la

import lstmc
from lstmc import nn

TOLERANCE = {"float32": 2e-5, "float64": 1e-12}
rng = np.random.default_rng(0)
pytestmark = pytest.mark.filterwarnings("ignore:You are saving:UserWarning", "ignore:.*legacy:UserWarning", "ignore:Layer .* was passed an input with a mask",
                                        "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")


def drawn(model):
    model.set_weights([rng.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else rng.uniform(-0.8, 0.8, w.shape) for w in model.get_weights()])
    return model


def arrays(found):
    return [np.asarray(a.detach() if hasattr(a, "detach") else a) for a in (found if isinstance(found, (list, tuple)) else [found])]


def check(want, got, dtype="float32"):
    for a, b in zip(arrays(want), arrays(got), strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() < TOLERANCE[dtype]


def there_and_back(model, *xs):
    """From Keras, compared; and to Keras again, compared."""
    xs = list(xs) if len(xs) > 1 else xs[0]
    want = model(xs)
    ours = lstmc.from_keras(model)
    check(want, ours.predict_on_batch(xs), str(ours.dtype))
    again = ours.to_keras()
    assert type(again).__name__ == type(model).__name__
    check(want, again(xs), str(ours.dtype))
    for a, b in zip(ours.get_weights(), lstmc.from_keras(again).get_weights(), strict=True):
        assert np.array_equal(a, b)
    return ours


def x(features=3, padded=True):
    found = rng.standard_normal((3, 5, features)).astype(np.float32)
    if padded:
        found[0, 3:] = found[1, :2] = 0
    return found


@pytest.mark.parametrize(("kind", "settings"), [
    ("LSTM", {}), ("LSTM", {"recurrent_activation": "hard_sigmoid", "go_backwards": True, "return_sequences": True}),
    ("LSTM", {"activation": "leaky_relu", "use_bias": False, "zero_output_for_mask": True, "return_sequences": True}),
    ("GRU", {"return_sequences": True}), ("GRU", {"reset_after": False}), ("GRU", {"reset_after": False, "use_bias": False}),
    ("SimpleRNN", {"activation": "relu"}),
])
def test_recurrent_layers(kind, settings):
    def made():
        return getattr(la, kind)(4, **settings)

    start = [la.Input((None, 3)), la.Masking()]
    there_and_back(drawn(keras.Sequential([*start, made()])), x())
    if not settings.get("go_backwards"):
        there_and_back(drawn(keras.Sequential([*start, la.Bidirectional(made(), merge_mode="ave")])), x())
    alone = made()
    alone(x())
    ones = np.ones((2, 5, 3), np.float32)
    check(drawn(alone)(ones), lstmc.from_keras(alone).predict_on_batch(ones))


def test_float64():
    """Of what Keras hands to torch as a whole; its own loop over time, that of masks, is in float32."""
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        for made in (la.LSTM(4), la.GRU(4, return_sequences=True), la.Bidirectional(la.LSTM(4))):
            there_and_back(drawn(keras.Sequential([la.Input((None, 3)), made])), x())
    finally:
        keras.config.set_floatx(before)
        keras.config.set_dtype_policy(before)


def test_a_row_and_a_graph():
    row = keras.Sequential([
        la.Input((None,), dtype="int32"), la.Embedding(5, 3, mask_zero=True), la.Bidirectional(la.GRU(3, return_sequences=True)),
        la.LSTM(4, return_sequences=True, dropout=0.1, kernel_regularizer="l2"), la.TimeDistributed(la.Dense(3)), la.BatchNormalization(),
        la.LayerNormalization(), la.PReLU(shared_axes=[1]), la.SimpleRNN(4), la.Dense(3, activation="softmax")])
    row.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    words = np.array([[1, 4, 2, 3, 1], [2, 1, 0, 0, 0], [3, 3, 4, 0, 0]])
    ours = there_and_back(drawn(row), words)
    assert type(ours.optimizer) is lstmc.optimizers.Adam
    assert ours.loss is not None
    a, b = la.Input((None, 3), name="a"), la.Input((4,), name="b")
    shared = la.Dense(3)
    y, h, c = la.LSTM(2, return_sequences=True, return_state=True)(shared(a))
    z = la.GRU(2)(y, initial_state=h)
    inner = keras.Sequential([la.Input((2,)), la.Dense(3), la.Dense(2)])
    q = la.Concatenate()([inner(z), shared(la.Dense(3)(b)), inner(c)])
    both = la.Bidirectional(la.LSTM(2, return_state=True))(a, initial_state=[h, c, h, c])
    there_and_back(drawn(keras.Model([a, b], [q, y, both[0], la.Dot(1)([z, h])])), x(padded=False), x(4)[:, 0])


def test_inputs_and_outputs_by_key_and_a_model_that_gives_a_tuple():
    a, b, i = la.Input((5, 3), name="z"), la.Input((5, 3), name="y"), la.Input((5, 3))
    encoder = keras.Model(i, la.LSTM(4, return_state=True)(i)[1:])
    model = drawn(keras.Model({"z": a, "y": b}, {"q": la.LSTM(4)(a, initial_state=encoder(b)), "p": la.GRU(2)(b)}))
    model.compile("sgd", {"q": "mse", "p": "mae"})
    given = {"z": x(), "y": x()}
    want, ours = model(given), lstmc.from_keras(model, verify=True)
    got = ours.predict_on_batch(given)
    assert got.keys() == want.keys() == ours.loss.keys()
    check([want[key] for key in got], list(got.values()))


def test_models_in_time_distributed(tmp_path):
    """Predictions of objects and files, and three steps of training."""
    def words(n):
        return keras.Sequential([la.Dense(4, "tanh"), la.Dense(n)])

    def lines():
        i, shared = la.Input((5, 3)), la.Dense(3)
        return keras.Model(i, la.Bidirectional(la.GRU(2))(la.TimeDistributed(words(2))(la.Add()([shared(shared(la.Masking()(i))), i]))))

    a = la.Input((2, 5, 3))
    again = la.TimeDistributed(lines())
    found = [keras.Sequential([la.Input((5, 3)), la.Masking(), la.TimeDistributed(words(3)), la.LSTM(2)]),
             keras.Sequential([la.TimeDistributed(la.TimeDistributed(words(2))), la.TimeDistributed(la.Flatten()), la.SimpleRNN(2)]),
             keras.Model(a, [la.LSTM(2)(again(a)), again(la.TimeDistributed(la.TimeDistributed(words(3)))(a))])]
    for model, given in zip(found, (x(), np.stack([x(), x()], 1), np.stack([x(), x()], 1)), strict=True):
        want = arrays(model(given))
        model.compile(keras.optimizers.Adam(0.01), "mse")
        targets = [np.ones_like(y) for y in want] if len(want) > 1 else np.ones_like(want[0])
        ours = there_and_back(drawn(model), given)
        assert ours.count_params() == model.count_params()
        for suffix in (".keras", ".h5"):
            model.save(tmp_path / f"m{suffix}")
            check(model(given), lstmc.from_keras(tmp_path / f"m{suffix}").predict_on_batch(given))
        for _ in range(3):
            model.train_on_batch(given, targets)
            ours.train_on_batch(given, targets)
        check(lstmc.from_keras(model).get_weights(), ours.get_weights())
    alone = la.TimeDistributed(words(2))
    alone.build((None, 5, 3))
    given = x()
    check(alone(given), lstmc.from_keras(alone).predict_on_batch(given))


@pytest.mark.parametrize(("made", "x_shape"), [
    (lambda: nn.LSTM(3, 4, seed=0), (2, 5, 3)), (lambda: nn.LSTM(3, 4, bidirectional=True, bias=False, seed=0), (2, 5, 3)),
    (lambda: nn.LSTM(3, 4, activations=(("hard_sigmoid", 1 / 6, 0.5), "softsign", "softsign"), dtype="float64", seed=0), (2, 5, 3)),
    (lambda: nn.GRU(3, 4, seed=0), (2, 5, 3)), (lambda: nn.GRU(3, 4, reset_after=False, bidirectional=True, seed=0), (2, 5, 3)),
    (lambda: nn.RNN(3, 4, nonlinearity="relu", seed=0), (2, 5, 3)),
])
def test_modules_as_layers(made, x_shape):
    m = made()
    x = rng.standard_normal(x_shape).astype(m.dtype)
    y, state = m(x.swapaxes(0, 1))
    states = state if isinstance(state, tuple) else (state,)
    check(m.to_keras()(x), [y.swapaxes(0, 1), *(part[d] for d in range(m.num_directions) for part in states)], str(m.dtype))


@pytest.mark.parametrize("settings", [{}, {"weight_decay": 0.01}, {"clipvalue": 0.5}, {"clipnorm": 1.0}], ids=str)
@pytest.mark.parametrize("name", ["Lion", "AdamW", "Adam", "Nadam", "Adamax", "RMSprop", "SGD"])
def test_gradients_of_every_size(name, settings):
    """Zeros, gradients below the smallest normal number, and large ones."""
    sizes = np.array([0, 1e-44, 1e-40, 1e-38, 1e-30, 1e-20, 1e-12, 1e-8, 1e-5, 1, 1e3, 1e10, 1e18], np.float32)
    g = np.concatenate([sizes, -sizes])
    w = np.linspace(-1, 1, g.size, dtype=np.float32)
    theirs, ours, v = getattr(keras.optimizers, name)(**settings), getattr(lstmc.optimizers, name)(**settings), keras.Variable(w)
    theirs.build([v])
    for step in (g, g[::-1].copy(), np.zeros_like(g), g):
        theirs.apply([keras.ops.convert_to_tensor(step)], [v])
        ours.apply([step.copy()], [w])
        np.testing.assert_allclose(w, v.numpy(), 2e-6)


def test_what_keras_has_not_is_named():
    for m, message in ((nn.LSTM(3, 4, proj_size=2), "proj_size: expected 0, since Keras has nothing like it, received 2"),
                       (nn.LSTM(3, 4, peephole=True), "peephole: expected False, since Keras has nothing like it"),
                       (nn.LSTM(3, 4, 2), "num_layers: expected 1, since a layer of Keras is one, received 2"),
                       (nn.GRU(3, 4, zoneout=0.1), "zoneout: expected 0, since Keras has nothing like it"),
                       (nn.LSTM(3, 4, clip=1.0), "clip: expected None"), (nn.LSTM(3, 4, coupled=True), "coupled: expected False"),
                       (nn.LSTM(3, 4, gates_off=("i",)), r"gates_off: expected \(\)"), (nn.LSTM(3, 4, layer_norm="tfa"), "layer_norm: expected None"),
                       (nn.LSTM(3, 4, activations=("sigmoid", "tanh", "relu")), "activations: expected one of g and of h"),
                       (nn.RNN(3, 4, nonlinearity=("elu", 0.5)), "activations: expected those that layers of Keras have")):
        with pytest.raises(ValueError, match=message):
            m.to_keras()
    m = lstmc.Sequential([lstmc.Input((None, 3)), lstmc.layers.LSTM(2, recurrent_activation="hard_sigmoid_keras2", name="a")])
    with pytest.raises(ValueError, match="a: recurrent_activation='hard_sigmoid_keras2' is that of Keras 1 and 2, which Keras 3 has not"):
        m.to_keras()


def test_every_layer_goes_to_keras():
    """Layers that no other test here takes there, on their own and behind a mask; Softmax with a mask of steps, LayerNormalization(axis=1): errors in Keras."""
    to = lstmc.layers
    every = (to.ReLU(1.5, 0.2, 0.5), to.LeakyReLU(), to.ELU(0.5), to.PReLU(), to.BatchNormalization(axis=1, scale=False), to.LayerNormalization(axis=[1, 2]),
             to.LayerNormalization(center=False), to.GlobalAveragePooling1D(keepdims=True), to.GlobalMaxPooling1D(), to.Dropout(0.1, (None, 1, None)),
             to.SpatialDropout1D(0.2, seed=1), to.GaussianNoise(0.3, seed=2**40), to.GaussianDropout(0.3), to.AlphaDropout(0.3, (None, 1, None)),
             to.ActivityRegularization(0.1, 0.2), to.UnitNormalization([1, -1]), to.Cropping1D((1, 2)), to.ZeroPadding1D((0, 2)), to.UpSampling1D(3),
             to.Conv1D(4, 3, 2, "same", activation="relu"), to.Conv1D(4, 2, padding="causal", dilation_rate=2), to.MaxPooling1D(3, 2, "same"),
             to.AveragePooling1D(2),
             to.Flatten(), to.Permute((2, 1)), to.Reshape((-1, 5)), to.TimeDistributed(to.Dense(3, "gelu")), to.Activation("mish"), to.Softmax(1),
             to.TimeDistributed(lstmc.Sequential([to.Dense(4), to.Dense(2)])), to.Dense(3, kernel_regularizer="l2", activity_regularizer="l1"))
    covered = {type(layer) for layer in every}
    for layer in every:
        from_here(lstmc.Sequential([to.Input((5, 3)), layer]), x(padded=False))
        if layer.supports_masking and not isinstance(layer, (to.Flatten, to.GlobalAveragePooling1D, to.Softmax)):
            from_here(lstmc.Sequential([to.Input((5, 3)), to.Masking(), layer, to.SimpleRNN(2)]), x())
    a, b = to.Input((5, 3), name="a"), to.Input((5, 3), name="b")
    for layer in (to.Add(), to.Average(), to.Subtract(), to.Multiply(), to.Maximum(), to.Minimum(), to.Concatenate(), to.Concatenate(1)):
        covered.add(type(layer))
        from_here(lstmc.Model([a, b], to.GRU(4)(layer([to.Masking()(a), to.Masking()(b)]))), [x(), x()])
    from_here(lstmc.Model([a, b], to.Dot((1, 1), True)([a, b])), [x(), x()])
    from_here(lstmc.Sequential([to.Input((3,)), to.RepeatVector(4)]), x(padded=False)[:, 0])
    covered |= {to.Dot, to.RepeatVector, to.Masking, to.InputLayer, to.Embedding, to.LSTM, to.GRU, to.SimpleRNN, to.Bidirectional}
    assert covered == set(to.CLASSES.values())
    for kind in (to.LSTM, to.GRU, to.SimpleRNN):
        from_here(lstmc.Sequential([to.Input(batch_shape=(3, 5, 3)), to.Bidirectional(kind(4, stateful=True))]), x(), calls=3)
        from_here(lstmc.Sequential([to.Input((5, 3)), to.Masking(), kind(4, go_backwards=True, zero_output_for_mask=True)]), x())
        _, *states = to.Bidirectional(kind(4, return_state=True))(to.Masking()(a))
        decoded = to.Bidirectional(kind(4, return_sequences=True, return_state=True), None)(to.Masking()(b), initial_state=states)
        from_here(lstmc.Model([a, b], list(decoded)), [x(), x()])
    word = lstmc.Sequential([to.Input((5,)), to.Embedding(9, 4, mask_zero=True), to.LSTM(5)])
    lines, other = to.Input((4, 5), name="lines"), to.Input((5,), name="other")
    words = rng.integers(0, 3, (3, 4, 5))
    from_here(lstmc.Model({"lines": lines, "other": other}, {"p": to.TimeDistributed(word)(lines), "q": word(other)}), {"lines": words, "other": words[:, 0]})


def from_here(model, x, calls=1):
    """A model of this package, with drawn weights, against what it becomes, in so many calls."""
    model.predict_on_batch(x)
    model.reset_states()
    theirs = drawn(model).to_keras()
    for _ in range(calls):
        want, got = model.predict_on_batch(x), theirs(x)
        assert not isinstance(want, dict) or want.keys() == got.keys()
        check(list(want.values()) if isinstance(want, dict) else want, list(got.values()) if isinstance(got, dict) else got)


def test_masks_that_keras_leaves_out_are_told():
    a, h = la.Input((5, 3)), la.Input((4,))
    masked = la.Masking()(a)
    with pytest.warns(UserWarning, match="layer 'gru': Keras 3 leaves out the mask of a call with initial_state"):
        lstmc.from_keras(drawn(keras.Model([a, h], la.GRU(4, name="gru")(masked, initial_state=h))))
    there_and_back(drawn(keras.Model([a, h], la.GRU(4)(masked, initial_state=h, mask=masked._keras_mask))), x(), x(4)[:, 0])


def test_proof(tmp_path, capsys):
    model = drawn(keras.Sequential([la.Input((None,), dtype="int32"), la.Embedding(9, 3, mask_zero=True), la.Bidirectional(la.LSTM(4)), la.Dense(2)]))
    lstmc.from_keras(model, verify=True)
    model.save(tmp_path / "m.keras")
    lstmc.from_keras(tmp_path / "m.keras", verify=True)
    lstmc.from_keras(drawn(keras.Sequential([la.Input((None, 3)), la.Masking(), la.GRU(4, return_sequences=True)])), verify=True)
    assert capsys.readouterr().out.count("no difference is larger than rounding") == 3
    a, b = la.Input((4, 3)), la.Input((2,))
    ours = lstmc.from_keras(drawn(keras.Model([a, b], la.Concatenate()([la.LSTM(3)(a), b]))), verify=True)
    ours.layers[1].set_weights([w + 0.01 for w in ours.layers[1].get_weights()])
    from lstmc.interchange import keras_objects
    with pytest.raises(ValueError, match=r"verify: Keras' functional.* against lstmc's: expected output 'output 0' within"):
        keras_objects.verified(drawn(keras.Model([a, b], la.Concatenate()([la.LSTM(3)(a), b]))), ours)


def test_objects_that_are_refused():
    class Own(keras.Model):
        def call(self, x):
            return x

    class Mine(la.Dense):
        def call(self, x):
            return 2 * super().call(x)

    with pytest.raises(ValueError, match=r"obj: expected a Sequential, a functional model or a layer of Keras, received .*Own"):
        lstmc.from_keras(Own())
    with pytest.raises(ValueError, match=r"layer 'mine': .*Mine of .* is not supported: it is not a class of Keras"):
        lstmc.from_keras(keras.Sequential([la.Input((3,)), Mine(2, name="mine")]))
    with pytest.raises(ValueError, match=r"obj: expected a built model or layer, received 'lstm_?[0-9]*', which has no weights"):
        lstmc.from_keras(la.LSTM(3))
    a = la.Input((3,))
    with pytest.raises(ValueError, match=r"layer 'add\w*': the operation Add of .*ops.* is not supported"):
        lstmc.from_keras(keras.Model(a, keras.ops.add(a, a)))
