"""Small models with their data, and the results that Keras has for them."""

import json

import numpy as np

import lstmc
from lstmc import losses, optimizers
from lstmc.layers import LSTM, Activation, Bidirectional, Dense, Dropout, Flatten, Input, Masking
from lstmc.training import Sequential, set_random_seed


def wave(*shape, start=0):
    return np.sin(np.arange(start, start + np.prod(shape)) * 1.7 + 0.3).reshape(shape)


X = wave(11, 6, 3)
PADDED = X * (np.arange(6) < (np.arange(11) % 7)[:, None])[:, :, None]
LABELS = np.arange(11) * 5 % 4
STEPS = np.arange(66).reshape(11, 6) * 5 % 4
SPARSE = "sparse_categorical_crossentropy"

# layers, x, y, loss, optimizer, arguments of fit
RECIPES = {
    "last": lambda **d: ([LSTM(5, **d), Dense(4, "softmax", **d)], X, LABELS, SPARSE, optimizers.Adam(0.05), {}),
    "stacked-masked": lambda **d: (
        [Masking(**d), LSTM(5, return_sequences=True, **d), LSTM(4, use_bias=False, **d), Dense(4, "softmax", **d)],
        PADDED, LABELS, SPARSE, optimizers.AdamW(0.05, weight_decay=0.1, clipnorm=0.05), {"sample_weight": np.arange(11) / 5},
    ),
    "steps-masked": lambda **d: (
        [Masking(**d), Bidirectional(LSTM(5, return_sequences=True, **d)), LSTM(4, return_sequences=True, **d), Dense(4, **d),
         Activation("softmax", **d)],
        PADDED, STEPS, SPARSE, optimizers.RMSprop(0.02, momentum=0.5, global_clipnorm=0.1), {},
    ),
    "bidirectional-mul": lambda **d: (
        [Masking(**d), Bidirectional(LSTM(5, **d), "mul"), Dense(1, "sigmoid", **d)],
        PADDED, LABELS % 2, "binary_crossentropy", optimizers.SGD(0.3, 0.9, True, clipvalue=0.05), {},
    ),
    "backwards-flat": lambda **d: (
        [LSTM(4, go_backwards=True, return_sequences=True, **d), Flatten(**d), Dense(3, "tanh", **d), Dense(2, **d)],
        X, wave(11, 2, start=50), "mse", optimizers.SGD(0.2, 0.9, weight_decay=0.1), {},
    ),
    "logits": lambda **d: (
        [LSTM(5, **d), Dense(4, **d)],
        X, LABELS, losses.SparseCategoricalCrossentropy(from_logits=True), optimizers.Adam(0.05), {"class_weight": {0: 2.0, 2: 0.5}},
    ),
    "smoothed": lambda **d: (
        [LSTM(5, **d), Dense(4, "softmax", **d)],
        X, np.eye(4)[LABELS], losses.CategoricalCrossentropy(label_smoothing=0.1), optimizers.RMSprop(0.02), {"validation_split": 0.3},
    ),
}  # fmt: skip

# From Keras 3.15.1 on TensorFlow, CPU: three epochs in batches of 4, unshuffled, weights 0.5 * wave in the order of get_weights.
KERAS = {
    "last": {"accuracy": [0.2727273, 0.3636364, 0.3636364], "loss": [1.433258, 1.349693, 1.314951]},
    "stacked-masked": {"accuracy": [0.2727273, 0.3636364, 0.3636364], "loss": [1.405767, 1.275146, 1.190477]},
    "steps-masked": {"accuracy": [0.2962963, 0.2592593, 0.2962963], "loss": [1.421247, 1.37234, 1.359283]},
    "bidirectional-mul": {"accuracy": [0.5454546, 0.5454546, 0.5454546], "loss": [0.7000508, 0.6964391, 0.6933251]},
    "backwards-flat": {"loss": [0.5976686, 0.5579017, 0.5357891], "mae": [0.671119, 0.6571828, 0.657976]},
    "logits": {"accuracy": [0.2727273, 0.2727273, 0.2727273], "loss": [1.446308, 1.374993, 1.338609]},
    "smoothed": {"accuracy": [0.2857143, 0.2857143, 0.4285714], "loss": [1.446723, 1.378559, 1.34413],
                 "val_accuracy": [0.25, 0.25, 0.25], "val_loss": [1.413261, 1.427353, 1.448117]},
}  # fmt: skip


def build(name, **settings):
    """The compiled model of a recipe, with weights of the same kind as Keras was given, and its data."""
    layers, x, y, loss, optimizer, fit = RECIPES[name](**settings)
    model = Sequential([Input(x.shape[1:]), *layers])
    model.build()
    found, at = [], 0
    for w in model.get_weights():
        found.append(0.5 * wave(*w.shape, start=at))
        at += w.size
    model.set_weights(found)
    model.compile(optimizer, loss, metrics=["mae" if loss == "mse" else "accuracy"])
    return model, x, y, fit


def bits(model):
    """All weights as bytes."""
    return b"".join(w.tobytes() for w in model.get_weights())


def small_model():
    """Not built, not compiled."""
    return Sequential([Input((None, 3)), Masking(), Bidirectional(LSTM(20, return_sequences=True)), Dropout(0.2), LSTM(17),
                       Dense(4, "softmax")])


def trained(threads=1, seed=1, epochs=2, n=90):
    """(model, history, x, y) after training with a seed on a number of threads."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, 12, 3)).astype(np.float32), rng.integers(0, 4, n)
    x[np.arange(12) >= rng.integers(0, 13, n)[:, None]] = 0
    with lstmc.threads(threads):
        set_random_seed(seed)
        model = small_model()
        model.compile(optimizers.Adam(0.01, global_clipnorm=1.0), SPARSE, metrics=["accuracy"])
        history = model.fit(x, y, epochs=epochs, verbose=0, validation_split=0.2)
        return model, history.history, x, y


def settings(model):
    """All that a file holds beside weights, as a text."""
    return json.dumps([[layer.get_config() for layer in model.layers], model.optimizer.get_config(), model.loss.get_config(), model.step, model.passes,
                       model.shuffle_seed, model.optimizer.iterations, model.name, str(model.input_shape)])
