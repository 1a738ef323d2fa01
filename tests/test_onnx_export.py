"""`to_onnx`: the numbers of a file, run by onnx's reference with nodes written as ONNX's text says, are the model's; what cannot be exported is named."""

import warnings

import numpy as np
import onnx
import pytest

import lstmc
import onnx_exported as models
from lstmc import layers, nn
from lstmc.interchange.onnx_export import activations as exported_activations
from lstmc.layers import LSTM, Dense, Input, activations
from onnx_nodes import session

pytestmark = pytest.mark.once

# Constants of nodes that float32 holds make float64 exact.
CLOSE = {"float32": 2e-5, "float64": 1e-12}


@pytest.mark.parametrize("dtype", CLOSE)
def test_modules(tmp_path, dtype):
    path = tmp_path / "m.onnx"
    for n, (cls, arguments) in enumerate(models.MODULES):
        m = models.module(cls, arguments, dtype)
        m.to_onnx(path, opset=14 + n % 9)
        run = session(path)
        for feeds, wanted in models.calls(m):
            assert models.largest(run.run(None, feeds), wanted) < CLOSE[dtype], (cls, arguments, sorted(feeds))


# Functions whose constants ONNX keeps in float32 for a node.
ROUNDED = ("hard", "leaky", "RNN_leaky")


def test_layers(tmp_path):
    """Each layer as Keras' golden numbers have it, with masks, states and orders of steps; opsets take turns."""
    path, used, worst = tmp_path / "m.onnx", set(), {}
    for n, case in enumerate(models.names()):
        model, feeds = models.layer_model(case, "float64")
        used |= {type(layer) for layer in model.layers}
        model.to_onnx(path, opset=22 - n % 9)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*the mask ends here")
            wanted = models.outputs(model, feeds)
        d = models.largest(session(path).run(None, feeds)[:len(wanted)], wanted)
        if d > (1e-7 if any(word in case for word in ROUNDED) else 1e-12):
            worst[case] = d
    assert not worst
    assert set(layers.CLASSES.values()) - used == {c for c in models.PLAIN if c is not layers.InputLayer}


def test_activations_that_files_of_keras_2_have(tmp_path):
    model = lstmc.Sequential([Input((3,)), Dense(4, activation="hard_sigmoid_keras2", dtype="float64")])
    model.to_onnx(tmp_path / "m.onnx")
    x = np.random.default_rng(2).normal(size=(9, 3)) * 5
    y = model.predict(x, verbose=0)
    assert {0, 1} < set(y.ravel())
    assert models.largest(session(tmp_path / "m.onnx").run(None, {model.input_names[0]: x}), [y]) < 1e-7      # constants of nodes are float32
    assert set(exported_activations.FUNCTIONS) == set(activations._BY_NAME)


def test_what_is_plain(tmp_path):
    model = models.plain("float64")
    model.to_onnx(tmp_path / "m.onnx")
    x = np.random.default_rng(2).normal(size=(5, 4, 3))
    assert {type(layer) for layer in model.graph.layers} == models.PLAIN
    assert models.largest(session(tmp_path / "m.onnx").run(None, {model.input_names[0]: x}), [model.predict(x, verbose=0)]) < 1e-12


def test_a_tagger_with_lengths(tmp_path):
    model = models.tagger("float64")
    model.to_onnx(tmp_path / "m.onnx")
    run, rng = session(tmp_path / "m.onnx"), np.random.default_rng(0)
    words, numbers, n = rng.integers(0, 3, (4, 6)), rng.normal(size=(4, 6, 3)), np.array([6, 2, 1, 4], np.int32)
    feeds = {"words": words, "numbers": numbers}
    assert models.largest(run.run(None, feeds)[:2], models.outputs(model, feeds)) < 1e-12
    tags, whole = model.predict({name: [a[:k] for a, k in zip(x, n, strict=True)] for name, x in feeds.items()}, verbose=0)
    got = run.run(None, feeds | {"words_lengths": n, "numbers_lengths": n})
    assert models.largest([a[:k] for a, k in zip(got[0], n, strict=True)], tags) < 1e-12
    assert models.largest([got[1]], [whole]) < 1e-12


