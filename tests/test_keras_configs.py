"""Models that are written by hand as Keras 1, 2 and 3 write them: what configs become, and what is not supported is named."""

import io
import json

import h5py
import numpy as np
import pytest

import lstmc
from lstmc import layers as la
from lstmc.interchange import keras_configs, keras_graphs, keras_nodes, keras_weights

pytestmark = pytest.mark.once


def h5(layers, weights=(), version="2.4.0", kind="Sequential", **more):
    """The bytes of a whole model: layers as (class, config), weights as (layer, [(name, array), ...])."""
    saved = io.BytesIO()
    with h5py.File(saved, "w") as f:
        rows = [{"class_name": c, "config": config, **({"inbound_nodes": nodes[0]} if nodes else {})} for c, config, *nodes in layers]
        f.attrs["keras_version"] = version
        f.attrs["model_config"] = json.dumps({"class_name": kind, "config": {"name": "m", "layers": rows, **more}})
        group = f.create_group("model_weights")
        group.attrs["layer_names"] = [layer.encode() for layer, _ in weights]
        for layer, arrays in weights:
            g = group.create_group(layer)
            g.attrs["weight_names"] = [name.encode() for name, _ in arrays]
            for name, a in arrays:
                g[name] = a
    return saved.getvalue()


def read(content, tmp_path):
    path = tmp_path / "m.h5"
    path.write_bytes(content)
    return lstmc.from_keras(path)


DENSE = [("d", [("d/kernel:0", np.ones((3, 2), np.float32)), ("d/bias:0", np.zeros(2, np.float32))])]
START = ("InputLayer", {"batch_input_shape": [None, None, 3], "name": "i"})
REFUSED = [
    (("Lambda", {"name": "d", "function": ["4wEAAAA=", None, None]}), r"layer 'd' \(Lambda\): it holds code, which is never run; change the array before"),
    (("Conv2D", {"name": "d"}), r"layer 'd' \(Conv2D\): this class is not supported; compute the features"),
    (("Conv1D", {"name": "d", "filters": 4, "kernel_size": [3], "groups": 2}), r"layer 'd' \(Conv1D\): .*groups=2 is not supported \(only 1\)"),
    (("Conv1D", {"name": "d", "filters": 4, "kernel_size": [3], "data_format": "channels_first"}), "data_format='channels_first' is not supported"),
    (("Mine>Dense", {"name": "d"}), r"layer 'd': Mine>Dense of None is not supported: it is not a class of Keras"),
    (("Dense", {"name": "d", "units": 2, "activation": "sparsemax"}), r"layer 'd' \(Dense\): activation: expected one of"),
    (("Dense", {"name": "d", "units": 2, "activation": {"class_name": "function", "config": "os.system"}}), r"layer 'd' \(Dense\): activation: expected"),
    (("Dense", {"name": "d", "units": 2, "dtype": "float16"}), r"layer 'd' \(Dense\): dtype='float16' is not supported"),
    (("Dense", {"name": "d", "units": "two"}), r"layer 'd' \(Dense\): units: expected an int, received str"),
    (("Dense", {"name": "d", "units": 2, "wings": 2}), r"layer 'd' \(Dense\): Dense: unexpected argument 'wings'"),
    (("LSTM", {"name": "d", "units": 2, "time_major": True}), r"layer 'd' \(LSTM\): time_major=True is not supported"),
    (("Bidirectional", {"name": "d", "layer": {"class_name": "ConvLSTM1D", "config": {}}}),
     r"layer 'd' \(Bidirectional\): ConvLSTM1D: this class is not supported"),
    (("RNN", {"name": "d", "cell": {"class_name": "StackedRNNCells", "config": {}}}), r"layer 'd' \(RNN\): expected one of the cells LSTMCell"),
    (("TimeDistributed", {"name": "d", "layer": {"class_name": "Sequential", "config": {"name": "s", "build_input_shape": [None, 3], "layers": [
        {"class_name": "Lambda", "config": {"name": "l"}}]}}}), r"layer 'd' \(TimeDistributed\): layer 'l' \(Lambda\): it holds code, which is never run"),
    (("TimeDistributed", {"name": "d", "layer": {"class_name": "Sequential", "config": {"name": "s", "build_input_shape": [None, 3], "layers": [
        {"class_name": "BatchNormalization", "config": {"name": "b"}}]}}}), r"layer 'd' \(TimeDistributed\): layer: expected layers that treat samples alone"),
    (("Dense", {"name": "d", "units": 7}), r"layer 'd' \(Dense\): expected the weights kernel \(3, 7\), bias \(7,\), received d/kernel:0 \(3, 2\)"),
]


