"""Bad models in ONNX's format: each is a FormatError that names a place, at once and in little memory; those changed at random, or they are models."""

import os
import tracemalloc

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import bad_onnx
import lstmc
from lstmc import FormatError
from lstmc.interchange.onnx import node, plan

pytestmark = pytest.mark.once


def loaded(model, **arguments):
    return lstmc.from_onnx(model if isinstance(model, bytes) else model.SerializeToString(), **arguments)


def test_the_good_model_is_one():
    model, inputs = bad_onnx.good()
    run = loaded(model)
    assert {name: a.shape for name, a in run(inputs).items()} == {"Y": (3, 2, 3), "Y_h": (1, 2, 3), "Y_c": (1, 2, 3)}


def test_hostile_models_are_refused():
    wrong, n = [], 0
    tracemalloc.start()
    for name, model in bad_onnx.hostile():
        n += 1
        try:
            found = loaded(model)
        except FormatError as error:
            if len(str(error)) > 1000 or not str(error):
                wrong.append((name, str(error)))
        else:
            wrong.append((name, found))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not wrong
    assert n > 130
    assert peak < 64 * 2**20


def outcome(call, *arguments, **more):
    """What is returned, or the error if it is one that names a place; anything else is a failure of the test."""
    try:
        return call(*arguments, **more)
    except (TypeError, ValueError) as error:
        return error


def test_models_changed_at_random_are_refused_or_run():
    _, inputs = bad_onnx.good()
    refused = ran = 0
    for name, data in bad_onnx.mutated():
        for arguments in ({}, {"partial": True}, {"node": 0}):
            found = outcome(lstmc.from_onnx, data, **arguments)
            if isinstance(found, Exception):        # or there is no recurrent node any more
                assert isinstance(found, FormatError) or str(found).startswith("node: expected"), name
                refused += 1
            elif not arguments:
                found = outcome(found, inputs)
                assert isinstance(found, dict) or str(found), name
                ran += isinstance(found, dict)
    assert refused > 300
    assert ran > 50


# What is too large while it runs ----------------------------------------------------------------------------

GROWING = {
    "Expand": (("X", "s"), [2**40, 1]), "ConstantOfShape": (("s",), [2**20, 2**20]), "Tile": (("X", "s"), [2**30, 2**30]), "Reshape": (("X", "s"), [2**50]),
    "Pad": (("X", "s"), [2**40, 0, 0, 0]),
}


@pytest.mark.parametrize("op", GROWING)
@pytest.mark.parametrize("stored", [True, False])
def test_sizes_that_are_claimed_are_not_made(op, stored):
    names, shape = GROWING[op]
    model = helper.make_graph([helper.make_node(op, names, ["Y"], name="growing")], "g",
                              [helper.make_tensor_value_info(name, kind, None) for name, kind in (("X", TensorProto.FLOAT), ("s", TensorProto.INT64))
                               if name == "X" or not stored],
                              [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)],
                              [numpy_helper.from_array(np.array(shape), "s")] if stored else [])
    run = loaded(helper.make_model(model, opset_imports=[helper.make_opsetid("", 17)]))
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"node 'growing' \(" + op):
        run({"X": np.ones((2, 3), "f"), **({} if stored else {"s": np.array(shape)})})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**24


@pytest.mark.parametrize("stored", [True, False])
def test_doubling_stops(stored, monkeypatch):
    for module in (node, plan):
        monkeypatch.setattr(module, "LIMIT", 2**20)
    nodes = [helper.make_node("Concat", [f"x{i}", f"x{i}"], [f"x{i + 1}"], axis=0) for i in range(60)]
    value = np.ones((1, 2**12), "f")
    model = helper.make_graph(nodes, "g", [] if stored else [helper.make_tensor_value_info("x0", TensorProto.FLOAT, None)],
                              [helper.make_tensor_value_info("x60", TensorProto.FLOAT, None)], [numpy_helper.from_array(value, "x0")] if stored else [])
    run = loaded(helper.make_model(model, opset_imports=[helper.make_opsetid("", 17)]))
    with pytest.raises(ValueError, match=r"\(Concat\): an array of shape \(\d+,\), more than 1048576 values"):
        run({} if stored else {"x0": value})


# External data ----------------------------------------------------------------------------------------------

