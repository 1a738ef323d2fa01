"""Graphs of ONNX: its backend tests of every operator, branches, weights behind other nodes, what a run takes, recurrent nodes alone."""

import re
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import lstmc
from lstmc import FormatError
from lstmc.interchange.onnx.operators import OPERATORS
from onnx_models import cases_of, check, drawn, model_of

pytestmark = pytest.mark.once

PLAIN = {"bias": True, "lengths": False, "state": False, "peephole": False}
SIZES = {"T": 5, "B": 3, "I": 4, "H": 6}


# Types that NumPy has not, options that are refused by name, and an operator set that is too old.
REFUSED = re.compile(r"FLOAT\d+E|FLOAT4|BFLOAT16|bfloat16|U?INT[24]|e8m0|e5m2|e4m3|float4|u?int[24]_|u?int[24]$|select_last|training_dropout|string"
                     r"|identity_seq|identity_opt|test_not_\dd|blocked|empty_set|basic_conv|conv_with|float16|fp16|FLOAT16|no_saturate|with_reduction|duplicate_ind|pool_[23]d|pool_with")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")        # of the backend's own numbers
def test_the_backends_cases_of_all_operators():
    cases, seen = cases_of(tuple(OPERATORS)), set()
    for case in cases:
        if not REFUSED.search(case.name) and not any(np.asarray(a).dtype.kind not in "biuf" for inputs, _ in case.data_sets for a in inputs):
            check(case)
            seen |= {n.op_type for n in case.model.graph.node}
    assert set(OPERATORS) - seen <= {"Conv", "Not", "CastLike", "Cast"}
    for case in cases:
        if re.search(r"training_dropout|identity_opt|equal_string$|blocked|basic_conv|bfloat16", case.name):
            with pytest.raises((FormatError, ValueError, TypeError)):
                check(case)


def one(op, inputs, opset=17, outputs=1, **attributes):
    """The outputs of one node on arrays."""
    names = [f"x{i}" for i in range(len(inputs))]
    described = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(a.dtype), None) for name, a in zip(names, inputs, strict=True)]
    results = [f"y{i}" for i in range(outputs)]
    graph = helper.make_graph([helper.make_node(op, names, results, **attributes)], "g", described,
                              [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in results])
    return list(lstmc.from_onnx(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]))(dict(zip(names, inputs, strict=True))).values())