@pytest.mark.parametrize(("layer", "message"), REFUSED, ids=[layer[0] + str(n) for n, (layer, _) in enumerate(REFUSED)])
def test_what_is_not_supported_is_named(layer, message, tmp_path):
    with pytest.raises(lstmc.FormatError, match=message):
        read(h5([START, layer], DENSE), tmp_path)


def test_calls_that_are_not_supported_are_named(tmp_path):
    i = ("InputLayer", {"batch_input_shape": [None, None, 3], "name": "i"}, [])

    def graph(*layers, out="d"):
        named = [{"name": config["name"]} | {} for _, config, *_ in layers]
        content = h5(layers, DENSE, kind="Functional", input_layers=[["i", 0, 0]], output_layers=[[out, 0, 0]])
        return named and content

    dense = ("Dense", {"name": "d", "units": 2})
    assert read(graph(i, (*dense, [[["i", 0, 0, {}]]])), tmp_path).output_shape == (None, None, 2)
    for nodes, message in (([[["i", 0, 0, {"training": True}]]], "layer 'd': a call with training=True is not supported"),
                           ([[["i", 0, 0, {}], ["i", 0, 0, {}]]], r"layer 'd' \(Dense\): expected one input, received 2"),
                           ([[["i", 1, 0, {}]]], "m: expected a call of 'i', which has 0, received number 1"),
                           ([[["i", 0, 1, {}]]], "m: expected an output of 'i', which has 1, received number 1"),
                           ([[["d", 0, 0, {}]]], "m: expected calls in some order, received layers that wait for each other: d"),
                           ([[["x", 0, 0, {}]]], "m: expected the name of one of its layers, received 'x'")):
        with pytest.raises(lstmc.FormatError, match=message):
            read(graph(i, (*dense, nodes)), tmp_path)


def test_masks_that_keras_merges_or_takes_in_another_way_are_refused(tmp_path):
    def functional(*rows, out):
        rows = [{"class_name": kind, "name": config["name"], "config": config, "inbound_nodes": nodes} for kind, config, nodes in rows]
        return {"class_name": "Functional", "config": {"name": "m", "layers": rows, "input_layers": [["i", 0, 0]], "output_layers": [[out, 0, 0]]}}

    start = ("InputLayer", {"batch_input_shape": [None, None, 3], "name": "i"}, [])
    mask = ("Masking", {"name": "a"}, [[["i", 0, 0, {}]]])
    graph = functional(start, mask, ("Add", {"name": "b"}, [[["a", 0, 0, {}], ["i", 0, 0, {}]]]), out="b")
    with pytest.raises(ValueError, match=r"layer 'b' \(Add\): inputs with different masks, or some without, are not supported in models of Keras 1 and 2"):
        keras_graphs.Plan(graph, 2)
    assert keras_graphs.Plan(graph, 3).kind == "Model"

    def tensor(name):
        return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, 0]}}

    made = ("NotEqual", {"name": "o"}, [{"args": [tensor("i"), 0], "kwargs": {}}])
    lstm = ("LSTM", {"name": "l", "units": 2}, [{"args": [tensor("i")], "kwargs": {"mask": tensor("o")}}])
    with pytest.raises(ValueError, match=r"layer 'l' \(LSTM\): a mask that does not come from Masking or Embedding\(mask_zero=True\) is not supported"):
        keras_graphs.Plan(functional(start, made, lstm, out="l"), 3)
    with pytest.raises(ValueError, match="layer 'o': the operation NotEqual of Keras is not supported"):
        keras_graphs.Plan(functional(start, made, out="o"), 3)


