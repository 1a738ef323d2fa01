"""Files of Keras 1, 2 and 3 give the predictions of Keras itself (tests/golden/make_keras_files.py)."""

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

pytestmark = pytest.mark.once
GOLDEN = Path(__file__).parent / "golden"
TOLERANCE = 2e-5
WHOLE = [(3, "row.keras"), (3, "row.h5"), (3, "graph.keras"), (3, "graph.h5"), (3, "kinds.keras"), (3, "masked.keras"), (2, "masked.keras"), (2, "masked.h5"),
         (2, "row.keras"), (2, "row.h5"), (2, "graph.keras"),
         (2, "graph.h5"), (2, "kinds.keras"), (2, "cudnn.h5"), (2, "keras1.h5"), (3, "inner.keras"), (3, "inner.h5"), (2, "inner.keras"), (2, "inner.h5"),
         *((version, f"windows.{kind}") for version in (2, 3) for kind in ("keras", "h5"))]
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