def outside(tmp_path, **entries):
    """A model in tmp_path/model whose first weights are in another file."""
    model, _ = bad_onnx.good()
    tensor = model.graph.initializer[0]
    data = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": "weights.bin", **entries}.items():
        if value is not None:
            tensor.external_data.add(key=key, value=value)
    folder = tmp_path / "model"
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx", data


def test_external_data_of_the_folder(tmp_path):
    path, data = outside(tmp_path)
    (path.parent / "weights.bin").write_bytes(data)
    _, inputs = bad_onnx.good()
    want = loaded(bad_onnx.good()[0])(inputs)
    assert all(np.array_equal(a, want[name]) for name, a in lstmc.from_onnx(path)(inputs).items())
    path, _ = outside(tmp_path, location="sub/weights.bin", offset="8", length=str(len(data)))
    (path.parent / "sub").mkdir()
    (path.parent / "sub/weights.bin").write_bytes(b"12345678" + data)
    assert all(np.array_equal(a, want[name]) for name, a in lstmc.from_onnx(str(path))(inputs).items())
    with pytest.raises(FormatError, match=r"initializer 'W': its values are in another file, 'sub/weights.bin': expected the path"):
        lstmc.from_onnx(path.read_bytes())


@pytest.mark.parametrize(("entries", "message"), [
    ({"location": "../weights.bin"}, "inside the model's folder"), ({"location": "a/../../weights.bin"}, "inside the model's folder"),
    ({"location": "/etc/passwd"}, "inside the model's folder"), ({"location": ""}, "inside the model's folder"), ({"location": None}, "inside the model's"),
    ({"location": "C:\\weights.bin"}, "inside the model's folder"), ({"location": "a\0b"}, "inside the model's folder"),
    ({"location": "."}, "inside the model's folder|plain file|directory"), ({"location": "missing.bin"}, "No such file"),
    ({"location": "folder"}, "plain file|directory"), ({"location": "link.bin"}, "no links"), ({"location": "linked/weights.bin"}, "no links"),
    ({"location": "hard.bin"}, "several hard links"), ({"location": "fifo"}, "plain file"), ({"location": "short.bin"}, "received a file of 100"),
    ({"offset": "8"}, "at 8, received a file of"), ({"offset": "9" * 18}, "received a file of"), ({"offset": "-1"}, "offset: expected a whole number"),
    ({"length": "-1"}, "length: expected a whole number"), ({"length": "1"}, "received a length of 1"), ({"offset": "1e3"}, "offset: expected a whole number"),
    ({"__class__": "os"}, "received '__class__'"), ({"basepath": "/"}, "received 'basepath'"),
])
def test_external_data_of_elsewhere_is_refused(tmp_path, entries, message):
    path, data = outside(tmp_path, **entries)
    folder = path.parent
    (tmp_path / "weights.bin").write_bytes(data)
    (folder / "weights.bin").write_bytes(data)
    (folder / "short.bin").write_bytes(data[:100])
    (folder / "folder").mkdir()
    (folder / "link.bin").symlink_to(tmp_path / "weights.bin")
    (folder / "linked").symlink_to(tmp_path)
    (folder / "second.bin").write_bytes(data)
    os.link(folder / "second.bin", folder / "hard.bin")
    os.mkfifo(folder / "fifo")
    with pytest.raises(FormatError, match=message) as caught:
        lstmc.from_onnx(path)
    assert "initializer 'W'" in str(caught.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        lstmc.from_onnx(tmp_path / "missing.onnx")
    for content, message in ((b"", "not an ONNX model: it has no graph"), (b"words " * 99, "not an ONNX model: ")):
        (tmp_path / "m.onnx").write_bytes(content)
        with pytest.raises(FormatError, match=f"^{tmp_path}/m.onnx: {message}"):
            lstmc.from_onnx(tmp_path / "m.onnx")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FormatError, match=f"^{tmp_path}/fifo: expected a file"):
        lstmc.from_onnx(tmp_path / "fifo")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(FormatError, match="at most 2147483647 bytes"):
        lstmc.from_onnx(tmp_path / "sparse")
    with pytest.raises(TypeError, match=r"obj: expected a path, bytes or an onnx\.ModelProto, received int"):
        lstmc.from_onnx(7)
    for name in ("partial", "verify"):
        with pytest.raises(TypeError, match=f"{name}: expected True or False, received 'yes'"):
            lstmc.from_onnx(b"", **{name: "yes"})