def test_states_go_on(tmp_path):
    """A sequence in two parts, the states of the first given to the second, is the sequence."""
    model = lstmc.Sequential([Input((None, 3)), LSTM(4, return_sequences=True, dtype="float64"), Dense(2, dtype="float64")])
    model.to_onnx(tmp_path / "m.onnx")
    run, x = session(tmp_path / "m.onnx"), np.random.default_rng(1).normal(size=(2, 7, 3))
    name = model.input_names[0]
    first = dict(zip(run.output_names, run.run(None, {name: x[:, :3]}), strict=True))
    second = run.run(None, {name: x[:, 3:], "lstm_h_0": first["lstm_h_n"], "lstm_c_0": first["lstm_c_n"]})
    assert models.largest([np.concatenate([first["dense"], second[0]], 1)], [model.predict(x, verbose=0)]) < 1e-12


def test_what_a_file_says(tmp_path):
    a, b = tmp_path / "a.onnx", tmp_path / "b.onnx"
    m = nn.LSTM(2, 3, num_layers=2, seed=0)
    m.to_onnx(a, opset=17)
    m.to_onnx(b, opset=17)
    assert a.read_bytes() == b.read_bytes()
    found = onnx.load(a)
    assert (found.producer_name, found.producer_version) == ("lstmc", lstmc.__version__)
    assert [(o.domain, o.version) for o in found.opset_import] == [("", 17)]
    sizes = {v.name: [d.dim_value or d.dim_param for d in v.type.tensor_type.shape.dim] for v in (*found.graph.input, *found.graph.output)}
    assert sizes["x"] == ["time", "batch", 2]
    assert sizes["y"] == ["time", "batch", 3]
    assert sizes["h_n"] == sizes["c_n"] == [2, "batch", 3]
    assert {v.name for v in found.graph.input} - {t.name for t in found.graph.initializer} == {"x"}


@pytest.mark.parametrize(("m", "word"), [
    (nn.LSTM(2, 4, proj_size=2), "proj_size"), (nn.LSTM(2, 4, layer_norm="haste"), "layer_norm"), (nn.LSTM(2, 4, zoneout=0.1), "zoneout"),
    (nn.GRU(2, 4, zoneout=0.1), "zoneout"), (nn.LSTM(2, 4, peephole="all"), "peephole"), (nn.LSTM(2, 4, gates_off=("i",), clip=1.0), "gates_off"),
], ids=lambda v: v if isinstance(v, str) else "")
def test_a_module_that_no_node_expresses_is_refused(tmp_path, m, word):
    with pytest.raises(ValueError, match=f"{word}=.* cannot be exported"):
        m.to_onnx(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_layer_of_ones_own_is_refused(tmp_path):
    class Own(layers.Layer):
        def forward(self, x, mask=None, training=False, step=0):
            return x, mask, None

    for layer in (Own(name="strange"), layers.TimeDistributed(Own(name="strange"))):
        model = lstmc.Sequential([Input((None, 3)), layer])
        with pytest.raises(ValueError, match="strange: a layer of class Own cannot be exported to ONNX"):
            model.to_onnx(tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_bad_arguments(tmp_path):
    m = nn.RNN(2, 3)
    for path, opset, word in (("m.pt", 22, "path: expected a name that ends in .onnx"), ("m.onnx", 13, "opset: expected"), ("m.onnx", 23, "opset: expected")):
        with pytest.raises(ValueError, match=word):
            m.to_onnx(tmp_path / path, opset=opset)
    with pytest.raises(ValueError, match="input_shape"):
        lstmc.Sequential([Dense(2)]).to_onnx(tmp_path / "m.onnx")


def test_without_onnx_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ImportError, match=r'pip install "lstmc\[onnx\]"'):
        nn.RNN(2, 3).to_onnx(tmp_path / "m.onnx")