def test_constraints_and_optimizers_that_are_left_out_are_warned_about(tmp_path):
    constrained = {"name": "d", "units": 2, "kernel_constraint": {"class_name": "MaxNorm", "config": {}}}
    with pytest.warns(UserWarning, match="layer 'd': kernel_constraint is left out"):
        assert read(h5([START, ("Dense", constrained)], DENSE), tmp_path).built
    path = tmp_path / "m.h5"
    path.write_bytes(h5([START, ("Dense", {"name": "d", "units": 2})], DENSE))
    with h5py.File(path, "a") as f:
        f.attrs["training_config"] = json.dumps({"loss": "mse", "metrics": [], "optimizer_config": {"class_name": "Ftrl", "config": {}}})
    with pytest.warns(UserWarning, match="the model is not compiled, since its settings are not all supported: optimizer: expected one of SGD"):
        assert lstmc.from_keras(path).optimizer is None


def test_outputs_by_key_and_tuples_of_them(tmp_path):
    rows = [(*START, []), ("Dense", {"name": "d", "units": 2}, [[["i", 0, 0, {}]]])]
    model = read(h5(rows, DENSE, kind="Functional", input_layers=[["i", 0, 0]], output_layers={"q": ["i", 0, 0], "p": ["d", 0, 0]}), tmp_path)
    assert {key: y.shape for key, y in model.predict(np.ones((1, 4, 3)), verbose=0).items()} == {"p": (1, 4, 2), "q": (1, 4, 3)}
    assert keras_nodes.refs((["a", 0, 1], ["a", 0, 2]), "m") == [("a", 0, 1), ("a", 0, 2)]
    rows = [rows[0], ("GetItem", {"name": "g"}, [{"args": [["i", 0, 0], {"class_name": "__slice__", "config": {"stop": None}}], "kwargs": {}}])]
    with pytest.raises(lstmc.FormatError, match=r"layer 'g' \(GetItem\): this class is not supported"):
        read(h5(rows, kind="Functional", input_layers=[["i", 0, 0]], output_layers=[["g", 0, 0]]), tmp_path)


def test_one_loss_for_all_outputs(tmp_path):
    rows = [(*START, []), ("Dense", {"name": "d", "units": 2}, [[["i", 0, 0, {}]]])]
    path = tmp_path / "m.h5"
    path.write_bytes(h5(rows, DENSE, kind="Functional", input_layers=[["i", 0, 0]], output_layers=[["d", 0, 0], ["i", 0, 0]]))
    with h5py.File(path, "a") as f:
        f.attrs["training_config"] = json.dumps({"loss": "mse", "metrics": None, "optimizer_config": {"class_name": "SGD", "config": {}}})
    x = np.ones((1, 4, 3), np.float32)
    assert lstmc.from_keras(path).evaluate(x, [x[..., :2], x], verbose=0, return_dict=True)["loss"] == 4.0


def test_a_row_without_an_input_layer(tmp_path):
    for first in ({"batch_input_shape": [None, 4, 3]}, {"input_dim": 3}):
        model = read(h5([("Dense", {"name": "d", "units": 2, **first})], DENSE), tmp_path)
        assert model.output_shape[-1] == 2
    assert read(h5([("Dense", {"name": "d", "units": 2})], DENSE, build_input_shape=[7, 3]), tmp_path).input_shape == (None, 3)
    with pytest.raises(lstmc.FormatError, match="m: expected a model that says the shape of its input"):
        read(h5([("Dense", {"name": "d", "units": 2})], DENSE), tmp_path)


