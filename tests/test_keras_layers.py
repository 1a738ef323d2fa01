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


def layer_of(name, dtype):
    found, spec = case_of(name)
    layer = built(spec, dtype)
    layer.build((None, *found["x"].shape[1:]))
    layer.set_weights(several(found, "w", dtype))
    return layer, found


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_keras_numbers(name, dtype, isa):
    layer, found = layer_of(name, dtype)
    x, initial = found["x"], several(found, "s", dtype)
    x = x.astype(dtype) if x.dtype.kind == "f" else x
    assert [v.shape for v in layer.variables] == list(layer.weight_shapes((None, *x.shape[1:])).values())
    y, _, tape = layer.forward(x, found.get("mask"), True, **{"initial_state": initial} if initial else {})
    wanted = layer.compute_output_shape(x.shape)
    assert [a.shape for a in as_tuple(y)] == (list(wanted) if isinstance(wanted[0], tuple) else [wanted])
    dx, grads = layer.backward(tape, tuple(dy) if len(dy := several(found, "dy", dtype)) > 1 else dy[0])
    grads = [v.outward(g if isinstance(g, np.ndarray) else g.dense()) for v, g in zip(layer.variables, grads, strict=True)]
    results = {"y": as_tuple(y), "dw": grads, "ds": as_tuple(dx)[1:]} | ({"dx": as_tuple(dx)[:1]} if "dx" in found else {})
    expected = {"dx": [found["dx"]]} if "dx" in found else {}
    expected |= {part: several(found, part, "float64") for part in ("y", "dw", "ds")}
    assert_close({f"{part}{n}": a for part, some in results.items() for n, a in enumerate(some)},
                 {f"{part}{n}": a for part, some in expected.items() for n, a in enumerate(some)}, TOLERANCE[dtype])
    inference = layer(x, found.get("mask"), **{"initial_state": initial} if initial else {})
    assert all(np.array_equal(a, b) for a, b in zip(as_tuple(inference), as_tuple(y), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_saving_and_loading(name, tmp_path):
    layer, found = layer_of(name, "float32")
    if getattr(layer, "return_state", False):
        with pytest.raises(ValueError, match=r"layer: expected one output, received .* with return_state=True"):
            lstmc.Sequential([layer])
        return
    model = lstmc.Sequential([lstmc.Input(found["x"].shape[1:]), layer])
    model.compile(lstmc.optimizers.Adam(0.01), "mse")
    model.fit(found["x"], several(found, "dy", "float32")[0], epochs=2, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = lstmc.load(tmp_path / "m.safetensors")
    assert [a.get_config() for a in again.layers] == [a.get_config() for a in model.layers]
    for m in (model, again):
        m.fit(found["x"], several(found, "dy", "float32")[0], verbose=0)
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert model.predict(found["x"], verbose=0).tobytes() == again.predict(found["x"], verbose=0).tobytes()


def test_the_file_is_what_it_says():
    assert str(FILE["keras_version"]).startswith("3.15.")
    kinds = {json.loads(str(a))["class"] for key, a in FILE.items() if key.endswith("/spec")}
    assert kinds == {*layers.CLASSES} - {"InputLayer", "Masking", "Dense", "Dropout", "SpatialDropout1D", "Flatten"}