def test_operators_that_the_backend_has_no_cases_of():
    x = np.arange(6, dtype="f").reshape(2, 3) - 2
    assert np.array_equal(one("Cast", [x], to=TensorProto.INT64)[0], x.astype(int))
    assert np.array_equal(one("CastLike", [x, np.zeros(1)])[0], x.astype(float))
    assert np.array_equal(one("Not", [x > 0])[0], x <= 0)
    rng = np.random.default_rng(0)
    x, b = rng.standard_normal((2, 4, 11)).astype("f"), rng.standard_normal(6).astype("f")
    for groups, stride, dilation, pads in ((1, 1, 1, [0, 0]), (1, 2, 1, [1, 2]), (2, 1, 3, [3, 0]), (2, 3, 2, [2, 2])):
        w = rng.standard_normal((6, 4 // groups, 3)).astype("f")
        got, = one("Conv", [x, w, b], group=groups, strides=[stride], dilations=[dilation], pads=pads)
        padded = np.pad(x, ((0, 0), (0, 0), tuple(pads)))
        for t in range(got.shape[2]):
            for n in range(6):
                first = (n // (6 // groups)) * (4 // groups)
                window = padded[:, first:first + 4 // groups, t * stride:t * stride + 2 * dilation + 1:dilation]
                np.testing.assert_allclose(got[:, n, t], (window * w[n]).sum((1, 2)) + b[n], rtol=0, atol=1e-5)
        assert got.shape[2] == (11 + sum(pads) - 2 * dilation - 1) // stride + 1
        for kind, fill in (("MaxPool", -np.inf), ("AveragePool", np.nan)):
            got, = one(kind, [x], kernel_shape=[3], strides=[stride], dilations=[dilation], pads=pads, opset=19)
            padded = np.pad(x, ((0, 0), (0, 0), tuple(pads)), constant_values=fill)
            for t in range(got.shape[2]):
                window = padded[:, :, t * stride:t * stride + 2 * dilation + 1:dilation]
                np.testing.assert_allclose(got[:, :, t], window.max(2) if kind == "MaxPool" else np.nanmean(window, 2), rtol=0, atol=1e-6)
    for auto, pads in (("SAME_UPPER", [1, 2]), ("SAME_LOWER", [2, 1]), ("VALID", [0, 0])):
        w = rng.standard_normal((6, 4, 5)).astype("f")
        for kind, inputs, more in (("MaxPool", [x], {}), ("AveragePool", [x], {"count_include_pad": 1}), ("Conv", [x, w], {})):
            got, want = (one(kind, inputs, kernel_shape=[5], strides=[3], **more, **{name: value}) for name, value in (("auto_pad", auto), ("pads", pads)))
            assert np.array_equal(got, want)
    assert np.array_equal(one("MaxPool", [np.arange(8, dtype="i1").reshape(1, 1, 8)], kernel_shape=[2], pads=[1, 0]), [[[[0, 1, 2, 3, 4, 5, 6, 7]]]])


def test_operators_of_older_sets():
    x = np.random.default_rng(0).standard_normal((2, 3, 4)).astype("f")
    e = np.exp(x.reshape(2, -1) - x.reshape(2, -1).max(1, keepdims=True))
    np.testing.assert_allclose(one("Softmax", [x], 11)[0], (e / e.sum(1, keepdims=True)).reshape(x.shape), rtol=1e-5)       # along all axes from 1
    assert np.array_equal(one("Slice", [x], 9, starts=[0, 1], ends=[1, 99], axes=[0, -1])[0], x[:1, :, 1:])
    assert one("Unsqueeze", [x], 11, axes=[0, 4])[0].shape == (1, 2, 3, 4, 1)
    assert one("Squeeze", [x[:1]], 11, axes=[0])[0].shape == (3, 4)
    assert np.array_equal(one("Clip", [x], 7, min=-0.5, max=0.25)[0], np.clip(x, np.float32(-0.5), np.float32(0.25)))
    assert one("Pad", [x], 9, pads=[0, 1, 0, 0, 0, 2])[0].shape == (2, 4, 6)
    np.testing.assert_allclose(one("ReduceMean", [x], 11, axes=[-1], keepdims=0)[0], x.mean(-1), rtol=0, atol=1e-6)
    assert [a.shape for a in one("Split", [x], 11, 2, axis=2, split=[1, 3])] == [(2, 3, 1), (2, 3, 3)]
    assert one("Dropout", [x], 7)[0] is not None


def model(op="LSTM", attributes=None, options=(), constants=(), dtype=np.float32, seed=0):
    attributes = {"hidden_size": 6, **(attributes or {})}
    weights, inputs = drawn(op, attributes, SIZES, {**PLAIN, **dict(options)}, seed, dtype)
    return model_of(op, attributes, weights, inputs, 14, constants), inputs


def graph(nodes, inputs, outputs, constants=None, opset=17):
    """A model; inputs: name -> (type, shape)."""
    made = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(name, *value) for name, value in inputs.items()],
                             [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
                             [numpy_helper.from_array(np.asarray(a), name) for name, a in (constants or {}).items()])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)])


def branch(op, source, name):
    return helper.make_graph([helper.make_node(op, [source], [name])], name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)])


