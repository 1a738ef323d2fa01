"""Every wrong argument of every public call is a TypeError or ValueError that names it."""

import inspect
import re
import warnings

import numpy as np
import pytest

import lstmc
from lstmc import callbacks, initializers, layers, losses, metrics, nn, optimizers, utils
from lstmc.layers import LSTM, Bidirectional, Dense, Input
from lstmc.optimizers import schedules
from lstmc.training import Sequential, set_random_seed
from recipes import LABELS, X, build

HUGE = (10**30, 2**62)
WRONG = ("elephant", "", b"x", [], [[]], {}, {"a": 1}, object(), None, -1, 0, 1.5, float("nan"), float("inf"), *HUGE, True, np.array([1.0, 2.0]), np.array("a"),
         (1, 2), print, 1j, type)
SMALL = X.astype(np.float32)


def module():
    return nn.LSTM(3, 4, num_layers=2, dropout=0.5, seed=0)


def backward(**arguments):
    m = module()
    y, _, tape = m.forward(SMALL)
    return m.backward(**{"tape": tape, "dy": y} | arguments)


def of_module(name, base):
    return lambda **arguments: getattr(module(), name)(**arguments), base, inspect.signature(getattr(nn.LSTM, name))


def of_model(name, base):
    """(call, base, signature) of a method, on a fresh model each."""
    return lambda **arguments: getattr(build("last")[0], name)(**arguments), base, inspect.signature(getattr(Sequential, name))


def of(function, base):
    return function, base, inspect.signature(function)


SOME = {"x": X, "y": LABELS}
# Calls with arguments that are right; each of their parameters is then wrong in every way.
CALLS = {c.__name__: of(c, {}) for group in (initializers, losses, metrics, optimizers) for c in group.CLASSES.values() if group is not losses}
CALLS |= {f"losses.{c.__name__}": of(c, {}) for c in losses.CLASSES.values()}
CALLS["MeanMetricWrapper"] = of(metrics.MeanMetricWrapper, {"fn": "mse"})
CALLS |= {c.__name__: of(c, base) for c, base in (
    (schedules.ExponentialDecay, {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5}),
    (schedules.CosineDecay, {"initial_learning_rate": 1, "decay_steps": 2}),
    (schedules.InverseTimeDecay, {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5}),
    (schedules.PiecewiseConstantDecay, {"boundaries": [2], "values": [1, 0.5]}), (schedules.PolynomialDecay, {"initial_learning_rate": 1, "decay_steps": 2}),
    (schedules.CosineDecayRestarts, {"initial_learning_rate": 1, "first_decay_steps": 2}),
)}
CALLS |= {f"nn.{c.__name__}": of(c, {"input_size": 3, "hidden_size": 4, "num_layers": 2}) for c in (nn.LSTM, nn.GRU, nn.RNN)}
CALLS |= {c.__name__: of(c, base) for c, base in (
    (Dense, {"units": 2}), (LSTM, {"units": 2}), (layers.GRU, {"units": 2}), (layers.SimpleRNN, {"units": 2}),
    (layers.Embedding, {"input_dim": 2, "output_dim": 3}), (layers.Reshape, {"target_shape": (3,)}), (layers.RepeatVector, {"n": 2}),
    (layers.SpatialDropout1D, {"rate": 0.5}), (layers.GlobalAveragePooling1D, {}),
    (Input, {"shape": (3,)}), (layers.Dropout, {"rate": 0.1}), (layers.Masking, {}), (layers.Flatten, {}),
    (layers.Activation, {"activation": "relu"}), (callbacks.EarlyStopping, {}), (callbacks.TerminateOnNaN, {}), (Sequential, {}),
    (callbacks.ReduceLROnPlateau, {}), (callbacks.ModelCheckpoint, {"filepath": "a.safetensors"}), (callbacks.LearningRateScheduler, {"schedule": print}),
    (callbacks.CSVLogger, {"filename": "a.csv"}),
)}
CALLS |= {"TimeDistributed": (lambda **a: layers.TimeDistributed(**{"layer": Dense(2)} | a), {}, inspect.signature(layers.TimeDistributed))}
ALL_THREE = inspect.signature(layers.recurrent.Recurrent)
CALLS |= {"recurrent": (lambda **a: LSTM(**{"units": 2} | a), {}, ALL_THREE)}
CALLS |= {"Bidirectional": (lambda **a: Bidirectional(**{"layer": LSTM(2)} | a), {}, inspect.signature(Bidirectional))}
CALLS |= {name: of_model(name, base) for name, base in {
    "compile": {"optimizer": "adam", "loss": "mse"}, "fit": SOME | {"verbose": 0}, "evaluate": SOME | {"verbose": 0}, "predict": {"x": X, "verbose": 0},
    "train_on_batch": SOME, "test_on_batch": SOME, "predict_on_batch": {"x": X}, "__call__": {"x": X}, "set_weights": {}, "add": {}, "save": {},
}.items()}
CALLS |= {
    "build": (lambda **a: Sequential([LSTM(2)]).build(**a), {"input_shape": (None, None, 3)}, inspect.signature(Sequential.build)),
    "lstmc.load": of(lstmc.load, {}), "set_random_seed": of(set_random_seed, {}),
    "m": of_module("__call__", {"x": SMALL}), "m.forward": of_module("forward", {"x": SMALL}), "m.session": of_module("session", {}),
    "m.backward": (backward, {}, inspect.signature(nn.LSTM.backward)),
}
CALLS |= {f"utils.{name}": of(getattr(utils, name), base) for name, base in {
    "pad_sequences": {"sequences": [[1, 2], [3]]}, "to_categorical": {"x": [0, 1]},
    "timeseries_dataset_from_array": {"data": np.arange(9), "targets": None, "sequence_length": 3},
    "ctc_decode": {"inputs": np.zeros((1, 4, 3)), "sequence_lengths": [4], "strategy": "beam_search"},
}.items()}
# What would be right, and run for ever.
LONG = {("fit", "epochs"), ("fit", "steps_per_epoch")}


