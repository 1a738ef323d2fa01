"""`lstmc.from_torch` without torch: what torch computed (golden/from_torch.npz), from dicts and .safetensors files; names, prefixes, errors.

With torch, of modules and .pt files: parity/test_from_torch.py.
"""

import json
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

import lstmc
from conftest import DTYPES, TOLERANCE
from golden.make_from_torch import PATH, B, I, T, cases, drawn
from lstmc import nn
from lstmc.interchange import torch_names

pytestmark = pytest.mark.once

GOLDEN = dict(np.load(PATH))
NAMES = json.loads(str(GOLDEN["cases"]))
CASES = [(number, case, settings) for number, (case, (_, settings)) in enumerate(cases())]


def state_and_x(number, case, dtype):
    """The state_dict of a case, and its x."""
    shapes = NAMES[case]
    *weights, x = (a.astype(dtype) for a in drawn(number, [shape for _, shape in shapes] + [(T, B, I)]))
    return {name: w for (name, _), w in zip(shapes, weights, strict=True)}, x


def plain(kind="LSTM", dtype="float32", **settings):
    """A state_dict of a small module."""
    return {name: np.array(a) for name, a in getattr(nn, kind)(3, 4, seed=0, dtype=dtype, **settings).state_dict().items()}


@pytest.mark.parametrize("dtype", DTYPES)
def test_torchs_numbers(dtype, tmp_path):
    path = tmp_path / "model.safetensors"
    for number, case, settings in CASES:
        state, x = state_and_x(number, case, dtype)
        whole = {"embed.weight": np.zeros((5, 2), dtype), **{f"encoder.rnn.{name}": a for name, a in state.items()}, "steps": np.array(3)}
        save_file(whole, path)
        more = {"nonlinearity": settings["nonlinearity"]} if "nonlinearity" in settings else {}
        m = lstmc.from_torch(state, **more)
        assert case.startswith(type(m).__name__)
        assert (m.dtype, m.bias, m.num_layers, m.bidirectional) == (dtype, settings.get("bias", True), settings.get("num_layers", 1),
                                                                    settings.get("bidirectional", False))
        y, found = m(x)
        found = dict(zip(("h_n", "c_n"), found if isinstance(found, tuple) else (found,), strict=False)) | {"y": y}
        want = {name: GOLDEN[f"{case}/{name}"] for name in found}
        for name, a in found.items():
            assert np.abs(a - want[name]).max() <= TOLERANCE[dtype] * max(1, np.abs(want[name]).max()), (case, name)
        for source in (path, whole, {"model": whole, "epoch": 3}):
            other = lstmc.from_torch(source, prefix=None if source is path else "encoder" if source is whole else "model.encoder.rnn", **more)
            assert all(np.array_equal(a, m.state_dict()[name]) for name, a in other.state_dict().items())
            assert repr(other) == repr(m)


def test_what_weights_do_not_say_is_told():
    m = lstmc.from_torch(plain(num_layers=2), batch_first=True, dropout=0.25, seed=3)
    assert (m.batch_first, m.dropout, m.seed) == (True, 0.25, 3)
    assert repr(lstmc.from_torch(plain("RNN"), nonlinearity="relu")) == "RNN(3, 4, nonlinearity='relu')"
    with pytest.warns(UserWarning, match="no effect with num_layers=1"):
        lstmc.from_torch(plain(), dropout=0.25)
    for more, message in (({"nonlinearity": "relu"}, "nonlinearity: expected None, since the weights are of LSTM layers, received 'relu'"),
                          ({"batch_first": 1}, "batch_first: expected True or False"), ({"verify": 1}, "verify: expected True or False"),
                          ({"prefix": 1}, "prefix: expected a string, received int"), ({"dropout": 2}, "dropout: expected at least 0 and below 1")):
        with pytest.raises((TypeError, ValueError), match=message):
            lstmc.from_torch(plain(), **more)


def test_other_orders_of_bytes_and_strides():
    state = plain(dtype="float64")
    m = lstmc.from_torch({name: np.asfortranarray(a.astype(">f8")) for name, a in state.items()})
    assert all(np.array_equal(a, state[name]) for name, a in m.state_dict().items())


def test_the_arrays_are_copied_and_nan_is_a_value():
    state = plain()
    state["weight_hh_l0"][3, 1] = np.nan
    m = lstmc.from_torch(state)
    state["weight_ih_l0"][...] = 7
    assert np.isnan(m.state_dict()["weight_hh_l0"][3, 1])
    assert not (m.state_dict()["weight_ih_l0"] == 7).any()


