"""What somebody who comes from Keras writes first: what works, and what the message says where it does not."""

import warnings

import numpy as np
import pytest

import lstmc
from lstmc import Input, Model, Sequential, callbacks, losses, optimizers, utils
from lstmc.layers import LSTM, Activation, Bidirectional, Dense, Dropout, Embedding

pytestmark = pytest.mark.once

X = np.random.default_rng(0).standard_normal((12, 5, 3))
Y = np.arange(12) % 3
SPARSE, BINARY = "sparse_categorical_crossentropy", "binary_crossentropy"


class Table:
    """As a DataFrame or a tensor of another package: an array if asked for."""

    def __init__(self, values):
        self.values = np.asarray(values)
        self.shape = self.values.shape

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)

    def __iter__(self):
        return iter(["a", "b"])         # of a DataFrame: its columns

    def __len__(self):
        return len(self.values)


class Column(Table):
    """As a Series: of one axis, and its own rows if iterated."""

    def __init__(self, rows):
        super().__init__(np.fromiter(rows, object))
        self.ndim, self.dtype = 1, self.values.dtype

    def __iter__(self):
        return iter(self.values)


class Foreign:
    pass


class Squared(losses.Loss):
    def call(self, y_true, y_pred):
        return (y_true - y_pred) ** 2


class Plain(optimizers.Optimizer):
    def update_step(self, gradient, variable, learning_rate):
        variable -= gradient * learning_rate


class Doubled(lstmc.layers.Layer):
    def call(self, x):
        return 2 * x


Foreign.__module__ = "keras.src.layers"


def model(loss=SPARSE, units=3, activation="softmax", shape=(5, 3), **more):
    made = Sequential([Input(shape), LSTM(4, **more), Dense(units, activation)])
    made.compile("adam", loss)
    return made


def fit(x=X, y=Y, loss=SPARSE, units=3, activation="softmax", shape=(5, 3), sequences=False, **more):
    model(loss, units, activation, shape, return_sequences=sequences).fit(x, y, verbose=0, **more)


def words(x):
    made = Sequential([Embedding(10, 4), LSTM(3), Dense(3, "softmax")])
    made.compile("adam", SPARSE)
    made.fit(x, Y[:len(x)], verbose=0)


def dense(x, y):
    made = Sequential([Input((3,)), Dense(3, "softmax")])
    made.compile("adam", SPARSE)
    made.fit(x, y, verbose=0)


def stateful():
    made = Sequential([Input(batch_shape=(4, 5, 3)), LSTM(4, stateful=True), Dense(1)])
    made.compile("adam", "mse")
    made.fit(X[:6], Y[:6], batch_size=4, shuffle=False, verbose=0)


def own_metric():
    def rmse(y, p):
        return np.sqrt(((y - p) ** 2).mean())

    made = Sequential([Input((5, 3)), LSTM(4), Dense(1)])
    made.compile("adam", "mse", metrics=[rmse])
    made.fit(X, Y, verbose=0, callbacks=[callbacks.EarlyStopping("rmse")])


def layer(kind=LSTM):
    return kind(4)(Input((5, 3)))


WORKS = {
    "a layer on Input": layer,
    "an argument that Keras takes without naming it": lambda: LSTM(4, implementation=2),
    "a list of one loss": lambda: model(["mse"], units=1, activation=None).fit(X, Y, verbose=0),
    "metrics that are no list": lambda: model().compile("adam", SPARSE, metrics="accuracy"),
    "predict on a generator": lambda: model().predict((X for _ in range(2)), verbose=0),
    "a table": lambda: dense(Table(X[:, 0]), Table(Y)),
    "an array like a tensor": lambda: fit(Table(X), Table(Y)),
    "lists": lambda: fit(X.tolist(), Y.tolist()),
    "lists of unequal lengths": lambda: words([[1, 2], [3], [4, 5, 6]]),
    "a list of tensors": lambda: fit([Table(x[:n]) for x, n in zip(X, (1, 5, 3), strict=False)], Y[:3], shape=(None, 3)),
    "a column of lists": lambda: words(Column([[1, 2], [3], [4, 5, 6]])),
    "a column of arrays": lambda: fit(Column(x[:n] for x, n in zip(X, (1, 5, 3), strict=False)), Y[:3], shape=(None, 3)),
    "whole numbers and booleans": lambda: fit((X > 0), Y.astype(np.uint8)),
    "y as a column": lambda: fit(y=Y[:, None]),
}


