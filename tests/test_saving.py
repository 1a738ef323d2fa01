"""Model files: nothing is lost, training goes on bit for bit, and what does not fit is a FormatError."""

import json

import numpy as np
import pytest
import safetensors
from safetensors.numpy import load_file, save_file

import lstmc
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
    """Change the header or the tensors of a file."""
    with safetensors.safe_open(path, framework="numpy") as f:
        header = json.loads(f.metadata()["lstmc"])
    tensors = load_file(path)
    change(header, tensors)
    save_file(tensors, path, {"lstmc": json.dumps(header)})


@pytest.mark.parametrize(("change", "message"), [
    (lambda h, t: t.pop("dense/kernel"), "expected the weights"),
    (lambda h, t: t.update({"dense/kernel": np.zeros((3, 4), np.float32)}), r"dense/kernel: expected shape \(5, 4\), received \(3, 4\)"),
    (lambda h, t: t.update({"dense/kernel": np.zeros((5, 4), np.int32)}), "dense/kernel: expected dtype"),
    (lambda h, t: t.pop("optimizer/m/dense/bias"), "optimizer/m/dense/bias"),
    (lambda h, t: h.update(version=2), "expected lstmc.Sequential version 1"),
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
