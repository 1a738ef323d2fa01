"""Files of Keras 1, 2 and 3 give the predictions of Keras itself (tests/golden/make_keras_files.py), and what is not supported is named."""

import io
import json
import shutil
import sys
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import lstmc
from lstmc import layers as la
from lstmc.interchange import keras_configs, keras_graphs, keras_nodes, keras_weights

pytestmark = pytest.mark.once
GOLDEN = Path(__file__).parent / "golden"
TOLERANCE = 2e-5
WHOLE = [(3, "row.keras"), (3, "row.h5"), (3, "graph.keras"), (3, "graph.h5"), (3, "kinds.keras"), (3, "masked.keras"), (2, "masked.keras"), (2, "masked.h5"),
         (2, "row.keras"), (2, "row.h5"), (2, "graph.keras"),
         (2, "graph.h5"), (2, "kinds.keras"), (2, "cudnn.h5"), (2, "keras1.h5"), (3, "inner.keras"), (3, "inner.h5"), (2, "inner.keras"), (2, "inner.h5")]
ALONE = [(3, "row.weights.h5", "row.h5"), (2, "row.weights.h5", "row.h5"), (2, "row_weights.h5", "row.h5"), (2, "cudnn_weights.h5", "cudnn.h5"),
         (2, "keras1_weights.h5", "keras1.h5")]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """(version, name) -> path of the files; the arrays are read."""
    paths = {}
    for version in (2, 3):
        folder = tmp_path_factory.mktemp(f"keras{version}")
        shutil.unpack_archive(GOLDEN / f"keras_files_{version}.zip", folder)
        paths |= {(version, path.name): path for path in folder.iterdir()}
    return paths


def case(found, version, name):
    """(path, inputs, predictions) of a file."""
    arrays = np.load(found[version, f"{name.split('.')[0].removesuffix('_weights')}.npz"])
    return found[version, name], *([arrays[k] for k in arrays.files if k[0] == letter] for letter in "xy")


def predicted(model, xs):
    y = model.predict(xs if len(xs) > 1 else xs[0], verbose=0)
    return y if isinstance(y, list) else [y]


def check(model, xs, want):
    for got, y in zip(predicted(model, xs), want, strict=True):
        assert got.shape == y.shape
        assert np.abs(got - y).max() < TOLERANCE


@pytest.mark.parametrize("version", [2, 3])
def test_training_goes_on_as_in_keras(tmp_path, version):
    """Three more steps after three of Keras: with the state of its optimizer, not without it."""
    shutil.unpack_archive(GOLDEN / f"keras_trained_{version}.zip", tmp_path)
    paths = sorted(p for p in tmp_path.iterdir() if p.suffix != ".npz")
    assert len(paths) == (11 if version == 2 else 6)
    for path in paths:
        want = np.load(path.with_suffix(".npz"))

        def difference(forget, path=path, want=want):
            model = lstmc.from_keras(path)
            assert model.optimizer.iterations == 3
            if forget:
                model.optimizer.iterations, model.optimizer.state = 0, []
            model.fit(want["x"], want["y"], batch_size=4, epochs=3, shuffle=False, verbose=0)
            return max(np.abs(w - want[f"w{n}"]).max() for n, w in enumerate(model.get_weights()))

        assert difference(False) < (3e-4 if path.stem == "old_plain_rmsprop" else 1e-5), path.name     # which adds epsilon outside of the root
        assert difference(True) > 3e-4 or path.name == "plain.keras", path.name