def test_ifs_are_decided_while_reading_or_in_a_run():
    x = np.array([1.0, -2.0], "f")
    nodes = [helper.make_node("If", ["c"], ["Y"], then_branch=branch("Neg", "X", "n"), else_branch=branch("Elephant", "X", "e"))]
    described = {"X": (TensorProto.FLOAT, ["B"])}
    assert np.array_equal(lstmc.from_onnx(graph(nodes, described, ["Y"], {"c": np.array(True)}))({"X": x})["Y"], -x)
    with pytest.raises(FormatError, match="Elephant"):
        lstmc.from_onnx(graph(nodes, described, ["Y"], {"c": np.array(False)}))
    nodes = [helper.make_node("If", ["c"], ["Y"], then_branch=branch("Neg", "X", "n"), else_branch=branch("Abs", "X", "n"))]
    run = lstmc.from_onnx(graph(nodes, described | {"c": (TensorProto.BOOL, [])}, ["Y"]))
    assert np.array_equal(run({"X": x, "c": np.array(True)})["Y"], -x)
    assert np.array_equal(run({"X": x, "c": np.array(False)})["Y"], abs(x))
    with pytest.raises(ValueError, match="expected one bool as condition"):
        lstmc.from_onnx(graph(nodes, described | {"c": (TensorProto.BOOL, None)}, ["Y"]))({"X": x, "c": np.array([True, False])})


def test_a_branch_may_hide_a_name_after_it_has_taken_it():
    hiding = [helper.make_node("Neg", ["X"], ["n"]), helper.make_node("Add", ["n", "n"], ["X"])]
    hiding = helper.make_graph(hiding, "hiding", [], [helper.make_tensor_value_info("X", TensorProto.FLOAT, None)])
    nodes = [helper.make_node("If", ["c"], ["Y"], then_branch=hiding, else_branch=branch("Abs", "X", "n")), helper.make_node("Neg", ["X"], ["Z"])]
    run = lstmc.from_onnx(graph(nodes, {"X": (TensorProto.FLOAT, None), "c": (TensorProto.BOOL, None)}, ["Y", "Z"]))
    x = np.array([1.0, -2.0], "f")
    for c, want in ((True, -2 * x), (False, abs(x))):
        found = run({"X": x, "c": np.array(c)})
        assert np.array_equal(found["Y"], want)
        assert np.array_equal(found["Z"], -x)


def test_quantized_weights_and_computed_shapes():
    """Weights behind DequantizeLinear, an initial state of the batch's size, two outputs joined: as exporters write them."""
    rng = np.random.default_rng(0)
    weights, inputs = drawn("GRU", {"hidden_size": 6, "direction": "bidirectional"}, SIZES, PLAIN)
    q = {name: rng.integers(-128, 128, a.shape).astype(np.int8) for name, a in weights.items()}
    nodes = [*(helper.make_node("DequantizeLinear", [f"{name}_q", "scale"], [name]) for name in weights),
             helper.make_node("Shape", ["X"], ["s"]), helper.make_node("Gather", ["s", "one"], ["b"]),
             helper.make_node("Concat", ["two", "b", "six"], ["hs"], axis=0),
             helper.make_node("ConstantOfShape", ["hs"], ["h"]),
             helper.make_node("GRU", ["X", *weights, "", "h"], ["y", "last"], hidden_size=6, direction="bidirectional", linear_before_reset=1, name="gru"),
             helper.make_node("Transpose", ["y"], ["t"], perm=[0, 2, 1, 3]), helper.make_node("Reshape", ["t", "flat"], ["Y"])]
    constants = {**{f"{name}_q": a for name, a in q.items()}, "scale": np.float32(0.01), "one": np.array([1]), "two": np.array([2]), "six": np.array([6]),
                 "flat": np.array([0, 0, -1])}
    data = graph(nodes, {"X": (TensorProto.FLOAT, ["T", "B", 4])}, ["Y", "last"], constants)
    run = lstmc.from_onnx(data)
    module = lstmc.from_onnx(data, "gru")
    assert np.array_equal(module.state_dict()["weight_ih_l0"][:6], (q["W"][0].astype("f") * np.float32(0.01))[6:12])
    for B in (3, 1):
        y, state = module(inputs["X"][:, :B])
        found = run({"X": inputs["X"][:, :B]})
        assert np.array_equal(found["Y"], y)
        assert np.array_equal(found["last"], state)
    assert run.inputs["X"].shape == ("T", "B", 4)
    assert repr(run) == "Graph(X: float32['T', 'B', 4] -> Y: float32, last: float32)"


