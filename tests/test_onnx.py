"""Recurrent nodes of ONNX: its own backend tests, all options against onnxruntime's numbers, nodes as modules."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper

import lstmc
from lstmc import FormatError, nn
from lstmc.interchange.onnx import Directions
from onnx_models import ACTIVATIONS, cases_of, check, configuration, drawn, layout_0, layout_1, model_of

pytestmark = pytest.mark.once

GOLDEN = np.load(Path(__file__).parent / "golden/onnx.npz")
NUMBERS = sorted({int(name.split("/")[0]) for name in GOLDEN.files})
PLAIN = {"bias": True, "lengths": False, "state": False, "peephole": False}
SIZES = {"T": 5, "B": 3, "I": 4, "H": 6}


# ONNX's backend tests ---------------------------------------------------------------------------------------

def test_all_recurrent_cases_of_the_backend():
    cases = cases_of(("LSTM", "GRU", "RNN"))
    names = {case.name for case in cases}
    assert len(names) >= 18
    assert {"test_lstm_with_peepholes", "test_gru_batchwise", "test_simple_rnn_bidirectional", "test_rnn_seq_length"} <= names
    for case in cases:
        check(case)


# Options of nodes -------------------------------------------------------------------------------------------

def test_the_configurations_cover_what_they_should():
    found = [configuration(number) for number in NUMBERS]
    assert {name for _, attributes, _, _ in found for name in attributes.get("activations", ())} == {a[0] for a in ACTIVATIONS}
    for name in ("clip", "input_forget", "linear_before_reset", "activation_alpha"):
        assert sum(name in attributes for _, attributes, _, _ in found) >= 3
    for name in ("lengths", "state", "peephole"):
        assert sum(options[name] for *_, options in found) >= 3
    assert {attributes["direction"] for _, attributes, _, _ in found} == {"forward", "reverse", "bidirectional"}
    assert {options["opset"] for *_, options in found} == {7, 11, 13, 14, 21, 22}


@pytest.mark.parametrize("number", NUMBERS)
def test_onnxruntimes_numbers(number):
    """As a graph in both layouts, with weights stored and as inputs, and as a module."""
    op, attributes, sizes, options = configuration(number)
    weights, inputs = drawn(op, attributes, sizes, options, number)
    names = ["Y", "Y_h", "Y_c"][: 3 if op == "LSTM" else 2]
    want = {name: GOLDEN[f"{number}/{name}"] for name in names}
    model = model_of(op, attributes, weights, inputs, options["opset"])
    found = lstmc.from_onnx(model)(inputs)
    for name in names:
        np.testing.assert_allclose(found[name], want[name], rtol=0, atol=2e-5 * max(1, np.abs(want[name]).max()))
    others = [layout_0(lstmc.from_onnx(model_of(op, attributes | {"layout": 1}, weights, layout_1(inputs), 14))(layout_1(inputs))),
              lstmc.from_onnx(model_of(op, attributes, {}, {**weights, **inputs}, 14))({**weights, **inputs}),
              lstmc.from_onnx(model_of(op, attributes, weights, inputs, 14, constants=inputs.keys() - {"X"}))({"X": inputs["X"]})]
    assert all(np.array_equal(found[name], other[name]) for other in others for name in names)

    module = lstmc.from_onnx(model, node="cell")
    state = [inputs[name] for name in ("initial_h", "initial_c") if name in inputs]
    y, ends = module(inputs["X"], None if not state else tuple(state) if op == "LSTM" else state[0], inputs.get("sequence_lens"))
    T, D, B, H = found["Y"].shape
    assert np.array_equal(y.reshape(T, B, D, H).transpose(0, 2, 1, 3), found["Y"])
    assert all(np.array_equal(a, found[name]) for a, name in zip(ends if op == "LSTM" else [ends], names[1:], strict=True))


def model(op="LSTM", attributes=None, options=(), constants=(), dtype=np.float32, seed=0):
    attributes = {"hidden_size": 6, **(attributes or {})}
    weights, inputs = drawn(op, attributes, SIZES, {**PLAIN, **dict(options)}, seed, dtype)
    return model_of(op, attributes, weights, inputs, 14, constants), inputs


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("op", "attributes", "kind"), [
    ("LSTM", {"direction": "bidirectional"}, nn.LSTM), ("GRU", {"linear_before_reset": 1}, nn.GRU), ("RNN", {"activations": ["Relu"]}, nn.RNN),
    ("LSTM", {"direction": "reverse"}, Directions), ("RNN", {"direction": "bidirectional", "activations": ["Relu", "Tanh"]}, Directions)])
def test_a_node_is_a_module_where_a_module_says_it_all(op, attributes, kind, dtype):
    data, inputs = model(op, attributes, dtype=dtype)
    module = lstmc.from_onnx(data, 0)
    assert type(module) is kind
    assert module(inputs["X"])[0].dtype == dtype
    if kind is Directions:
        assert re.search(r"reversed (LSTM|RNN)\(4, 6", repr(module))
        assert all(isinstance(m, (nn.LSTM, nn.RNN)) for m in module.modules)


def test_directions_are_called_as_modules():
    """Batch first, unbatched, with lengths, against the modules by themselves."""
    rng = np.random.default_rng(0)
    data, _ = model("GRU", {"direction": "bidirectional", "activations": ["Sigmoid", "Tanh", "HardSigmoid", "Tanh"], "layout": 1})
    both = lstmc.from_onnx(data, "cell")
    assert both.batch_first
    assert both.reverse == (False, True)
    x, h = rng.standard_normal((3, 5, 4)).astype("f"), rng.standard_normal((2, 3, 6)).astype("f")
    lengths = np.array([5, 2, 3])
    y, state = both(x, h, lengths)
    for b, n in enumerate(lengths):
        forward, ends = both.modules[0](x[b, :n], h[:1, b])
        backward, starts = both.modules[1](x[b, :n][::-1], h[1:, b])
        assert np.array_equal(y[b, :n], np.concatenate([forward, backward[::-1]], -1))
        assert not y[b, n:].any()
        assert np.array_equal(state[:, b], np.concatenate([ends, starts]))
        alone, last = both(x[b], h[:, b], n)
        assert np.array_equal(alone, y[b])
        assert np.array_equal(last, state[:, b])
    for wrong in ((x[0, 0], None, None), (x.astype(float), None, None), (x, h[:1], None), (x, None, [9, 1, 1]), (x, None, [1])):
        with pytest.raises((TypeError, ValueError), match=r"x:|hx:|lengths:"):
            both(*wrong)


def test_what_is_stored_is_where_a_module_begins():
    options = {"state": True, "lengths": True}
    for direction in ("forward", "bidirectional"):
        data, inputs = model("LSTM", {"direction": direction}, options, ("initial_h", "initial_c", "sequence_lens"))
        module = lstmc.from_onnx(data, "cell")
        plain = lstmc.from_onnx(model("LSTM", {"direction": direction}, options)[0], "cell")
        want, state = plain(inputs["X"], (inputs["initial_h"], inputs["initial_c"]), inputs["sequence_lens"])
        y, ends = module(inputs["X"])
        assert np.array_equal(y, want)
        assert all(map(np.array_equal, ends, state))
        assert np.array_equal(lstmc.from_onnx(data)({"X": inputs["X"]})["Y_h"], state[0])
    data, _ = model("GRU", None, {"state": True})
    del data.graph.input[1]
    data.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 3, 6), "f"), "initial_h"))
    assert type(lstmc.from_onnx(data, "cell")) is nn.GRU        # a state of zeros is no state


def test_nodes_are_found_by_name_output_and_number():
    data, _ = model()
    found = [lstmc.from_onnx(data, which).state_dict()["weight_ih_l0"] for which in ("cell", "Y_h", 0, -1)]
    assert all(np.array_equal(found[0], w) for w in found)
    for wrong, message in (("other", r"node: expected the name of a recurrent node or of its output \('cell'\), received 'other'"),
                           (1, r"node: expected a number below 1, .*\('cell'\), received 1"), ("", "received ''")):
        with pytest.raises(ValueError, match=message):
            lstmc.from_onnx(data, wrong)
    without = copy.deepcopy(data)
    without.graph.node[0].op_type = "Elephant"
    with pytest.raises(ValueError, match="node: expected a model with recurrent nodes"):
        lstmc.from_onnx(without, "cell")
    assert lstmc.from_onnx(without, partial=True) == {}
    with pytest.raises(TypeError, match="node: expected a name or a number, received float"):
        lstmc.from_onnx(data, 1.0)
    with pytest.raises(ValueError, match="partial: expected False with node"):
        lstmc.from_onnx(data, 0, partial=True)
    twice = copy.deepcopy(data)
    twice.graph.node.append(copy.deepcopy(twice.graph.node[0]))
    twice.graph.node[1].output[:] = ["a", "b", "c"]
    with pytest.raises(ValueError, match="received 'cell', which 2 have: give a number from 0 to 1"):
        lstmc.from_onnx(twice, "cell")
    assert list(lstmc.from_onnx(twice, partial=True)) == ["cell", "cell (1)"]
    assert lstmc.from_onnx(twice, "b").hidden_size == 6
    weights, inputs = drawn("RNN", {"hidden_size": 6}, SIZES, PLAIN)
    with pytest.raises(FormatError, match=r"node 'cell' \(RNN\): W: expected weights that are stored in the model, received 'W'"):
        lstmc.from_onnx(model_of("RNN", {"hidden_size": 6}, {}, {**weights, **inputs}), 0)