def test_an_rnn_around_a_cell_and_merges_of_keras_1(tmp_path):
    rng = np.random.default_rng(0)
    arrays = [("d/kernel:0", rng.standard_normal((3, 8))), ("d/recurrent_kernel:0", rng.standard_normal((2, 8))), ("d/bias:0", rng.standard_normal(8))]
    cell = {"class_name": "LSTMCell", "config": {"name": "cell", "units": 2, "recurrent_activation": "hard_sigmoid"}}
    x = rng.standard_normal((2, 4, 3))
    one = read(h5([START, ("RNN", {"name": "d", "cell": cell, "return_sequences": True})], [("d", arrays)]), tmp_path)
    two = read(h5([START, ("LSTM", {**cell["config"], "name": "d", "return_sequences": True})], [("d", arrays[::-1])]), tmp_path)
    assert np.array_equal(one.predict(x, verbose=0), two.predict(x, verbose=0))
    assert keras_configs.layer({"class_name": "Merge", "config": {"name": "a", "mode": "concat", "concat_axis": 1}}, 1) == (
        "Concatenate", {"name": "a", "axis": 1})
    for mode, kind in (("sum", "Add"), ("mul", "Multiply"), ("ave", "Average"), ("max", "Maximum"), ("dot", "Dot")):
        assert keras_configs.layer({"class_name": "Merge", "config": {"name": "a", "mode": mode}}, 1)[0] == kind
    with pytest.raises(ValueError, match=r"layer 'a' \(Merge\): mode='f' is not supported"):
        keras_configs.layer({"class_name": "Merge", "config": {"name": "a", "mode": "f"}}, 1)


def test_hard_sigmoids_of_both_generations():
    def of(version):
        return keras_configs.layer({"class_name": "LSTM", "config": {"name": "a", "units": 2, "recurrent_activation": "hard_sigmoid"}}, version)[1]

    assert [of(v)["recurrent_activation"] for v in (1, 2, 3)] == ["hard_sigmoid_keras2", "hard_sigmoid_keras2", "hard_sigmoid"]
    x = np.linspace(-4, 4, 33, dtype=np.float64)
    y = la.Activation("hard_sigmoid_keras2", dtype="float64")(x[None])[0]
    np.testing.assert_allclose(y, np.clip(0.2 * x + 0.5, 0, 1), rtol=1e-15)
    tape = la.Activation("hard_sigmoid_keras2", dtype="float64").forward(x[None], training=True)[2]
    dx = la.Activation("hard_sigmoid_keras2", dtype="float64").backward(tape, np.ones((1, 33)))[0][0]
    np.testing.assert_array_equal(dx, np.where(np.abs(x) < 2.5, 0.2, 0))


def test_names_say_what_a_weight_is():
    for name, role in (("lstm/lstm_cell_3/kernel:0", "kernel"), ("lstm_1/recurrent_kernel:0", "recurrent_kernel"), ("lstm_1_W_i", "W_i"), ("gru_2_b_z", "b_z"),
                       ("dense_2_W", "kernel"), ("d/bias_1:0", "bias"), ("batchnormalization_1_running_std", "moving_variance"), ("bn/gamma:0", "gamma")):
        assert keras_weights.role(name) == role
    assert [keras_weights.way(n) for n in ("b/forward_lstm/kernel:0", "backward_gru_1_W_z", "lstm/kernel")] == ["forward", "backward", None]


def nested(depth):
    """A Dense in models in TimeDistributed."""
    layer, shape = ("Dense", {"name": "d", "units": 2}), [3]
    for n in range(depth):
        rows = [{"class_name": layer[0], "config": layer[1]}]
        model = {"class_name": "Sequential", "config": {"name": "m", "layers": rows, "build_input_shape": [None, *shape]}}
        layer, shape = ("TimeDistributed", {"name": f"t{n}", "layer": model}), [1, *shape]
    return [("InputLayer", {"batch_input_shape": [None, *shape], "name": "i"}), layer]


def test_models_in_each_other_are_taken_in_no_time(tmp_path):
    """Not in 3^40 steps: each of them asks the one inside for its shapes more than once. And too many are refused."""
    model = read(h5(nested(40), [("t39", DENSE[0][1])]), tmp_path)
    assert model.predict(np.ones((2, *[1] * 40, 3), np.float32), verbose=0).ravel().tolist() == [3.0] * 4
    with pytest.raises(lstmc.FormatError, match=r"layer 't59' \(TimeDistributed\): layer 't10' \(TimeDistributed\): expected at most 50 models"):
        read(h5(nested(60), [("t59", DENSE[0][1])]), tmp_path)