def half(a, kind):
    """A tensor of float16 or bfloat16, the latter in either form."""
    a = a.astype(np.float16).astype("f") if kind == TensorProto.FLOAT16 else (a.view(np.uint32) & 0xFFFF0000).view("f")
    bits = (a.astype(np.float16).view(np.uint16) if kind == TensorProto.FLOAT16 else a.view(np.uint32) >> 16).astype(np.uint16)
    return a, bits


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
@pytest.mark.parametrize("raw", [False, True])
def test_half_precision_is_computed_in_single(kind, raw):
    exact, inputs = model(options={"state": True}.items())
    made = onnx.ModelProto.FromString(exact.SerializeToString())
    for i, t in enumerate(exact.graph.initializer):
        a, bits = half(numpy_helper.to_array(t), kind)
        exact.graph.initializer[i].CopyFrom(numpy_helper.from_array(a, t.name))
        other = TensorProto(name=t.name, data_type=kind, dims=a.shape)
        if raw:
            other.raw_data = bits.tobytes()
        else:
            other.int32_data.extend(bits.ravel().tolist())
        made.graph.initializer[i].CopyFrom(other)
    for value in made.graph.input:
        value.type.tensor_type.elem_type = kind
    with pytest.warns(UserWarning, match="widened to float32") as told:
        run = lstmc.from_onnx(made)
    assert told[0].filename == __file__
    assert {t.dtype for t in run.inputs.values()} == {np.dtype("f")}
    want = lstmc.from_onnx(exact)(inputs)
    assert all(np.array_equal(a, want[name]) for name, a in run(inputs).items())


def layered(layers=2, batch_first=True, more=(), outputs=("tags",), **attributes):
    """A tagger as torch exports it: layers of an LSTM between the moves of axes that a node needs, then Linear; more: nodes."""
    direction = attributes.setdefault("direction", "bidirectional")
    D, constants, nodes, x = 2 if direction == "bidirectional" else 1, {"flat": np.array([0, 0, -1]), "one": np.array([1])}, [], "X"

    def node(op, inputs, output, **settings):
        nodes.append(helper.make_node(op, inputs, [*np.atleast_1d(output).tolist()], **settings))
        return nodes[-1].output[0]

    if batch_first:
        x = node("Transpose", [x], "xt", perm=[1, 0, 2])
    for n in range(layers):
        weights, _ = drawn("LSTM", {"direction": direction}, {**SIZES, "I": D * 6 if n else 4}, PLAIN, n)
        constants |= {f"{name}{n}": w for name, w in weights.items()}
        x = node("LSTM", [x, *(f"{name}{n}" for name in weights)], [f"Y{n}", f"h{n}", f"c{n}"], hidden_size=6, **attributes)
        x = node("Squeeze", [x, "one"], f"y{n}") if D == 1 else node("Reshape", [node("Transpose", [x], f"t{n}", perm=[0, 2, 1, 3]), "flat"], f"y{n}")
    if batch_first:
        x = node("Transpose", [x], "yt", perm=[1, 0, 2])
    rng = np.random.default_rng(9)
    constants |= {"w": rng.standard_normal((6 * D, 5)).astype("f"), "b": rng.standard_normal(5).astype("f")}
    node("Add", ["b", node("MatMul", [x, "w"], "xw")], "scores")
    node("Identity", ["scores"], "tags")
    return graph([*nodes, *more], {"X": (TensorProto.FLOAT, ["B", "T", 4] if batch_first else ["T", "B", 4])}, outputs, constants)


