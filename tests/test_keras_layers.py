"""The numbers of Keras in golden/keras_layers.npz, outputs and every gradient, of each layer; saved, loaded and trained."""

import json
from pathlib import Path

import numpy as np
import pytest

import lstmc
from conftest import DTYPES, TOLERANCE, assert_close
from lstmc import layers

FILE = dict(np.load(Path(__file__).parent / "golden" / "keras_layers.npz"))
CASES = sorted({key.split("/")[0] for key in FILE if "/" in key})


def case_of(name):
    """The arrays of a case, its spec."""
    found = {key.split("/")[1]: a for key, a in FILE.items() if key.startswith(f"{name}/")}
    return found, json.loads(str(found.pop("spec")))


def built(spec, dtype):
    """This package's layer of a spec."""
    config = dict(spec["config"])
    inner = [built(config.pop("layer"), dtype)] if "layer" in config else []
    return getattr(layers, spec["class"])(*inner, **config, dtype=dtype, seed=1)


def several(found, name, dtype):
    """name0, name1, ..."""
    return [found[f"{name}{n}"].astype(dtype) for n in range(9) if f"{name}{n}" in found]


def as_tuple(a):
    return a if isinstance(a, tuple) else (a,)


def inputs_of(found, dtype):
    """x, or the list of x0, x1, ...; the mask, or a list with an entry for each."""
    if "x" in found:
        x = found["x"]
        return x.astype(dtype) if x.dtype.kind == "f" else x, found.get("mask")
    xs = several(found, "x", dtype)
    return xs, [found.get(f"mask{n}") for n in range(len(xs))]


def shape_of(x):
    return [a.shape for a in x] if isinstance(x, list) else x.shape


def free_batch(shape):
    return [(None, *s[1:]) for s in shape] if isinstance(shape, list) else (None, *shape[1:])


def layer_of(name, dtype):
    found, spec = case_of(name)
    layer = built(spec, dtype)
    layer.build(free_batch(shape_of(inputs_of(found, dtype)[0])))
    layer.set_weights(several(found, "w", dtype) + several(found, "k", dtype))
    return layer, found


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_keras_numbers(name, dtype, isa, monkeypatch):
    layer, found = layer_of(name, dtype)
    if "z" in found:        # what is drawn
        monkeypatch.setattr(type(layer), "scale", lambda self, *_: found["z"] >= self.rate, raising=False)
        monkeypatch.setattr(type(layer), "drawn", lambda self, *_: found["z"].astype(dtype), raising=False)
    (x, mask), initial = inputs_of(found, dtype), several(found, "s", dtype)
    arguments = {"initial_state": initial} if initial else {}
    assert [v.shape for v in layer.variables] == list(layer.weight_shapes(free_batch(shape_of(x))).values())
    y, out_mask, tape = layer.forward(x, mask, True, **arguments)
    wanted = layer.compute_output_shape(shape_of(x))
    assert [a.shape for a in as_tuple(y)] == (list(wanted) if isinstance(wanted[0], tuple) else [wanted])
    assert isinstance(y, tuple) == isinstance(out_mask, tuple)
    dx, grads = layer.backward(tape, tuple(dy) if len(dy := several(found, "dy", dtype)) > 1 else dy[0])
    pairs = list(zip(layer.variables, grads, strict=True))[:len(several(found, "w", dtype))]
    grads = [v.outward(g if isinstance(g, np.ndarray) else g.dense()) for v, g in pairs]
    assert all(v.regularizer is None for v in layer.variables)
    assert all(a.dtype == dtype for a in as_tuple(y))
    results = {"y": as_tuple(y), "dw": grads, "ds": as_tuple(dx)[1:] if initial else (), "kept": layer.get_weights()[len(grads):]}
    expected = {part: several(found, part, "float64") for part in ("y", "dw", "ds", "kept")}
    if isinstance(x, list):
        results, expected = results | {"dx": dx}, expected | {"dx": several(found, "dx", "float64")}
        assert (out_mask is None) == ("merged" not in found)
        assert out_mask is None or np.array_equal(out_mask, found["merged"])
    elif "dx" in found:
        results, expected = results | {"dx": [dx[0] if initial else dx]}, expected | {"dx": [found["dx"]]}
    assert_close({f"{part}{n}": a for part, some in results.items() for n, a in enumerate(some)},
                 {f"{part}{n}": a for part, some in expected.items() for n, a in enumerate(some)},
                 max(TOLERANCE[dtype], 2e-6 if "Normalization" in name else 0))        # in which Keras rounds to float32
    inference = layer(x, mask, **arguments)
    assert (y is inference) or bool({"kept0", "z"} & found.keys()) or all(np.array_equal(a, b) for a, b in zip(as_tuple(inference), as_tuple(y), strict=True))


def model_of(layer, x):
    """A model of one layer."""
    if layer.merges:
        given = [lstmc.Input(a.shape[1:]) for a in x]
        return lstmc.Model(given, layer(given))
    if getattr(layer, "outputs", 1) > 1 or getattr(layer, "return_state", False):
        given = lstmc.Input(x.shape[1:])
        return lstmc.Model(given, layer(given))
    return lstmc.Sequential([lstmc.Input(x.shape[1:]), layer])


@pytest.mark.once
@pytest.mark.parametrize("name", CASES)
def test_saving_and_loading(name, tmp_path):
    layer, found = layer_of(name, "float32")
    x, _ = inputs_of(found, "float32")
    if getattr(layer, "outputs", 1) > 1 or getattr(layer, "return_state", False):
        with pytest.raises(ValueError, match=r"layer: expected one output, received .* with (return_state=True|merge_mode=None)"):
            lstmc.Sequential([layer])
    model = model_of(layer, x)
    model.compile(lstmc.optimizers.Adam(0.01), ["mse"] * len(model.outputs))
    y = [np.broadcast_to(dy, a.shape) for dy, a in zip(several(found, "dy", "float32"), as_list(model.predict(x, verbose=0)), strict=True)]
    y = y if len(y) > 1 else y[0]
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = lstmc.load(tmp_path / "m.safetensors")
    assert [a.get_config() for a in again.layers] == [a.get_config() for a in model.layers]
    for m in (model, again):
        m.fit(x, y, verbose=0)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    for a, b in zip(as_list(model.predict(x, verbose=0)), as_list(again.predict(x, verbose=0)), strict=True):
        assert a.tobytes() == b.tobytes()


def as_list(a):
    return a if isinstance(a, list) else [a]


def test_the_file_is_what_it_says():
    assert str(FILE["keras_version"]).startswith("3.15.")
    kinds = {json.loads(str(a))["class"] for key, a in FILE.items() if key.endswith("/spec")}
    assert kinds == {*layers.CLASSES} - {"InputLayer", "Masking", "Dense", "Dropout", "SpatialDropout1D", "Flatten"}
