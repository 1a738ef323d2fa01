"""repr: the call that makes an object anew."""

import numpy as np
import pytest

import lstmc
from lstmc import callbacks, initializers, layers, losses, metrics, optimizers, regularizers
from lstmc.layers import GRU, LSTM, Bidirectional, Dense, Dropout, Embedding, Flatten, InputLayer, SimpleRNN, TimeDistributed
from lstmc.reprs import constructed

pytestmark = pytest.mark.once


def mean_error(y, p):
    return abs(y - p).mean(-1)


class Own(callbacks.Callback):
    def __init__(self, weights, note="", *, deep=True):
        self.weights, self.note, self.deep = weights, note, deep


EXPECTED = [
    (lambda: LSTM(64, return_sequences=True), "LSTM(units=64, return_sequences=True, name='lstm')"),
    (lambda: LSTM(4, "relu", kernel_initializer="he_normal", bias_initializer=initializers.Constant(0.5), seed=3, trainable=False, dtype="float64"),
     ("LSTM(units=4, activation='relu', kernel_initializer=HeNormal(), "
     "bias_initializer=Constant(value=0.5), seed=3, dtype='float64', trainable=False, name='lstm')")),
    (lambda: GRU(2, reset_after=False, name="g"), "GRU(units=2, reset_after=False, name='g')"),
    (lambda: SimpleRNN(2), "SimpleRNN(units=2, name='simple_rnn')"),
    (lambda: Dense(3), "Dense(units=3, name='dense')"),
    (lambda: Dense(3, "softmax", use_bias=False), "Dense(units=3, activation='softmax', use_bias=False, name='dense')"),
    (lambda: Bidirectional(LSTM(2), "sum"), "Bidirectional(layer=LSTM(units=2, name='lstm'), merge_mode='sum', name='bidirectional')"),
    (lambda: TimeDistributed(Dense(2)), "TimeDistributed(layer=Dense(units=2, name='dense'), name='time_distributed')"),
    (lambda: Embedding(50, 4, mask_zero=True), "Embedding(input_dim=50, output_dim=4, mask_zero=True, name='embedding')"),
    (lambda: Dropout(0.5), "Dropout(rate=0.5, name='dropout')"),
    (lambda: Flatten(), "Flatten(name='flatten')"),
    (lambda: InputLayer((None, 12)), "InputLayer(shape=(None, 12), name='input_layer')"),
    (lambda: optimizers.Adam(), "Adam()"),
    (lambda: optimizers.SGD(0.1, 0.9, True, clipnorm=1), "SGD(learning_rate=0.1, momentum=0.9, nesterov=True, clipnorm=1.0)"),
    (lambda: optimizers.AdamW(), "AdamW()"),
    (lambda: optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)),
     "SGD(learning_rate=ExponentialDecay(initial_learning_rate=0.1, decay_steps=10, decay_rate=0.5))"),
    (lambda: Dense(2, kernel_regularizer="l2", bias_regularizer=regularizers.L1(0.5)),
     "Dense(units=2, kernel_regularizer=L2(), bias_regularizer=L1(l1=0.5), name='dense')"),
    (lambda: losses.BinaryCrossentropy(), "BinaryCrossentropy()"),
    (lambda: losses.CategoricalCrossentropy(label_smoothing=0.1, name="own"), "CategoricalCrossentropy(label_smoothing=0.1, name='own')"),
    (lambda: metrics.SparseCategoricalAccuracy(), "SparseCategoricalAccuracy()"),
    (lambda: metrics.SparseCategoricalAccuracy("accuracy"), "SparseCategoricalAccuracy(name='accuracy')"),
    (lambda: initializers.RandomNormal(stddev=0.1), "RandomNormal(stddev=0.1)"),
    (lambda: callbacks.EarlyStopping("loss", patience=3), "EarlyStopping(monitor='loss', patience=3)"),
    (lambda: callbacks.LambdaCallback(on_epoch_end=mean_error), "LambdaCallback(on_epoch_end=mean_error)"),
    (lambda: Own([1, 2], deep=False), "Own(weights=[1, 2], deep=False)"),
]


@pytest.mark.parametrize(("make", "text"), EXPECTED, ids=[text.partition("(")[0] + str(n) for n, (_, text) in enumerate(EXPECTED)])
def test_repr(make, text):
    assert repr(make()) == text


@pytest.mark.parametrize("text", [text for _, text in EXPECTED if "Own(" not in text and "mean_error" not in text])
def test_it_makes_the_object_anew(text):
    modules = layers, optimizers, optimizers.schedules, losses, metrics, initializers, regularizers, callbacks
    names = {name: value for module in modules for name, value in vars(module).items()}
    assert repr(eval(text, names)) == text


def test_a_layer_with_weights_says_how_many():
    model = lstmc.Sequential([layers.Input((None, 3)), LSTM(4), Dense(2)])
    assert [repr(layer) for layer in model.layers] == ["LSTM(units=4, name='lstm')", "Dense(units=2, name='dense')"]
    model.build()
    assert [repr(layer) for layer in model.layers] == ["<LSTM(units=4, name='lstm'): 128 weights>", "<Dense(units=2, name='dense'): 10 weights>"]


def test_what_cannot_be_compared_or_is_long():
    assert repr(Own(np.arange(3.0), "x" * 200)).startswith("Own(weights=array([0., 1., 2.]), note='xxxxx")
    assert len(repr(Own(np.arange(3.0), "x" * 200))) < 150

    class Broken(layers.Layer):
        def get_config(self):
            raise ValueError("no")

    assert repr(Broken()) == "Broken(name='broken')"


def test_every_class_has_this_repr():
    for module in (layers, optimizers, losses, metrics, initializers):
        for cls in module.CLASSES.values():
            assert cls.__repr__ is constructed, cls