@pytest.mark.parametrize(("settings", "steps"), [
    ({}, 2), ({"layers": 3, "batch_first": False}, 2), ({"direction": "forward"}, 2), ({"direction": "reverse"}, 3),
    ({"outputs": ("h1", "tags", "c0", "h0")}, 2), ({"outputs": ("tags", "y0", "Y1")}, 6),
    ({"more": [helper.make_node("Neg", ["y0"], ["n"])], "outputs": ("tags", "n")}, 4), ({"activations": ["Sigmoid", "Tanh", "Softsign"] * 2, "clip": 1.5}, 2),
], ids=str)
def test_layers_and_the_moves_around_them_are_one_step(settings, steps, monkeypatch):
    from lstmc.interchange.onnx import fusing

    model, x = layered(**settings), np.random.default_rng(1).standard_normal((3, 5, 4)).astype("f")
    run = lstmc.from_onnx(model)
    (plan,) = run._plans.values()
    assert len(plan.steps) == steps
    monkeypatch.setattr(fusing, "stacked", lambda steps, names: steps)
    plain = lstmc.from_onnx(model)
    for X in (x, x[:1], x[:, ::2]):
        found, want = run({"X": X}), plain({"X": X})
        assert all(np.array_equal(found[name], want[name]) and found[name].shape == want[name].shape for name in want)
    w, b = (numpy_helper.to_array(t) for t in model.graph.initializer[-2:])
    y = lstmc.from_onnx(layered(**settings | {"outputs": ("yt" if settings.get("batch_first", True) else f"y{settings.get('layers', 2) - 1}",)}))({"X": x})
    np.testing.assert_allclose(run({"X": x})["tags"], next(iter(y.values())) @ w + b, rtol=0, atol=1e-5)


def test_what_a_run_takes():
    data, inputs = model("LSTM", None, {"lengths": True})
    run = lstmc.from_onnx(data)
    x, lengths = inputs["X"], inputs["sequence_lens"]
    for wrong, error, message in (({"X": x}, ValueError, "inputs: expected X, sequence_lens; received X"), ([x], TypeError, "inputs: expected a dict"),
                                  ({**inputs, "more": x}, ValueError, "received X, sequence_lens, more"),
                                  ({**inputs, "X": x.astype(float)}, TypeError, "X: expected dtype float32, received float64"),
                                  ({**inputs, "X": x[0]}, ValueError, "X: expected shape"),
                                  ({**inputs, "sequence_lens": lengths + 99}, ValueError, r"node 'cell' \(LSTM\): lengths: expected values from 0 to T"),
                                  ({**inputs, "X": np.concatenate([x, x], -1)}, ValueError, r"node 'cell' \(LSTM\): x: expected shape")):
        with pytest.raises(error, match=message):
            run(wrong)
    want = run(inputs)
    bent = {"X": np.asfortranarray(x).astype(">f4"), "sequence_lens": lengths}
    assert all(np.array_equal(a, want[name]) for name, a in run(bent).items())


def test_partial_leaves_what_is_not_supported():
    weights, inputs = drawn("LSTM", {}, SIZES, {**PLAIN, "state": True})
    data = model_of("LSTM", {}, weights, inputs)
    data.graph.node[0].input[0] = "before"
    data.graph.node.insert(0, helper.make_node("Einsum", ["X"], ["before"], equation="tbi->tbi"))
    with pytest.raises(FormatError, match=r"node of output 'before' \(Einsum\): the operator Einsum is not supported; from_onnx\(..., partial=True\)"):
        lstmc.from_onnx(data)
    for loop in ("Loop", "Scan"):
        data.graph.node[0].op_type = loop
        with pytest.raises(FormatError, match=rf"'before' \({loop}\): the operator {loop} is not supported; from_keras and from_torch take the model it was"):
            lstmc.from_onnx(data)
    data.graph.initializer.append(helper.make_tensor("words", TensorProto.STRING, [1], [b"a"]))
    data.graph.node.append(helper.make_node("Squeeze", ["words", "words"], ["nothing"]))
    data.graph.node.append(helper.make_node("Cast", ["W"], ["odd"], to=TensorProto.BFLOAT16))
    cell = lstmc.from_onnx(data, partial=True)["cell"]
    assert {name: t.shape for name, t in cell.inputs.items()} == {"before": ("T", "B", 4), "initial_h": (1, "B", 6), "initial_c": (1, "B", 6)}
    assert {name: t.shape for name, t in cell.outputs.items()} == {"Y": ("T", 1, "B", 6), "Y_h": (1, "B", 6), "Y_c": (1, "B", 6)}
    found = cell({"before": inputs["X"], **{name: a for name, a in inputs.items() if name != "X"}})
    y, (h, c) = lstmc.from_onnx(data, "cell")(inputs["X"], (inputs["initial_h"], inputs["initial_c"]))
    assert np.array_equal(found["Y"][:, 0], y)
    assert np.array_equal(found["Y_h"], h)
    assert np.array_equal(found["Y_c"], c)