@pytest.mark.parametrize("name", CALLS)
def test_wrong_arguments_are_named(name):
    call, base, signature = CALLS[name]
    refused, nameless = 0, []
    for p in signature.parameters.values():
        if p.name == "self" or p.kind is p.VAR_KEYWORD:
            continue
        # Layers call what they get from a model their input.
        named = re.compile(rf"\b{p.name}\b" + r"|\binput\b" * (p.name in ("x", "input_shape")))
        for value in WRONG:
            if (name, p.name) in LONG and any(value is h for h in HUGE):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    call(**base | {p.name: value})
                except (TypeError, ValueError, MemoryError) as error:
                    refused += 1
                    if not named.search(str(error)):
                        nameless.append(f"{p.name}={value!r}: {error!r}")
                except OSError:         # what is no file
                    refused += 1
    assert nameless == []
    assert refused > 5


@pytest.mark.parametrize(("call", "message"), [
    (lambda: nn.LSTM(2**62, 4), "input_size, hidden_size, num_layers: expected sizes whose weights fit into memory, received 4611686018427387904, 4 and 1"),
    (lambda: nn.GRU(4, 2**40), "input_size, hidden_size, num_layers: expected sizes whose weights fit into memory, received 4, 1099511627776 and 1"),
    (lambda: nn.RNN(3, 4, num_layers=10**6), "num_layers: expected at most 1000, received 1000000"),
    (lambda: setattr(module(), "step", -1), "step: expected 0 to 18446744073709551615, received -1"),
    (lambda: setattr(build("last")[0], "step", -1), "step: expected 0 to 18446744073709551615, received -1"),
    (lambda: build("last")[0].fit(X, LABELS, class_weight={0: None}), "class_weight: the weight of 0: expected a number, received NoneType"),
    (lambda: build("last")[0].fit(X, LABELS, class_weight={0: float("nan")}), "class_weight: the weight of 0: expected a finite number, received nan"),
    (lambda: build("last")[0].fit(X, LABELS, class_weight={"a": 1}), "class_weight: a class: expected a number, received str"),
    (lambda: build("last")[0].train_on_batch(X[:0], LABELS[:0]), "x: expected at least one sample, received none"),
    (lambda: build("last")[0].test_on_batch(X[:0], LABELS[:0]), "x: expected at least one sample, received none"),
    (lambda: build("last")[0].fit(X, LABELS, validation_data=(X, LABELS[:3])), "validation_data: y: expected 11 entries"),
    (lambda: Sequential([Input((6, 3)), LSTM(2)]).build((None, 6, 4)), r"input_layer: expected input of shape \(batch, 6, 3\), received \(None, 6, 4\)"),
    (lambda: build("last")[0].save("a\0.safetensors"), "path: expected a name without a null character"),
    (lambda: Dense(2, dtype=""), "dtype: expected 'float32' or 'float64', received ''"),
    (lambda: Bidirectional(LSTM(2), dtype=0), "dtype: expected 'float32' or 'float64', received 0"),
])
def test_what_was_silent_or_nameless(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_a_wrong_step_changes_nothing():
    m = nn.LSTM(3, 4, seed=0)
    m.step = 7
    with pytest.raises(TypeError, match="step: expected an int, received str"):
        m.step = "1"
    assert m.step == 7
    m.forward(SMALL)
    assert m.step == 8


def test_wrong_arguments_of_compile_change_nothing():
    model, *_ = build("last")
    before = model.optimizer, model.loss, model.shuffle_seed
    with pytest.raises(ValueError, match="metrics: expected a dict by the outputs 'dense', received 'a'"):
        model.compile("sgd", "mse", metrics={"a": "mae"})
    assert (model.optimizer, model.loss, model.shuffle_seed) == before


def test_warnings_are_told_where_the_program_called():
    model, x, y, _ = build("last")
    ends = Sequential([Input((None, 3)), layers.Masking(), layers.GlobalMaxPooling1D(), Dense(1)])
    ends.compile("sgd", "mse")
    calls = {
        "ran out of data": lambda: model.fit(x, y, steps_per_epoch=99, batch_size=9, verbose=0),
        "ran out of": lambda: model.fit(iter([(x, y)]), steps_per_epoch=9, verbose=0),
        "the mask ends here": lambda: ends.train_on_batch(X, LABELS),
        "mask ends": lambda: ends.predict(X, verbose=0),
        "is not among the results": lambda: model.fit(x, y, verbose=0, callbacks=callbacks.EarlyStopping()),
        "the loss is nan": lambda: model.fit(x * np.nan, y, verbose=0),
        "decay: ignored": lambda: optimizers.Adam(decay=0.1),
        "has no effect": lambda: nn.GRU(2, 3, dropout=0.5),
    }
    for text, call in calls.items():
        with pytest.warns(Warning, match=text) as told:
            call()
        assert {one.filename for one in told} == {__file__}, text
