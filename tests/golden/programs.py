"""Small programs that Keras and this package run alike: functions of a namespace, `keras` or `lstmc`, that give a model and what fit is given.

All layers are of float64. `make_programs.py` writes what Keras makes of them; `test_programs.py` compares.
"""

import numpy as np

N, T, F = 12, 5, 3


def numbers(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def words(seed, *shape, high=9):
    """Whole numbers, 0 from some step on and here and there."""
    found = np.random.default_rng(seed).integers(1, high, shape)
    found[::3, shape[1] - 2:] = 0
    found[1::4, 1] = 0
    return found


class Of:
    """A namespace's layers, with dtype float64, and softsign for tanh, which Keras rounds to float32 on JAX."""

    def __init__(self, k):
        self.k = k

    def __getattr__(self, name):
        cls = getattr(self.k.layers, name)
        default = {"dtype": "float64"} | ({"activation": "softsign"} if name in ("GRU", "LSTM", "SimpleRNN") else {})
        return lambda *arguments, **settings: cls(*arguments, **default | settings)


def shared(k):
    """Two questions to one encoder, whose masks differ."""
    la, (a, b) = Of(k), (k.Input((T,), name=name) for name in ("first", "second"))
    table, encoder = la.Embedding(9, 4, mask_zero=True), la.GRU(3)
    codes = [encoder(table(x)) for x in (a, b)]
    joined = la.Concatenate()([*codes, la.Subtract()(codes), la.Multiply()(codes)])
    model = k.Model([a, b], la.Dense(1, activation="sigmoid")(joined))
    model.compile(k.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    return model, {"x": {"first": words(1, N, T), "second": words(2, N, T)}, "y": words(3, N, 3, high=3)[:, :1] % 2}


def sequences(k):
    """An encoder with a mask, whose states a decoder begins with. (Keras gives a decoder that is called with states no mask.)"""
    la, source, target = Of(k), k.Input((None,)), k.Input((T, F))
    _, *states = la.LSTM(4, return_state=True, recurrent_activation="hard_sigmoid")(la.Embedding(9, 3, mask_zero=True)(source))
    decoded = la.LSTM(4, return_sequences=True)(target, initial_state=states)
    model = k.Model([source, target], la.TimeDistributed(la.Dense(9, activation="softmax"))(decoded))
    model.compile(k.optimizers.RMSprop(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model, {"x": [words(4, N, 7), numbers(5, N, T, F)], "y": words(6, N, T)}


def outputs(k):
    """Two outputs from a branched middle, with weights of losses and of samples."""
    la, x = Of(k), k.Input((T, F))
    h = la.SimpleRNN(4, return_sequences=True)(x)
    pooled, last = la.GlobalAveragePooling1D()(h), la.LSTM(3)(h)
    small = la.Dense(3, activation="softmax", name="kind")(la.Concatenate()([pooled, last]))
    size = la.Dense(2, name="size")(la.Average()([last, la.Dense(3, activation="relu")(pooled)]))
    model = k.Model(x, [small, size])
    model.compile(k.optimizers.SGD(0.1, momentum=0.9), ["categorical_crossentropy", "mse"], loss_weights=[0.5, 2.0],
                  metrics=[["accuracy"], ["mae"]])
    y = [np.eye(3)[words(7, N, 3, high=4)[:, 0] % 3], numbers(8, N, 2)]
    return model, {"x": numbers(9, N, T, F), "y": y, "sample_weight": [np.linspace(0.5, 1.5, N), np.linspace(2, 0, N)]}


def normal(k):
    """Normalisation over the batch and over features, with a mask."""
    la = Of(k)
    model = k.Sequential([
        k.Input((T, F)), la.Masking(), la.BatchNormalization(momentum=0.8), la.LSTM(4, return_sequences=True), la.LayerNormalization(epsilon=1e-2),
        la.LeakyReLU(), la.GRU(3), la.BatchNormalization(momentum=0.5, center=False), la.PReLU(), la.Dense(2), la.Softmax(),
    ])
    model.compile(k.optimizers.SGD(0.1), "categorical_crossentropy")
    return model, {"x": numbers(10, N, T, F) * (words(11, N, T) > 0)[:, :, None], "y": np.eye(2)[words(12, N, 3)[:, 0] % 2]}


def penalties(k):
    """Every kind of penalty."""
    la, r = Of(k), k.regularizers
    model = k.Sequential([
        k.Input((T,)), la.Embedding(9, 4, embeddings_regularizer="l2"),
        la.Bidirectional(la.LSTM(3, kernel_regularizer=r.L2(0.05), return_sequences=True), merge_mode="sum"),
        la.TimeDistributed(la.Dense(4, kernel_regularizer=r.L1(0.03), activation="gelu")),
        la.GRU(3, kernel_regularizer=r.L1(0.02), recurrent_regularizer=r.L1L2(0.01, 0.03), bias_regularizer="l1"),
        la.BatchNormalization(gamma_regularizer=r.L2(0.1), beta_regularizer=r.L1(0.01)),
        la.Dense(4, kernel_regularizer=r.OrthogonalRegularizer(0.1), bias_regularizer=r.L2(0.2), activation="elu", activity_regularizer=r.L2(0.02)),
        la.PReLU(alpha_regularizer="l2", activity_regularizer=r.L1(0.01)),
        la.Dense(3, kernel_regularizer=r.OrthogonalRegularizer(0.2, mode="columns"), activation="softmax", activity_regularizer="l1"),
    ])
    model.compile(k.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return model, {"x": words(13, N, T), "y": words(14, N, 3, high=4)[:, 0] % 3}


def directions(k):
    """Two outputs of Bidirectional, and a layer of its own for the way back; some layers are not trained."""
    la, x = Of(k), k.Input((T, F))
    there, back = la.Bidirectional(la.LSTM(3, return_sequences=True), merge_mode=None,
                                   backward_layer=la.LSTM(3, return_sequences=True, go_backwards=True, kernel_regularizer="l2"))(la.Masking()(x))
    h = la.Maximum()([la.Dense(4, activation="swish", trainable=False)(there), la.Dense(4, activation="mish")(back)])
    h = la.BatchNormalization(trainable=False)(h)
    scores = la.Dot(axes=2, normalize=True)([there, back])
    model = k.Model(x, [la.GRU(2, activation=None, name="last")(h), la.Flatten(name="scores")(la.Softmax()(scores))])
    model.compile(k.optimizers.SGD(0.05), ["mse", "mse"])
    return model, {"x": numbers(15, N, T, F) * (words(16, N, T) > 0)[:, :, None], "y": [numbers(17, N, 2), numbers(18, N, T * T) ** 2]}


def named(k):
    """Dicts of inputs, outputs, targets and losses."""
    la, text, more = Of(k), k.Input((T,), name="text"), k.Input((2,), name="more")
    h = la.GRU(3)(la.Embedding(9, 4, mask_zero=True)(text))
    model = k.Model({"text": text, "more": more}, {"kind": la.Dense(3, activation="softmax")(h), "age": la.Dense(1)(la.Concatenate()([h, more]))})
    model.compile(k.optimizers.SGD(0.1), {"kind": "ce", "age": "mse"}, loss_weights={"age": 0.5, "kind": 1.5},
                  metrics={"kind": ["accuracy"], "age": ["mae"]})
    return model, {"x": {"text": words(21, N, T), "more": numbers(22, N, 2)}, "y": {"kind": words(23, N, 3, high=4)[:, 0] % 3, "age": numbers(24, N, 1)}}


def documents(k):
    """A model of sentences, with a mask of its own, on every sentence of a document."""
    la, sentence, document = Of(k), k.Input((T,)), k.Input((4, T))
    table = la.Embedding(9, 3, mask_zero=True, embeddings_regularizer=k.regularizers.L2(0.01))
    reader = k.Model(sentence, la.Dense(4, activation="relu")(la.GRU(3)(table(sentence))))
    codes = la.TimeDistributed(reader)(document)
    scores = la.TimeDistributed(k.Sequential([k.Input((4,)), la.Dense(3, activation="softsign"), la.Dense(1)]))(codes)
    model = k.Model(document, la.Dense(1, activation="sigmoid")(la.Concatenate()([la.LSTM(3)(codes), la.Flatten()(scores)])))
    model.compile(k.optimizers.Adam(0.05), "binary_crossentropy")
    return model, {"x": words(25, N, 4 * T).reshape(N, 4, T), "y": words(26, N, 3)[:, :1] % 2}


def inner(k):
    """A model that begins inside another one."""
    la, x = Of(k), k.Input((T, F))
    h, *states = la.LSTM(4, return_sequences=True, return_state=True)(x)
    y = la.Dense(2)(la.Concatenate()([la.GRU(3)(h), states[1]]))
    model = k.Model([h, states[1]], y)
    model.compile(k.optimizers.SGD(0.1), "mse")
    return model, {"x": [numbers(27, N, T, 4), numbers(28, N, 4)], "y": numbers(29, N, 2)}


def convolutions(k):
    """The usual CNN-LSTMs: windows of words, and of each of several frames."""
    la, text, frames = Of(k), k.Input((2 * T,)), k.Input((4, 6, F))
    h = la.Conv1D(5, 3, activation="relu", padding="same", kernel_regularizer=k.regularizers.L2(0.02))(la.Embedding(9, 4)(text))
    h = la.LSTM(3)(la.MaxPooling1D(3)(h))
    g = la.TimeDistributed(la.MaxPooling1D(2))(la.TimeDistributed(la.Conv1D(4, 2, activation="relu"))(frames))
    g = la.GRU(3)(la.TimeDistributed(la.Flatten())(g))
    ways = la.Conv1D(3, 3, strides=2, padding="causal", activation="softsign")(la.Bidirectional(la.LSTM(2, return_sequences=True))(la.Embedding(9, 2)(text)))
    model = k.Model([text, frames], la.Dense(1, activation="sigmoid")(la.Concatenate()([h, g, la.GRU(2)(la.AveragePooling1D(2, padding="same")(ways))])))
    model.compile(k.optimizers.Adam(0.05), "binary_crossentropy", metrics=["accuracy"])
    return model, {"x": [words(30, N, 2 * T), numbers(31, N, 4, 6, F)], "y": words(32, N, 3)[:, :1] % 2}


PROGRAMS = {f.__name__: f for f in (shared, sequences, outputs, normal, penalties, directions, named, documents, inner, convolutions)}


def results(k, name, weights=None):
    """What a program gives, as a dict of arrays: weights that it begins with unless they are given, history, evaluation, predictions, weights."""
    model, data = PROGRAMS[name](k)
    if weights is None:
        rng = np.random.default_rng(len(name))
        weights = [rng.uniform(-0.5, 0.5, w.shape) + w * (w == 1).all() for w in model.get_weights()]
    model.set_weights(weights)
    history = model.fit(**data, batch_size=5, epochs=3, shuffle=False, verbose=0).history
    measured = model.evaluate(**data, batch_size=4, verbose=0, return_dict=True)
    predicted = model.predict(data["x"], verbose=0)
    found = {f"before{n}": w for n, w in enumerate(weights)} | {f"after{n}": w for n, w in enumerate(model.get_weights())}
    found |= {f"history/{key}": np.array(value) for key, value in history.items()} | {f"evaluate/{key}": np.array(v) for key, v in measured.items()}
    predicted = [p for _, p in sorted(predicted.items())] if isinstance(predicted, dict) else predicted
    return found | {f"p{n}": p for n, p in enumerate(predicted if isinstance(predicted, list) else [predicted])}
