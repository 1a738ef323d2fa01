"""Model files: nothing is lost, training goes on bit for bit, and what does not fit is a FormatError."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors
from safetensors.numpy import load_file, save_file

import lstmc
from lstmc import Sequential, initializers, losses, optimizers
from lstmc.layers import LSTM, Activation, Bidirectional, Dense, Input
from lstmc.nn.params import Parameters
from lstmc.training import architecture, saving
from recipes import RECIPES, SPARSE, bits, build, trained


def test_a_saved_model_goes_on_as_if_nothing_had_happened(tmp_path):
    model, _, x, y = trained(epochs=2)
    model.save(tmp_path / "m.safetensors")
    again = lstmc.training.load(tmp_path / "m.safetensors")
    assert bits(again) == bits(model)
    assert again.predict(x, verbose=0).tobytes() == model.predict(x, verbose=0).tobytes()
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    for m in (model, again):
        m.fit(x, y, epochs=1, verbose=0)
    assert bits(again) == bits(model)
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize("name", RECIPES)
def test_every_kind_of_model_survives_a_file(name, tmp_path):
    model, x, y, fit = build(name)
    model.fit(x, y, verbose=0, **fit)
    model.save(tmp_path / "m.safetensors")
    again = lstmc.training.load(tmp_path / "m.safetensors")
    assert [layer.get_config() for layer in again.layers] == [layer.get_config() for layer in model.layers]
    for m in (model, again):
        m.fit(x, y, verbose=0, **fit)
    assert bits(again) == bits(model)


def rewritten(path, change):
    """Change the header or the tensors of a file, which then has no checksum, as early files had none."""
    with safetensors.safe_open(path, framework="numpy") as f:
        header = json.loads(f.metadata()["lstmc"])
    header.pop("checksum")
    tensors = load_file(path)
    change(header, tensors)
    save_file(tensors, path, {"lstmc": json.dumps(header)})


@pytest.mark.parametrize(("change", "message"), [
    (lambda h, t: t.pop("dense/kernel"), "expected the weights"),
    (lambda h, t: t.update({"dense/kernel": np.zeros((3, 4), np.float32)}), r"dense/kernel: expected shape \(5, 4\), received \(3, 4\)"),
    (lambda h, t: t.update({"dense/kernel": np.zeros((5, 4), np.int32)}), "dense/kernel: expected dtype"),
    (lambda h, t: t.pop("optimizer/m/dense/bias"), "optimizer/m/dense/bias"),
    (lambda h, t: h.update(version=2), "expected lstmc.Sequential or lstmc.Model, version 1"),
    (lambda h, t: h.pop("layers"), "'layers' is missing"),
    (lambda h, t: h["layers"][2].update({"class": "Exec"}), "layer: expected one of"),
    (lambda h, t: h["layers"][1]["config"].update(units=10**12), "expected shape"),
    (lambda h, t: h["layers"][1]["config"].update(units="5"), "units: expected an int"),
    (lambda h, t: h["layers"][1].update(config=None), "NoneType|mapping"),
    (lambda h, t: h.update(input_shape=[None, 6, None]), "lstm: expected input of shape|input: expected"),
    (lambda h, t: h["compile"].update(step=-1), "whole numbers"),
    (lambda h, t: h["compile"]["optimizer"].update({"class": "Eval"}), "'Eval' is missing"),
])  # fmt: skip
def test_inconsistent_files(change, message, tmp_path):
    model, x, y, _ = build("last")
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.safetensors")
    rewritten(tmp_path / "m.safetensors", change)
    with pytest.raises(lstmc.FormatError, match=message):
        lstmc.training.load(tmp_path / "m.safetensors")


def test_damaged_files(tmp_path):
    path = tmp_path / "m.safetensors"
    model, *_ = build("last")
    model.save(path)
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[:40], whole[:-1], b"\xff" * 100, whole.replace(b"lstmc", b"other", 1)):
        path.write_bytes(content)
        with pytest.raises(lstmc.FormatError, match=r"m\.safetensors"):
            lstmc.training.load(path)
    save_file({"a": np.zeros(3)}, path)
    with pytest.raises(lstmc.FormatError, match="'lstmc' is missing"):
        lstmc.training.load(path)
    with pytest.raises(FileNotFoundError):
        lstmc.training.load(tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match=r"path: expected a name that ends in \.safetensors"):
        model.save(tmp_path / "m.h5")


def test_what_a_file_cannot_hold(tmp_path):
    model, *_ = build("last")
    model.compile("adam", SPARSE, metrics=[lambda y, p: y])
    with pytest.raises(ValueError, match="metric: expected one of"):
        model.save(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_an_early_file_loads():
    """Written before there were checksums."""
    path = Path(__file__).parent / "golden" / "early.safetensors"
    with safetensors.safe_open(path, framework="numpy") as f:
        assert "checksum" not in f.metadata()["lstmc"]
    model, tensors = lstmc.load(path), load_file(path)
    assert model.step == 1
    for name, v in model.variables:
        assert v.get().tobytes() == tensors[name].tobytes()
        assert tensors[f"optimizer/m/{name}"].any()


def test_a_file_depends_on_the_model_alone(tmp_path):
    model, *_ = build("last")
    for name in ("a", "b"):
        model.save(tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@pytest.mark.parametrize("name", ["optimizer", "m", "forward"])
def test_a_layer_may_have_the_name_of_something_else_in_a_file(name, tmp_path):
    model = Sequential([Input((None, 3)), Bidirectional(LSTM(5, name="inner"), name=name), Dense(4, "softmax")])
    model.compile("adam", SPARSE)
    _, x, y, _ = build("last")
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = lstmc.load(tmp_path / "m.safetensors")
    for m in (model, again):
        m.fit(x, y, verbose=0)
    assert bits(again) == bits(model)


def test_loading_draws_nothing(tmp_path, monkeypatch):
    model, *_ = build("steps-masked")
    model.save(tmp_path / "m.safetensors")

    def draw(*arguments):
        raise AssertionError("drawn")

    for owner, name in ((initializers.Initializer, "__call__"), (Parameters, "uniform")):
        monkeypatch.setattr(owner, name, draw)
    assert bits(lstmc.load(tmp_path / "m.safetensors")) == bits(model)
    with pytest.raises(AssertionError, match="drawn"):
        Sequential([Input((None, 3)), LSTM(2)]).build()


class Ours(initializers.Initializer):
    def values(self, shape, rng):
        return np.full(shape, 0.1)


class Twice(Dense):
    def forward(self, x, mask=None, training=False, step=0):
        y, mask, tape = super().forward(x, mask, training, step)
        return 2 * y, mask, tape


class Wide(LSTM):
    pass


class Model(Sequential):
    pass


class Steep(optimizers.SGD):
    pass


def called(kind, name):
    """A subclass of the same name as a class of the package."""
    return type(name, (kind,), {})


def strange(model, **attributes):
    for name, value in attributes.items():
        setattr(model.layers[-1], name, value)
    return model


STRANGERS = {
    "initializer": (lambda: Sequential([Dense(2, bias_initializer=Ours())]), r"dense: bias_initializer: expected one of Zeros, .*\.Ours$"),
    "initializer of a known name": (lambda: Sequential([Dense(2, kernel_initializer=called(Ours, "Zeros")())]), r"dense: kernel_initializer: expected one of"),
    "layer": (lambda: Sequential([Twice(2)]), r"twice: expected one of LSTM, .*\.Twice$"),
    "layer of a known name": (lambda: Sequential([called(Twice, "Dense")(2)]), r"dense: expected one of LSTM, .*\.Dense$"),
    "layer inside": (lambda: Sequential([Bidirectional(Wide(2))]), r"bidirectional: layer: expected one of LSTM, .*\.Wide$"),
    "initializer inside": (lambda: Sequential([Bidirectional(LSTM(2, kernel_initializer=Ours()))]), r"bidirectional: layer: kernel_initializer: expected"),
    "model": (lambda: Model([Dense(2)]), r"model: expected one of Sequential, .*\.Model$"),
    "method of a layer": (lambda: strange(Sequential([Dense(2)]), forward=print), "dense: expected the methods of Dense, since a file holds no code"),
    "activation of a known name": (lambda: strange(Sequential([Dense(2, "relu")]), activation=Dense(2, "relu").activation._replace(forward=print)),
                                   "dense: activation: expected an activation of this package"),
    "setting": (lambda: strange(Sequential([Dense(2, kernel_initializer="constant")]), kernel_initializer=strange_constant()),
                "model: expected one that its settings rebuild"),
    "name": (lambda: strange(Sequential([Dense(2)]), name="a b"), "model: expected one that its settings rebuild"),
    "many": (lambda: Sequential([Activation("relu") for _ in range(architecture.MAX_LAYERS + 1)]), "model: expected at most 1000 layers, received 1001"),
    "long": (lambda: Sequential([Dense(2, name="a" * saving.MAX_HEADER)]), "model: expected names and settings that take at most 4194304 bytes"),
}


def strange_constant():
    found = initializers.Constant(0.5)
    found.value = [0.5]
    return found


@pytest.mark.parametrize(("make", "message"), STRANGERS.values(), ids=STRANGERS.keys())
def test_what_would_not_load_to_the_same_is_refused(make, message, tmp_path):
    model = make()
    model.build((None, 6, 3))
    with pytest.raises(ValueError, match=message):
        model.save(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_strangers_of_training_are_refused(tmp_path):
    model, *_ = build("last")
    for optimizer, loss, message in ((Steep(), SPARSE, r"optimizer: expected one of SGD, .*\.Steep$"),
                                     ("adam", called(losses.MeanSquaredError, "MeanSquaredError")(), r"loss: expected one of MeanSquaredError, ")):
        model.compile(optimizer, loss)
        with pytest.raises(ValueError, match=message):
            model.save(tmp_path / "m.safetensors")
    model.compile(optimizers.Adam(), SPARSE)
    model.optimizer.beta_1 = 2.0
    with pytest.raises(ValueError, match="model: expected one that its settings rebuild, received one with others: beta_1"):
        model.save(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_second_bias_is_refused(tmp_path):
    model, *_ = build("last")
    model.layers[0].module.state_dict()["bias_hh_l0"][2] = 1
    with pytest.raises(ValueError, match="lstm: expected bias_hh_l0 of its module to be 0"):
        model.save(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


def test_unknown_and_nameless_metrics_of_a_file(tmp_path):
    model, *_ = build("last")
    for value, message in ((["elephant"], "metrics: expected names from accuracy"),
                           ([{"class": "MeanSquaredError", "config": {"name": 5}}], "name: expected a string, received int")):
        model.save(tmp_path / "m.safetensors")
        rewritten(tmp_path / "m.safetensors", lambda h, t, value=value: h["compile"].update(metrics=value))
        with pytest.raises(lstmc.FormatError, match=message):
            lstmc.load(tmp_path / "m.safetensors")