def test_a_state_that_does_not_fit_is_left_out(tmp_path):
    shutil.unpack_archive(GOLDEN / "keras_trained_3.zip", tmp_path)

    def damaged(change):
        path = shutil.copy(tmp_path / "momentum.h5", tmp_path / "damaged.h5")
        with h5py.File(path, "r+") as f:
            change(f["optimizer_weights"])
        return path

    def renamed(g, change):
        g.attrs["weight_names"] = change(list(g.attrs["weight_names"]))

    def put(g, n, a):
        name = g.attrs["weight_names"][n]
        del g[name]
        g[name] = a

    def outside(g):
        name = g.attrs["weight_names"][3]
        del g[name]
        g[name] = h5py.ExternalLink("/etc/passwd", "x")

    for change, message in ((lambda g: renamed(g, lambda names: names[:-1]), "expected 14 arrays, m of 14 weights, received 13"),
                            (lambda g: renamed(g, lambda names: [*names, names[-1]]), "expected 14 arrays, m of 14 weights, received 15"),
                            (lambda g: put(g, 2, np.zeros((2, 2), np.float32)), "expected shape \\(3, 6\\), as of forward/kernel, received \\(2, 2\\)"),
                            (lambda g: put(g, 0, -1), "expected a number of steps, received -1"),
                            (lambda g: put(g, 0, 0.5), "expected a number of steps, received 0.5"),
                            (lambda g: put(g, 0, np.float64(np.nan)), "expected a number of steps, received nan"),
                            (lambda g: put(g, 3, np.array([b"a"])), "expected an array of numbers, received dtype"), (outside, "a link to another place")):
        with pytest.warns(UserWarning, match=f"the optimizer begins anew, since its state does not fit: .*{message}"):
            model = lstmc.from_keras(damaged(change))
        assert model.optimizer.iterations == 0
        assert model.optimizer.state == []


@pytest.mark.parametrize(("version", "name"), WHOLE)
def test_whole_models_predict_as_keras_does(found, version, name):
    path, xs, want = case(found, version, name)
    model = lstmc.from_keras(str(path))
    assert type(model) is (lstmc.Model if name.startswith(("graph", "masked")) else lstmc.Sequential)
    check(model, xs, want)


