"""What `to_onnx` writes is read back by `from_onnx`: modules to the bit, models of every layer, with masks, lengths and states."""

import warnings

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import lstmc
import onnx_exported as models
from conftest import assert_same_bits
from lstmc.interchange.onnx import Directions, fusing
from lstmc.interchange.onnx_export.layers import FUNCTIONS
from onnx_models import drawn

pytestmark = pytest.mark.once

ROUNDED = ("hard", "leaky", "RNN_leaky")        # functions whose constants ONNX keeps in float32 for a node


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_modules(tmp_path, dtype):
    """With lengths and states, and without, which are inputs with a default."""
    path = tmp_path / "m.onnx"
    for cls, arguments in models.MODULES:
        m = models.module(cls, arguments, dtype)
        m.to_onnx(path)
        run = lstmc.from_onnx(path)
        assert list(run.inputs) == ["x"]
        assert set(run.defaults) == {"lengths", *(f"{part}_0" for part in m._parts)}
        for feeds, wanted in models.calls(m):
            assert models.largest(list(run(feeds).values()), wanted) == 0, (cls, arguments, sorted(feeds))


def test_layers(tmp_path):
    path, seen, worst = tmp_path / "m.onnx", set(), {}
    for case in models.names():
        model, feeds = models.layer_model(case, "float64")
        used = {type(layer) for layer in model.graph.layers}
        if used <= FUNCTIONS.keys() | models.PLAIN:
            model.to_onnx(path)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*the mask ends here")
                wanted = models.outputs(model, feeds)
            d = models.largest(list(lstmc.from_onnx(path)(feeds).values())[:len(wanted)], wanted)
            if d > (1e-7 if any(word in case for word in ROUNDED) else 1e-14):
                worst[case] = d
            seen |= used
    assert not worst
    assert FUNCTIONS.keys() - seen <= models.PLAIN


def test_a_tagger_with_lengths(tmp_path):
    model = models.tagger("float32")
    model.to_onnx(tmp_path / "m.onnx")
    run, rng = lstmc.from_onnx(tmp_path / "m.onnx"), np.random.default_rng(0)
    words, numbers, n = rng.integers(0, 3, (4, 6)), rng.normal(size=(4, 6, 3)).astype("f"), np.array([6, 2, 1, 4], np.int32)
    feeds = {"words": words, "numbers": numbers}
    assert models.largest(list(run(feeds).values())[:2], models.outputs(model, feeds)) < 1e-6
    tags, whole = model.predict({name: [a[:k] for a, k in zip(x, n, strict=True)] for name, x in feeds.items()}, verbose=0)
    got = list(run(feeds | {"words_lengths": n, "numbers_lengths": n}).values())
    assert models.largest([a[:k] for a, k in zip(got[0], n, strict=True)], tags) < 1e-6
    assert models.largest([got[1]], [whole]) < 1e-6


def states(value):
    """A model whose initial states are computed from the shape of X and a value, as exporters write them."""
    weights, inputs = drawn("LSTM", {}, {"T": 5, "B": 3, "I": 4, "H": 6}, {"bias": True, "lengths": False, "state": False, "peephole": False})
    nodes = [helper.make_node("Shape", ["X"], ["s"]), helper.make_node("Gather", ["s", "at"], ["b"]),
             helper.make_node("Concat", ["two", "b", "six"], ["hs"], axis=0), helper.make_node("Expand", ["value", "hs"], ["both"]),
             helper.make_node("Slice", ["both", "zero", "at", "zero"], ["h"]), helper.make_node("ConstantOfShape", ["hs1"], ["c"]),
             helper.make_node("Concat", ["at", "b", "six"], ["hs1"], axis=0),
             helper.make_node("LSTM", ["X", *weights, "", "h", "c"], ["Y", "H", "C"], hidden_size=6)]
    nodes[5], nodes[6] = nodes[6], nodes[5]
    constants = weights | {"at": np.array([1]), "two": np.array([2]), "six": np.array([6]), "zero": np.array([0]), "value": np.full(1, value, "f")}
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["T", "B", 4])],
                              [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "YHC"],
                              [numpy_helper.from_array(a, name) for name, a in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), inputs["X"]


@pytest.mark.parametrize("value", [0.0, 0.5, -0.0])
def test_initial_states_of_zeros_are_not_made(value, monkeypatch):
    taken, call = [], lstmc.nn.LSTM.__call__
    monkeypatch.setattr(lstmc.nn.LSTM, "__call__", lambda self, x, hx=None, lengths=None, **more: taken.append(hx) or call(self, x, hx, lengths, **more))
    model, x = states(value)
    run, module = lstmc.from_onnx(model), lstmc.from_onnx(model, 0)
    assert not isinstance(module, Directions)
    for X in (x, x[:, :1]):
        taken.clear()
        found = run({"X": X})
        assert (taken[0] is None) == (value == 0 and not np.signbit(value))
        h = np.full((1, X.shape[1], 6), value, "f")
        y, (h, c) = module(X, (h, np.zeros_like(h)))
        assert all(np.array_equal(a, b) for a, b in zip(found.values(), (y[:, None], h, c), strict=True))


def test_choices_between_a_state_and_zeros_are_left_out(tmp_path, monkeypatch):
    from lstmc.layers import GRU, LSTM, Bidirectional, Input

    model = lstmc.Sequential([Input((None, 3)), Bidirectional(LSTM(5, seed=1, return_sequences=True)), GRU(4, seed=2)])
    model.to_onnx(tmp_path / "m.onnx")
    x = np.random.default_rng(0).normal(size=(3, 4, 3)).astype("f")

    def results():
        run = lstmc.from_onnx(tmp_path / "m.onnx")
        lengths, = (name for name in run.defaults if name.endswith("lengths"))
        own = {name: np.full((shape[0], 3, shape[2]), 0.5, "f") for name, (_, shape) in run.defaults.items() if name.endswith("_0")}
        found = [run({next(iter(run.inputs)): x, lengths: np.array(n, np.int32)} | state) for n in ([4, 4, 4], [4, 0, 2], [0, 0, 0]) for state in ({}, own)]
        return [len(plan.steps) for plan in run._plans.values()], found

    (without, *given), got = results()
    monkeypatch.setattr(fusing, "without_choices", lambda steps: steps)
    (with_all, *_), want = results()
    assert without < with_all in given
    for a, b in zip(got, want, strict=True):
        assert_same_bits(a, b)