def test_inputs_with_a_default():
    """An initial state that the model has a value of: left out, and given; weights that an exporter lists as inputs."""
    data, inputs = model("GRU", None, {"state": True})
    given, state = inputs["X"], inputs.pop("initial_h")
    data.graph.initializer.append(numpy_helper.from_array(state, "initial_h"))
    data.graph.input.append(helper.make_tensor_value_info("R", TensorProto.FLOAT, None))
    run = lstmc.from_onnx(data)
    assert list(run.inputs) == ["X"]
    assert list(run.defaults) == ["initial_h", "R"]
    want = run(inputs)
    for other in (state, -state):
        found = [run({"X": given, "initial_h": other}) for _ in range(2)]
        assert all(np.array_equal(found[0][name], found[1][name]) for name in want)
        assert np.array_equal(found[0]["Y"], want["Y"]) == (other is state)
    with pytest.raises(ValueError, match="inputs: expected X and perhaps initial_h, R; received initial_h"):
        run({"initial_h": state})
    assert np.array_equal(lstmc.from_onnx(data, "cell").initial, state)


def test_constants_are_not_a_callers_to_write():
    nodes = [helper.make_node("Neg", ["c"], ["Y"]), helper.make_node("Identity", ["c"], ["Z"])]
    run = lstmc.from_onnx(graph(nodes, {}, ["Y", "Z"], {"c": np.ones(3, "f")}))
    for a in run({}).values():
        with pytest.raises(ValueError, match="read-only"):
            a[0] = 7


def test_bits_are_those_of_any_batch_and_any_number_of_threads():
    weights, _ = drawn("LSTM", {}, SIZES, PLAIN)
    rng = np.random.default_rng(0)
    constants = {**weights, "A": rng.standard_normal((6, 9)).astype("f"), "a": rng.standard_normal(9).astype("f"), "zero": np.array([1])}
    nodes = [helper.make_node("LSTM", ["X", *weights], ["y", "h", "c"], hidden_size=6), helper.make_node("Squeeze", ["y", "zero"], ["z"]),
             helper.make_node("MatMul", ["z", "A"], ["m"]), helper.make_node("Add", ["m", "a"], ["l"]), helper.make_node("Softmax", ["l"], ["Y"])]
    run = lstmc.from_onnx(graph(nodes, {"X": (TensorProto.FLOAT, ["T", "B", 4])}, ["Y"], constants))
    x = rng.standard_normal((7, 40, 4)).astype("f")
    want = run({"X": x})["Y"]
    for n in (1, 2):
        with lstmc.threads(n):
            assert np.array_equal(run({"X": x})["Y"], want)
            assert np.array_equal(run({"X": x[:, 5:8]})["Y"], want[:, 5:8])


def test_packages_that_are_missing_are_named(monkeypatch):
    data, _ = model()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match="verify=True needs the package onnxruntime: pip install onnxruntime"):
        lstmc.from_onnx(data, 0, verify=True)
    data = data.SerializeToString()
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'pip install "lstmc\[onnx\]"'):
        lstmc.from_onnx(data)
    assert onnx.__version__