def test_models_in_time_distributed_are_those_of_this_package(found, tmp_path):
    """Built here of the same weights: the same bits before and after training, and in a file."""
    path, (x,), _ = case(found, 3, "inner.keras")
    model = lstmc.from_keras(path)
    assert type(model.optimizer).__name__ == "Adam"
    i, shared = la.Input((3,)), la.Dense(3)
    twice = lstmc.Model(i, la.Add()([shared(shared(i)), i]))
    lines = lstmc.Sequential([la.Input((4, 3)), la.TimeDistributed(twice), la.TimeDistributed(la.Dense(2)), la.GRU(3)])
    words = lstmc.Sequential([la.Input((3,)), la.Dense(4, "relu"), la.Dropout(0.1, seed=3), la.Dense(3)])
    ours = lstmc.Sequential([la.Input((2, 4, 3)), la.TimeDistributed(la.TimeDistributed(words)), la.TimeDistributed(lines), la.LSTM(2)])
    ours.compile(lstmc.optimizers.Adam(0.01), "mse")
    ours.set_weights(model.get_weights())
    model.layers[0].layer.layer.found[2].seed = 3
    model.shuffle_seed = ours.shuffle_seed = 1
    assert [w.shape for _, w in model.variables] == [w.shape for _, w in ours.variables]
    assert model.count_params() == ours.count_params() == 16 + 15 + 12 + 8 + 63 + 48
    for _ in range(2):
        assert np.array_equal(model.predict(x, verbose=0), ours.predict(x, verbose=0))
        for m in (model, ours):
            m.fit(x, np.ones((3, 2), np.float32), batch_size=2, epochs=2, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = lstmc.load(tmp_path / "m.safetensors")
    assert all(np.array_equal(a, b) for a, b in zip(again.get_weights(), ours.get_weights(), strict=True))
    assert np.array_equal(again.predict(x, verbose=0), ours.predict(x, verbose=0))


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


@pytest.mark.parametrize(("version", "name", "whole"), ALONE)
def test_weights_alone_go_into_a_model(found, version, name, whole):
    path, xs, want = case(found, version, name)
    with pytest.raises(lstmc.FormatError, match="model: expected the built lstmc model that these weights are for"):
        lstmc.from_keras(path)
    model = lstmc.from_keras(found[version, whole])
    model.set_weights([w * 0 for w in model.get_weights()])
    assert lstmc.from_keras(path, model=model) is model
    check(model, xs, want)


def test_what_is_imported_is_saved_loaded_and_trained(found, tmp_path):
    path, xs, want = case(found, 2, "row.h5")
    model = lstmc.from_keras(path)
    model.save(tmp_path / "m.safetensors")
    again = lstmc.load(tmp_path / "m.safetensors")
    check(again, xs, want)
    assert again.layers[2].recurrent_activation == "hard_sigmoid_keras2"
    assert (again.optimizer.learning_rate, again.optimizer.clipnorm) == (pytest.approx(0.002), 1.0)
    first = again.fit(xs[0], np.array([0, 1, 2]), epochs=30, verbose=0).history
    assert first["loss"][-1] < first["loss"][0]
    assert "accuracy" in "".join(first)


def test_settings_of_training(found):
    model = lstmc.from_keras(found[3, "row.keras"])
    assert type(model.optimizer).__name__ == "Adam"
    assert repr(model.layers[2].kernel_regularizer) == "L2()"
    assert (model.layers[2].dropout, model.layers[0].mask_zero) == (0.1, True)
    assert not lstmc.from_keras(found[3, "kinds.keras"]).optimizer


# A model of Keras 1 to 3, made by hand ----------------------------------------------------------------------------------


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
    (("Conv1D", {"name": "d"}), r"layer 'd' \(Conv1D\): this class is not supported; compute the features"),
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


def test_a_bidirectional_whose_backward_weights_come_first(found, tmp_path):
    """Weights are told apart by their names, whatever their order."""
    path, xs, want = case(found, 2, "keras1.h5")
    shutil.copy(path, tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "a") as f:
        group = f["model_weights/bidirectional_1"]
        names = group.attrs["weight_names"]
        group.attrs["weight_names"] = names[::-1]
    check(lstmc.from_keras(tmp_path / "m.h5"), xs, want)


def test_arrays_of_keras_1_without_names_are_in_its_order(found, tmp_path):
    path, xs, want = case(found, 2, "keras1.h5")
    shutil.copy(path, tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "a") as f:
        for layer in ("lstm_1", "bidirectional_1", "simplernn_1", "dense_2"):
            group = f[f"model_weights/{layer}"]
            for n, name in enumerate(group.attrs["weight_names"]):
                group.move(name, f"param_{n}")
            group.attrs["weight_names"] = [f"param_{n}".encode() for n in range(len(group))]
    check(lstmc.from_keras(tmp_path / "m.h5"), xs, want)


def test_wrong_arguments(found, tmp_path):
    for obj, received in ((5, "int"), (None, "NoneType"), (lstmc.nn.LSTM(3, 4), r"lstmc\.nn\.\S+LSTM"), (lstmc.Sequential, r"the class lstmc\.\S+Sequential")):
        with pytest.raises(TypeError, match=f"obj: expected a model or a layer of Keras, or a path, received {received}"):
            lstmc.from_keras(obj)
    with pytest.raises(TypeError, match="verify: expected True or False, received 'yes'"):
        lstmc.from_keras(found[3, "row.h5"], verify="yes")
    with pytest.raises(FileNotFoundError):
        lstmc.from_keras(tmp_path / "none.h5")
    with pytest.raises(lstmc.FormatError, match="model: expected None, since the file says what its model is"):
        lstmc.from_keras(found[3, "row.h5"], model=lstmc.Sequential())
    model = lstmc.Sequential([la.Input((3,)), la.Dense(2)])
    with pytest.raises(lstmc.FormatError, match="expected the weights of 1 layers, received those of 8"):
        lstmc.from_keras(found[2, "row_weights.h5"], model=model)
    content = bytearray()
    with zipfile.ZipFile(found[3, "row.keras"]) as z:
        content += z.read("config.json")
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(lstmc.FormatError, match=r"expected a \.keras archive or an HDF5 file, received other bytes"):
        lstmc.from_keras(tmp_path / "config.json")


@pytest.mark.parametrize(("package", "message"), [("h5py", r'a file of Keras needs h5py: pip install "lstmc\[keras\]"'),
                                                  ("keras", "verify=True runs Keras: pip install keras")])
def test_packages_that_are_missing_are_named(package, message, found, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=message):
        lstmc.from_keras(found[3, "row.keras"], verify=True)


def test_what_makes_objects_of_keras_needs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    for thing in (lstmc.Sequential([la.Input((3,)), la.Dense(2)]), lstmc.nn.LSTM(3, 4)):
        with pytest.raises(ImportError, match="to_keras makes objects of Keras: pip install keras"):
            thing.to_keras()


def test_nothing_is_warned_about_in_passing(found):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for version, name in WHOLE:
            lstmc.from_keras(found[version, name])
    assert not said