@pytest.mark.parametrize("name", WORKS)
def test_what_works(name):
    found = WORKS[name]()
    history = getattr(found, "history", None)
    assert not isinstance(history, dict) or np.isfinite(history["loss"]).all()
    assert name != "predict on a generator" or np.isfinite(found).all()


FAILS = {
    # Layers
    "a layer on a generator": (lambda: LSTM(4)(x for x in X), r"x: expected numbers, received generator; fit, evaluate and predict take batches"),
    "a layer on 2-D x": (lambda: LSTM(4)(X[:, 0]), r"lstm: .*\(batch, time, features\), received \(12, 3\); x.reshape\(-1, 3, 1\) makes sequences"),
    "no return_sequences": (lambda: Sequential([Input((5, 3)), LSTM(4), LSTM(4)]).build(), "lstm_1: .*return_sequences=True"),
    "a misspelt argument": (lambda: LSTM(4, return_sequence=True), r"LSTM: unexpected argument 'return_sequence'; did you mean return_sequences\?"),
    "a misspelt argument of a base class": (lambda: Dense(4, trainabel=False), r"did you mean trainable\?"),
    "an argument of Keras 1": (lambda: LSTM(4, inner_activation="tanh"), r"did you mean recurrent_activation\?"),
    "an argument that means nothing": (lambda: Dropout(0.5, zzz=1), r"Dropout: unexpected argument 'zzz'$"),
    "a layer with Keras's call": (lambda: Doubled()(X), r"Doubled: expected its own forward\(x, mask, training, step\) and backward"),
    "units as a float": (lambda: LSTM(32.0), "units: expected an int, received float"),
    "units as a list": (lambda: LSTM([4, 4]), "units: expected an int, received list"),
    "no units": (lambda: LSTM(), "missing 1 required positional argument: 'units'"),
    "a shape as a number": (lambda: Input(5), r"shape: expected a tuple without the batch axis, such as \(None, 12\), received 5"),
    "a misspelt activation": (lambda: Dense(3, "sofmax"), "activation: expected one of .*softmax.* received 'sofmax'"),
    "a function of NumPy": (lambda: Activation(np.tanh), "activation: expected one of"),
    "Bidirectional of units": (lambda: Bidirectional(4), "layer: expected an LSTM, GRU or SimpleRNN layer, received int"),
    "Bidirectional of a class": (lambda: Bidirectional(LSTM), r"layer: expected an LSTM, .* received the class LSTM; write LSTM\(...\)"),
    "weights of a layer that has none yet": (lambda: model().layers[0].set_weights([X]), r"weights: expected that lstm is built, by build\(\) of its model"),
    "an array of weights": (lambda: Embedding(10, 4, weights=np.ones((10, 4))), r"Embedding: weights=ndarray is not supported .*; call set_weights"),
    # Models
    "a layer that is in no list": (lambda: Sequential(LSTM(3)), "layers: expected a list of layers, received LSTM"),
    "a class for a layer": (lambda: Sequential([Input((5, 3)), LSTM]), r"layer: expected an lstmc.layers.Layer, received the class LSTM; write LSTM\(...\)"),
    "a layer of another package": (lambda: Sequential([Foreign()]), r"received keras\.src\.layers\.Foreign"),
    "return_state in a row": (lambda: Sequential([Input((5, 3)), LSTM(4, return_state=True)]), "layer: expected one output.*lstmc.Model takes several"),
    "a layer for a tensor": (lambda: Model(Input((5, 3)), LSTM(4)), "outputs: expected symbolic tensors, which Input and layers give, received LSTM"),
    "outputs for inputs": (lambda: Model(layer(), Input((5, 3))), "outputs: expected what layers give .* inputs come first: Model"),
    "NumPy on symbolic tensors": (lambda: np.tanh(Input((5, 3))), "stands for arrays to come and has no values: make an lstmc.Model"),
    "an unknown layer": (lambda: model().get_layer("lstm_7"), "name: expected one of 'lstm', 'dense', received 'lstm_7'"),
    "weights of another model": (lambda: model().set_weights([X]), "weights: expected 5 arrays, received a list of 1"),
    # compile
    "lr": (lambda: optimizers.Adam(lr=0.1), "Adam: .*lr.*learning_rate"),
    "a rate as text": (lambda: optimizers.Adam(learning_rate="0.01"), "learning_rate: expected a number"),
    "a class for an optimizer": (lambda: model().compile(optimizers.Adam, "mse"), r"optimizer: .* received the class Adam; write Adam\(...\)"),
    "a misspelt optimizer": (lambda: model().compile("adamm", "mse"), "optimizer: expected one of .*adam.* received 'adamm'"),
    "a penalty twice": (lambda: lstmc.layers.ActivityRegularization(0.1, activity_regularizer="l2"), "activity_regularizer: expected l1 and l2 in its place"),
    "a class for a model": (lambda: lstmc.layers.TimeDistributed(lstmc.Sequential), "computes something, received the class Sequential; write Sequential"),
    "a misspelt loss": (lambda: model("cross_entropy"), "loss: expected one of .*mean_squared_error.* received 'cross_entropy'"),
    "a misspelt metric": (lambda: model().compile("adam", "mse", metrics=["acurracy"]), "metrics: expected .*accuracy.* received 'acurracy'"),
    "a loss of TensorFlow's operations": (lambda: model(lambda y, p: (y - p) ** 2), "loss: expected .* subclass of Loss gives"),
    "a loss with Keras's call": (lambda: fit(loss=Squared(), units=1, activation=None), r"Squared: expected its own values\(y, p\) and gradient"),
    "an optimizer with Keras's step": (lambda: optimizers.Optimizer.apply(Plain(0.1), [X], [X]), r"Plain: expected its own apply\(grads, weights\)"),
    "fit before compile": (lambda: Sequential([Input((5, 3)), LSTM(3)]).fit(X, Y), r"fit: expected compile\(optimizer, loss\) first"),
    # x
    "2-D x": (lambda: fit(X[:, :, 0], shape=(5, 1)),
              r"expected input of shape \(batch, 5, 1\), received \(12, 5\); x.reshape\(-1, 5, 1\) makes sequences of the columns$"),
    "1-D x": (lambda: fit(X[:, 0, 0]), r"x: expected a batch of samples, \(batch, ...\), received shape \(12,\)"),
    "4-D x": (lambda: fit(X[..., None]), r"expected input of shape \(batch, 5, 3\), received \(12, 5, 3, 1\)"),
    "one sample": (lambda: model().predict(X[0], verbose=0), r"received \(5, 3\); x\[None\] makes a batch of one sample"),
    "other features": (lambda: model().predict(X[:, :, :2], verbose=0), r"expected input of shape \(batch, 5, 3\), received \(12, 5, 2\)"),
    "x and y as a pair": (lambda: fit((X, Y), None), "x: expected one array, received a tuple of 2; x, y and sample_weight are separate arguments"),
    "x of words": (lambda: fit(np.array([["a"]] * 12)), "x: expected real numbers, received dtype <U1: text; give every word or character a number"),
    "sentences": (lambda: words(["a b", "c"]), "x: expected whole numbers, received dtype <U3: text; give every word"),
    "a table with words": (lambda: fit(Table(np.array([["a", 1]] * 12, object))), "x: expected numbers, received dtype object: text"),
    "numbers as objects": (lambda: fit(X.astype(object)), r"x: expected numbers, received dtype object; if all are numbers, pass x.astype\(\"float32\"\)"),
    "no x": (lambda: fit(None), "x: expected numbers, received None"),
    "a sequence that is missing": (lambda: words([[1, 2], None, [3]]), r"x\[1\]: expected a sequence, as others are, received NoneType"),
    "lists of another depth": (lambda: words([[[1], [2, 3]], [[4]]]), r"x\[0\]: expected a rectangular array; lstmc.utils.pad_sequences makes one"),
    "dates": (lambda: fit(np.zeros((12, 5, 3), "M8[D]")), r"x: expected real numbers, received dtype datetime64"),
    "fractions for Embedding": (lambda: words(X[:, :, 0]), "x: expected whole numbers, received 0.1"),
    "a word beyond the vocabulary": (lambda: words(np.full((12, 5), 10)), "embedding: x: expected numbers from 0 to 9, received 10"),
    "batches that do not divide the samples": (stateful, r"reset_states\(\) before a batch of another size, and let batch_size divide the number of samples"),
    # y
    "y of names": (lambda: fit(y=np.array(list("abc" * 4))),
                   r"y: expected numbers, received dtype <U1: text; labels, y = numpy.unique\(y, return_inverse=True\)"),
    "y of names in a list": (lambda: fit(y=list("abc" * 4)), r"numpy.unique\(y, return_inverse=True\)"),
    "y of names as objects": (lambda: fit(y=Table(np.array(list("abc" * 4), object))), r"numpy.unique\(y, return_inverse=True\)"),
    "labels from 1": (lambda: fit(y=Y + 1), "y: expected labels from 0 to 2 .* received values from 1 to 3; labels begin with 0: pass y - 1"),
    "more labels than units": (lambda: fit(y=Y + 2), "received values from 2 to 4; with these labels the last layer needs 5 units"),
    "labels for one-hot": (lambda: fit(loss="categorical_crossentropy"), r"one-hot .*received \(12,\); sparse_categorical_crossentropy takes integer labels$"),
    "one-hot for labels": (lambda: fit(y=np.eye(3)[Y]), r"integer labels .*received \(12, 3\); categorical_crossentropy takes one-hot targets"),
    "labels for several sigmoids": (lambda: fit(loss=BINARY, activation="sigmoid"), r"received \(12,\); sparse_categorical_crossentropy takes integer labels"),
    "three classes for one sigmoid": (lambda: fit(loss=BINARY, units=1, activation="sigmoid"),
                                      r"from 0.0 to 2.0; 3 classes need Dense\(3, activation=\"softmax\"\)"),
    "classes -1 and 1": (lambda: fit(y=Y % 2 * 2 - 1, loss=BINARY, units=1, activation="sigmoid"), r"received values from -1.0 to 1.0; pass \(y \+ 1\) / 2"),
    "one target per sequence": (lambda: fit(y=Y * 1.0, loss="mse", units=1, activation=None, sequences=True),
                                "last recurrent layer needs return_sequences=False"),
    "a target per step": (lambda: fit(y=np.zeros((12, 5, 1)), loss="mse", units=1, activation=None),
                          r"y: expected shape \(12, 1\) of the model's output, received \(12, 5, 1\)"),
    "too few targets": (lambda: fit(y=Y[:5]), "y: expected 12 entries, one per sample of x, received 5"),
    "no targets": (lambda: fit(y=None), "y: expected targets, received None"),
    # other arguments
    "a class for a callback": (lambda: fit(callbacks=[callbacks.TerminateOnNaN]), r"callbacks: .* the class TerminateOnNaN; write"),
    "a metric of one's own to stop by": (own_metric, "mode: expected 'min' or 'max' for 'rmse', of which it is not known which is better, received 'auto'"),
    "x alone to validate": (lambda: fit(validation_data=X), r"validation_data: expected \(x, y\) or \(x, y, sample_weight\), received ndarray"),
    "a split in per cent": (lambda: fit(validation_split=20), "validation_split: expected 0 or a fraction below 1, received 20"),
    "balanced weights": (lambda: fit(class_weight="balanced"), "class_weight: expected a dict of class to weight, received str"),
    "a batch size as text": (lambda: fit(batch_size="32"), "batch_size: expected an int, received str"),
    "epochs as text": (lambda: fit(epochs="two"), "epochs: expected an int, received str"),
    "a misspelt argument of fit": (lambda: fit(batch_sice=3), "unexpected keyword argument 'batch_sice'"),
    "numbers to pad": (lambda: utils.pad_sequences([1, 2, 3]), r"sequences\[0\]: expected a sequence, received int"),
    "a file of Keras": (lambda: model().save("m.keras"), "path: expected a name that ends in .safetensors, received 'm.keras'; no other format is written"),
    "weights as HDF5": (lambda: model().save_weights("m.h5"), "path: expected a name that ends in .safetensors, received 'm.h5'"),
    "a name of Keras": (lambda: lstmc.backend, "module 'lstmc' has no attribute 'backend'; .*numpy"),
}


@pytest.mark.parametrize("name", FAILS)
def test_what_the_message_says(name):
    make, message = FAILS[name]
    with pytest.raises((TypeError, ValueError, AttributeError, NotImplementedError), match=message):
        make()


def test_a_softmax_of_one_unit_is_warned_of():
    with pytest.warns(UserWarning, match='activation="softmax" of one unit is always 1 and learns nothing; "sigmoid"') as found:
        fit(y=Y % 2, loss=BINARY, units=1)
    assert len(found) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(y=Y % 2, loss=losses.BinaryCrossentropy(), units=1, activation="sigmoid")
