"""Models in ONNX's format, on lstmc and on onnxruntime: recurrent nodes with all options, and graphs that torch exports."""

import io
import runpy
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import lstmc
from lstmc.interchange.onnx import checking, graph, reading
from onnx_models import configuration, drawn, layout_0, layout_1, model_of

NUMBER = 90


def theirs(model, inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model if isinstance(model, bytes) else model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, inputs), strict=True))


def close(got, want, tolerance=2e-5):
    assert list(got) == list(want)
    for name in want:
        assert got[name].dtype == want[name].dtype
        np.testing.assert_allclose(got[name], want[name], rtol=0, atol=tolerance * max(1, np.abs(want[name]).max(initial=0)), err_msg=name)


@pytest.mark.parametrize("number", range(NUMBER))
def test_nodes_with_all_options(number):
    op, attributes, sizes, options = configuration(number)
    weights, inputs = drawn(op, attributes, sizes, options, number)
    want = theirs(model_of(op, attributes, weights, inputs, min(options["opset"], 21)), inputs)
    if options["layout"] and options["opset"] >= 14:        # which onnxruntime does not have
        run = lstmc.from_onnx(model_of(op, attributes | {"layout": 1}, weights, inputs, options["opset"]))
        got = layout_0(run(layout_1(inputs)))
    else:
        got = lstmc.from_onnx(model_of(op, attributes, weights, inputs, options["opset"]))(inputs)
    close(got, want)


@pytest.mark.parametrize("number", range(0, NUMBER, 6))
def test_verify_of_a_node(number, capsys):
    op, attributes, sizes, options = configuration(number)
    weights, inputs = drawn(op, attributes, sizes, options, number)
    model = model_of(op, attributes, weights, inputs, options["opset"])
    if options["layout"] and options["opset"] >= 14:
        model = model_of(op, attributes | {"layout": 1}, weights, layout_1(inputs), options["opset"])
    lstmc.from_onnx(model, node="cell", verify=True)
    assert "no difference is larger than rounding" in capsys.readouterr().out


def test_a_sequence_without_steps():
    for number in range(6):
        op, attributes, sizes, options = configuration(number)
        sizes["B"] = 4
        weights, inputs = drawn(op, attributes, sizes, options | {"state": True})
        inputs["sequence_lens"] = np.array([0, sizes["T"], 0, 1], np.int32)
        model = model_of(op, attributes, weights, inputs)
        close(lstmc.from_onnx(model)(inputs), theirs(model, inputs))


# Graphs -----------------------------------------------------------------------------------------------------

class Tagger(torch.nn.Module):
    """Embedding, recurrent layers, a linear layer on every step."""

    def __init__(self, kind, **settings):
        super().__init__()
        self.embedding = torch.nn.Embedding(50, 12)
        self.recurrent = getattr(torch.nn, kind)(12, 16, **settings)
        self.norm = torch.nn.LayerNorm(32 if settings.get("bidirectional") else 16)
        self.linear = torch.nn.Linear(self.norm.normalized_shape[0], 7)

    def forward(self, x):
        y, state = self.recurrent(self.embedding(x))
        last = state[0] if isinstance(state, tuple) else state
        return torch.log_softmax(self.linear(self.norm(y)), -1), last


class Classifier(torch.nn.Module):
    """Of real numbers, with the state as an input, by the last step."""

    def __init__(self, kind, **settings):
        super().__init__()
        self.recurrent = getattr(torch.nn, kind)(5, 8, **settings)
        self.linear = torch.nn.Linear(8, 3)

    def forward(self, x, h):
        y, state = self.recurrent(x, h)
        return torch.sigmoid(self.linear(torch.relu(y[:, -1]))), state