def test_half_precision_is_widened(tmp_path):
    half = {name: a.astype(np.float16) for name, a in plain().items()}
    with pytest.warns(UserWarning, match="weights of float16 are widened to float32, which holds them exactly"):
        m = lstmc.from_torch(half)
    assert m.dtype == np.float32
    assert all(np.array_equal(a, half[name]) for name, a in m.state_dict().items())
    bits = {name: a.view("u4") >> 16 for name, a in plain("GRU").items()}       # as bfloat16 stores the upper half of a float32
    table, data = {}, b""
    for name, a in bits.items():
        table[name] = {"dtype": "BF16", "shape": list(a.shape), "data_offsets": [len(data), len(data) + 2 * a.size]}
        data += a.astype("<u2").tobytes()
    text = json.dumps(table).encode()
    (tmp_path / "m.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    with pytest.warns(UserWarning, match="weights of bfloat16 are widened"):
        m = lstmc.from_torch(tmp_path / "m.safetensors")
    assert all(np.array_equal(a.view("u4"), bits[name] << 16) for name, a in m.state_dict().items())


def test_one_of_several_layers_is_named(tmp_path):
    whole = {**{f"a.rnn.{n}": w for n, w in plain("GRU").items()}, **{f"a.rnn2.{n}": w for n, w in plain().items()}, "head.weight": np.zeros(3)}
    save_file(whole, tmp_path / "m.safetensors")
    for source in (whole, tmp_path / "m.safetensors"):
        for prefix in ("a.rnn", "a.rnn."):
            assert type(lstmc.from_torch(source, prefix=prefix)) is nn.GRU
        assert type(lstmc.from_torch(source, prefix="a.rnn2")) is nn.LSTM
        have = r"prefix: expected one of 'a\.rnn\.', 'a\.rnn2\.', "
        for prefix, message in ((None, "since there are 2 recurrent layers, received None"), ("a", "received 'a', which several begin with"),
                                ("head", "received 'head'"), ("", "received '', which several begin with")):
            with pytest.raises(ValueError, match=have + message) as caught:
                lstmc.from_torch(source, prefix=prefix)
            assert not isinstance(caught.value, lstmc.FormatError)
    both = {**plain(), **{f"inner.{n}": w for n, w in plain("GRU").items()}}
    assert type(lstmc.from_torch(both, prefix="")) is nn.LSTM
    assert type(lstmc.from_torch(both, prefix="inner")) is nn.GRU


def test_dicts_in_dicts():
    state = {"model": {"rnn": plain()}, "epoch": 3, 7: plain(), "config": {"rnn": None}}
    state["self"] = state["model"]["again"] = state
    assert repr(lstmc.from_torch(state)) == "LSTM(3, 4)"
    deep = plain()
    for _ in range(60):
        deep = {"a": deep, "b": deep}
    with pytest.raises(ValueError, match="expected weights of a recurrent layer, such as weight_hh_l0, received no names"):
        lstmc.from_torch(deep)


def changed(remove=(), kind="LSTM", sizes=None, **arrays):
    state = {**plain(kind, **sizes or {}), **arrays}
    return {name: a for name, a in state.items() if not any(part in name for part in remove)}


@pytest.mark.parametrize(("state", "message"), [
    (changed(["weight_ih"]), "expected weight_ih_l0 beside the others, received 'weight_hh_l0', 'bias_ih_l0', 'bias_hh_l0' without it"),
    (changed(["bias_hh"]), "expected bias_hh_l0 beside the others"),
    (changed(["_l1"], sizes={"num_layers": 3}), "expected weight_ih_l1, weight_hh_l1, bias_ih_l1, bias_hh_l1 beside the others, .* without them"),
    (changed(["_l1_reverse"], sizes={"num_layers": 2, "bidirectional": True}), "expected weight_ih_l1_reverse, .* beside the others"),
    (changed(["bias_ih_l1"], sizes={"num_layers": 2}), "expected bias_ih_l1 beside"),
    (changed(["weight_hr_l1"], sizes={"num_layers": 2, "proj_size": 2}), "expected weight_hr_l1 beside"),
    (changed(["weight_hr_l0"], sizes={"num_layers": 2, "proj_size": 2}), r"weight_hr_l1: expected no such array|weight_hh_l0: expected shape \(4\*H, H\)"),
    (changed(weight_hh_l0=np.zeros((17, 4), np.float32)), r"weight_hh_l0: expected shape \(4\*H, H\) of an LSTM, .* received \(17, 4\)"),
    (changed(weight_hh_l0=np.zeros((8, 4), np.float32)), r"weight_hh_l0: expected shape"),
    (changed(weight_hh_l0=np.zeros((0, 0), np.float32)), r"weight_hh_l0: expected shape"),
    (changed(weight_ih_l0=np.zeros((16, 3, 1), np.float32)), r"weight_ih_l0: expected two axes, received shape \(16, 3, 1\)"),
    (changed(weight_ih_l0=np.zeros((16, 0), np.float32)), "weight_ih_l0: expected at least one input"),
    (changed(bias_ih_l0=np.zeros((16, 1), np.float32)), "bias_ih_l0: expected one axis"),
    (changed(bias_ih_l0=np.zeros(15, np.float32)), r"bias_ih_l0: expected shape \(16,\) of LSTM layers with hidden_size=4, received \(15,\)"),
    (changed(sizes={"num_layers": 2}, weight_ih_l1=np.zeros((16, 5), np.float32)), r"weight_ih_l1: expected shape \(16, 4\)"),
    (changed(kind="GRU", weight_hr_l0=np.zeros((2, 4), np.float32)), r"weight_ih_l0: expected shape \(16, 3\) of LSTM"),
    (changed(sizes={"proj_size": 2}, weight_hr_l0=np.zeros((2, 1), np.float32)), "weight_ih_l0: expected shape"),
    (changed(weight_ih=np.zeros((16, 3), np.float32)), "obj: expected names of a layer, .* or of a cell, .* received both"),
    ({**changed(["weight_hh"]), "weight_hh_l0_g": np.zeros((16, 1)), "weight_hh_l0_v": np.zeros((16, 4))},
     "expected weight_hh_l0 beside .*; 'weight_hh_l0_g' is part of a weight that torch computes of others: pass the module instead of its state_dict"),
    ({"parametrizations.weight_hh_l0.original0": np.zeros((16, 1))}, "expected weights of a recurrent layer, .*original0' is part of a weight"),
    (changed(sizes={"peephole": True}), "peephole_l0: expected no such array beside 'weight_ih_l0', .*: torch's layers have none"),
    (changed(sizes={"layer_norm": "haste"}), "norm_ih_l0: expected no such array"),
    ({"linear.weight": np.zeros((16, 1))}, "expected weights of a recurrent layer, such as weight_hh_l0, received 'linear.weight'"),
    ({}, "received no names"),
])
def test_sets_that_do_not_fit_together(state, message):
    with pytest.raises(ValueError, match=message) as caught:
        lstmc.from_torch(state)
    assert not isinstance(caught.value, lstmc.FormatError)


@pytest.mark.parametrize(("change", "message"), [
    (lambda a: a.astype(np.int32), "weight_ih_l0: expected float64, float32, float16, bfloat16, received int32"),
    (lambda a: a.astype(np.complex64), "weight_ih_l0: .* received complex64"),
    (lambda a: a.astype(np.longdouble), "weight_ih_l0: .* received (longdouble|float128|float96)"),
    (lambda a: a.astype(object), "weight_ih_l0: .* received object"),
    (lambda a: a.astype(np.float64), "expected one dtype, received float64 of weight_ih_l0, float32 of bias_hh_l0"),
])
def test_dtypes_that_are_refused(change, message):
    state = plain()
    state["weight_ih_l0"] = change(state["weight_ih_l0"])
    with pytest.raises(TypeError, match=message):
        lstmc.from_torch(state)


def test_other_objects_and_paths(tmp_path):
    for obj, received in ((3, "int"), (None, "NoneType"), ([plain()], "list"), (lstmc.nn.LSTM(3, 4), r"lstmc\.nn\.\S+LSTM")):
        with pytest.raises(TypeError, match=f"obj: expected a torch module, a state_dict, or a path, received {received}$"):
            lstmc.from_torch(obj)
    expected = r"obj: expected a path that ends with \.safetensors, \.pt, \.pth, \.bin, \.ckpt, received"
    for name, hint in (("m.onnx", r"; lstmc\.from_onnx reads \.onnx files"), ("m.h5", r"; lstmc\.from_keras reads \.h5 files"), ("m.npz", "")):
        with pytest.raises(ValueError, match=f"{expected} '.*{name}'{hint}$"):
            lstmc.from_torch(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        lstmc.from_torch(tmp_path / "m.safetensors")
    save_file({"head.weight": np.zeros(3)}, tmp_path / "m.safetensors")
    with pytest.raises(lstmc.FormatError, match=r"m\.safetensors: expected weights of a recurrent layer, such as weight_hh_l0, received 'head.weight'"):
        lstmc.from_torch(tmp_path / "m.safetensors")
    save_file({name: a.astype(np.int8) for name, a in plain().items()}, tmp_path / "m.safetensors")
    with pytest.raises(lstmc.FormatError, match=r"m\.safetensors: [a-z_]+_l0: expected float64, float32, float16, bfloat16, received I8"):
        lstmc.from_torch(tmp_path / "m.safetensors")


def test_without_torch_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    m = lstmc.from_torch(plain())
    for call, why in ((lambda: lstmc.from_torch(tmp_path / "m.pt"), r"reading m\.pt; a \.safetensors file needs no torch"),
                      (lambda: lstmc.from_torch(plain(), verify=True), "verify=True, which runs torch's own module"), (m.to_torch, "to_torch")):
        with pytest.raises(ImportError, match=rf'torch is needed for {why}: pip install "lstmc\[torch\]"'):
            call()


def test_long_names_take_no_time():
    names = ["a." * 200_000 + "weight_hh_l0x", "weight_hh_l" + "9" * 100_000, "x" * 400_000 + "_g"]
    with pytest.raises(ValueError, match="expected weights of a recurrent layer"):
        torch_names.layers_of(names)