def exported(module, inputs, names, opset, dynamo=False):
    """The bytes of what torch exports, with batch and steps free."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module.eval(), inputs, file, input_names=names, opset_version=opset, dynamo=dynamo,
                          dynamic_axes={name: {0: "batch", 1: "time"} if name == "x" else {1: "batch"} for name in names})
    return file.getvalue()


@pytest.mark.parametrize("opset", [9, 12, 14, 17, 20])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_taggers_of_torch(kind, opset, capsys):
    torch.manual_seed(opset)
    module = Tagger(kind, batch_first=True, num_layers=2, bidirectional=opset % 2 == 0)
    x = torch.randint(0, 50, (3, 6))
    data = exported(module, (x,), ["x"], opset)
    run = lstmc.from_onnx(data)
    for shape in ((3, 6), (1, 1), (4, 11)):
        x = np.random.default_rng(1).integers(0, 50, shape)
        got = run({"x": x})
        close(got, theirs(data, {"x": x}))
        with torch.no_grad():
            close(got, {name: a.numpy() for name, a in zip(got, module(torch.tensor(x)), strict=True)})
    lstmc.from_onnx(data, verify=True)
    assert "no difference is larger than rounding" in capsys.readouterr().out


class Ragged(torch.nn.Module):
    """Sequences of whole numbers that become floats, packed and padded again."""

    def __init__(self, sort):
        super().__init__()
        self.sort, self.recurrent = sort, torch.nn.GRU(3, 8, 2, batch_first=True, bidirectional=True)

    def forward(self, x, lengths):
        packed = torch.nn.utils.rnn.pack_padded_sequence(x.float(), lengths, batch_first=True, enforce_sorted=not self.sort)
        y, h = self.recurrent(packed)
        return torch.nn.utils.rnn.pad_packed_sequence(y, batch_first=True)[0], h


@pytest.mark.parametrize("sort", [False, True])
def test_packed_sequences_of_torch(sort, capsys):
    module = Ragged(sort)
    x, lengths = torch.randint(0, 5, (3, 6, 3)), torch.tensor([2, 6, 3] if sort else [6, 3, 2])
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (x, lengths), file, input_names=["x", "lengths"], dynamo=False, opset_version=17,
                          dynamic_axes={"x": {0: "batch", 1: "time"}, "lengths": {0: "batch"}})
    got = lstmc.from_onnx(file.getvalue(), verify=True)({"x": x.numpy(), "lengths": lengths.numpy()})
    assert "no difference is larger than rounding" in capsys.readouterr().out
    with torch.no_grad():
        close(got, {name: a.numpy() for name, a in zip(got, module(x, lengths), strict=True)})


@pytest.mark.parametrize("opset", [11, 16])
def test_classifiers_of_torch(opset):
    module = Classifier("GRU", batch_first=True)
    rng = np.random.default_rng(opset)
    x, h = rng.standard_normal((3, 6, 5)).astype("f"), rng.standard_normal((1, 3, 8)).astype("f")
    data = exported(module, (torch.tensor(x), torch.tensor(h)), ["x", "h"], opset)
    close(lstmc.from_onnx(data, verify=True)({"x": x, "h": h}), theirs(data, {"x": x, "h": h}))


def test_a_difference_is_found():
    op, attributes, sizes, options = configuration(3)
    weights, inputs = drawn(op, attributes, sizes, options)
    model = model_of(op, attributes, weights, inputs)
    module = lstmc.from_onnx(model, 0)
    node, = graph.recurrent_nodes(reading.read(model))
    checking.verify_node(node, module)
    (getattr(module, "modules", (module,)))[0].state_dict()["weight_ih_l0"][0, 0] += 0.5
    with pytest.raises(ValueError, match="verify: node 'cell'"):
        checking.verify_node(node, module)


def test_between_two_sessions():
    """The recurrent node of a model with an operator that is not supported, between onnxruntime's runs of the rest."""
    weights, inputs = drawn("LSTM", {"hidden_size": 8}, {"T": 5, "B": 2, "I": 4, "H": 8}, configuration(0)[3] | {"peephole": False, "lengths": False,
                                                                                                          "state": False})
    model = model_of("LSTM", {"hidden_size": 8}, weights, inputs)
    node = model.graph.node[0]
    node.input[0], node.output[0] = "before", "Y_inside"
    model.graph.node.insert(0, onnx.helper.make_node("Det", ["square"], ["d"]))
    model.graph.node.insert(1, onnx.helper.make_node("Mul", ["X", "d"], ["before"]))
    model.graph.node.append(onnx.helper.make_node("Sinh", ["Y_inside"], ["Y"]))
    model.graph.input.append(onnx.helper.make_tensor_value_info("square", onnx.TensorProto.FLOAT, [3, 3]))
    model = onnx.shape_inference.infer_shapes(model)
    square = np.eye(3, dtype="f") * 2
    want = theirs(model, inputs | {"square": square})
    with pytest.raises(lstmc.FormatError, match=r"operator Det is not supported; .*partial=True"):
        lstmc.from_onnx(model)
    cell = lstmc.from_onnx(model, partial=True)["cell"]
    extractor = onnx.utils.Extractor(model)
    x = theirs(extractor.extract_model(["X", "square"], ["before"]), inputs | {"square": square})
    inside = cell(x)
    got = theirs(extractor.extract_model(["Y_inside"], ["Y"]), {"Y_inside": inside["Y_inside"]})
    close({**got, "Y_h": inside["Y_h"], "Y_c": inside["Y_c"]}, want)


def test_silero_vad(capsys):
    """A real model, by the example that runs it in three ways."""
    assert runpy.run_path(str(Path(__file__).parents[2] / "examples/silero_vad.py"))["main"]() < 1e-5
    assert capsys.readouterr().out.count("187 frames, speech in ") == 3
