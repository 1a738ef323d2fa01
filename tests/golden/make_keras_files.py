"""Files of Keras with what Keras predicts, for tests/test_from_keras.py: keras_files_3.zip and keras_files_2.zip.

    KERAS_BACKEND=torch python make_keras_files.py       with Keras 3.15: its files
    python make_keras_files.py                           with tf_keras (and TensorFlow): those of Keras 2, and of Keras 1

With `windows` behind it, that case alone is added to what there is.

Keras 1 runs nowhere any more. Its files are written here, by h5py, in its layout: a list of layers, its names of arguments, an array for each gate.
Their predictions are those of Keras 2 for a model of the same weights. CuDNN's layers run on GPUs alone; Keras 2 loads their weights into LSTM and GRU.
Every array of a zip is drawn from the seed, biases included.
"""

import io
import json
import os
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np

try:
    import tf_keras as keras
except ImportError:
    import keras
la = keras.layers
VERSION = int(keras.__version__.split(".")[0])
HERE = Path(__file__).parent
rng = np.random.default_rng(2026)


def drawn(model):
    """model, with weights that are not special; variances are positive."""
    names = [getattr(w, "path", w.name) for w in model.weights]
    model.set_weights([rng.uniform(*((0.5, 1.5) if "variance" in name else (-0.8, 0.8)), w.shape)
                       for name, w in zip(names, model.get_weights(), strict=True)])
    return model


def outputs(model, xs):
    found = model(xs if len(xs) > 1 else xs[0])
    return [np.asarray(a.detach() if hasattr(a, "detach") else a) for a in (found if isinstance(found, (list, tuple)) else [found])]


def write(z, name, content):
    """One member, whose bytes are the same whenever it is made."""
    z.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED, 9)


def keep(z, name, model, xs, suffixes, predicted=None):
    """The files of a model, its inputs and its predictions, which may be those of another."""
    arrays = {f"x{n}": x for n, x in enumerate(xs)} | {f"y{n}": y for n, y in enumerate(outputs(predicted or model, xs))}
    saved = io.BytesIO()
    np.savez(saved, **arrays)
    write(z, f"{name}.npz", saved.getvalue())
    for suffix in suffixes:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = os.path.join(folder, f"m{suffix}")
            (model.save_weights if "weights" in suffix else model.save)(path)
            write(z, f"{name}{suffix}", Path(path).read_bytes())


def words():
    """Whole numbers with padding at the end."""
    return np.array([[1, 4, 2, 3, 1], [2, 1, 0, 0, 0], [3, 3, 4, 0, 0]])


def sequences(features, padding=True):
    x = rng.standard_normal((3, 5, features)).astype(np.float32)
    if padding:
        x[0, 3:] = x[1, :2] = 0
    return x


def row():
    """Embedding, masks, both directions, both GRUs, a compiled model that was trained."""
    model = keras.Sequential([
        la.Input((None,), dtype="int32"), la.Embedding(5, 3, mask_zero=True), la.Bidirectional(la.GRU(3, return_sequences=True)),
        la.LSTM(4, return_sequences=True, dropout=0.1, recurrent_activation="hard_sigmoid", kernel_regularizer="l2"), la.TimeDistributed(la.Dense(3)),
        la.BatchNormalization(), la.GRU(3, reset_after=False, return_sequences=True, recurrent_activation="hard_sigmoid"),
        la.SimpleRNN(4, activation="relu"), la.Dense(3, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.002, clipnorm=1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(words(), np.array([0, 1, 2]), verbose=0)
    return drawn(model)


def graph():
    """Two inputs, a shared layer, states handed on, models in a model, one of them called twice, several outputs."""
    a, b = la.Input((None, 3), name="a"), la.Input((4,), name="b")
    shared = la.Dense(3, name="shared")
    y, h, c = la.LSTM(2, return_sequences=True, return_state=True)(shared(a))
    z = la.GRU(2)(y, initial_state=h)
    inner = keras.Sequential([la.Input((2,)), la.Dense(3), la.BatchNormalization(), la.Dense(2)], name="inner")
    i = la.Input((2,))
    twice = keras.Model(i, [la.Dense(3)(i), keras.Sequential([la.Input((2,)), la.Dense(2)])(i)], name="twice")
    first = twice(h)
    second = twice(first[1])
    q = la.Concatenate()([inner(z), shared(la.Dense(3)(b)), inner(c), first[0], second[1]])
    both = la.Bidirectional(la.LSTM(2, return_state=True), merge_mode="ave")(a, initial_state=[h, c, h, c])
    return drawn(keras.Model([a, b], [q, y, second[0], both[0], both[4]], name="graph"))


def masked():
    """A graph with masks of two inputs; Keras 2 merges masks in another way, so that there only inputs with the same mask are merged."""
    words, numbers = la.Input((None,), dtype="int32", name="words"), la.Input((None, 3), name="numbers")
    x, y = la.Embedding(5, 3, mask_zero=True)(words), la.Masking()(numbers)
    a, b = la.Bidirectional(la.LSTM(2, return_sequences=True))(x if VERSION == 3 else y), la.GRU(4, return_sequences=True)(y)
    both, total = la.Concatenate()([a, b]), la.Add()([a, b])
    inner = keras.Sequential([la.Input((None, 4)), la.LSTM(3)])
    return drawn(keras.Model([words, numbers], [
        la.LSTM(2)(x), la.GRU(2)(la.TimeDistributed(la.Dense(3))(both)), la.GlobalAveragePooling1D()(total), inner(total)], name="masked"))


def kinds():
    """What `row` has not: no bias, go_backwards, merge modes, masks by value, layers with settings."""
    slope = {"negative_slope": 0.2} if VERSION == 3 else {"alpha": 0.2}
    return drawn(keras.Sequential([
        la.Input((5, 3)), la.Masking(), la.Bidirectional(la.SimpleRNN(3, return_sequences=True), merge_mode="mul"),
        la.LSTM(3, use_bias=False, go_backwards=True, return_sequences=True), la.GRU(4, use_bias=False, activation="softsign", return_sequences=True),
        la.LayerNormalization(), la.LeakyReLU(**slope), la.PReLU(shared_axes=[1]), la.ELU(0.7), la.ReLU(max_value=2.0, negative_slope=0.1),
        la.SpatialDropout1D(0.2), la.Activation("swish"), la.GlobalAveragePooling1D(),
        la.RepeatVector(3), la.Softmax(), la.Permute((2, 1)), la.Reshape((-1, 2)), la.Flatten(), la.Dropout(0.3),
        la.Dense(2, use_bias=False, activation="elu")], name="kinds"))


def inner():
    """Models in TimeDistributed: a row, a row in two of them, a graph that calls a layer twice in another row."""
    i, shared = la.Input((3,)), la.Dense(3)
    twice = keras.Model(i, la.Add()([shared(shared(i)), i]), name="twice")
    lines = keras.Sequential([la.Input((4, 3)), la.TimeDistributed(twice), la.TimeDistributed(la.Dense(2)), la.GRU(3)])
    words = keras.Sequential([la.Input((3,)), la.Dense(4, activation="relu"), la.Dropout(0.1), la.Dense(3)])
    model = keras.Sequential([la.Input((2, 4, 3)), la.TimeDistributed(la.TimeDistributed(words)), la.TimeDistributed(lines), la.LSTM(2)], name="inner")
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return drawn(model)


def windows():
    """Convolutions, pooling."""
    return drawn(keras.Sequential([
        la.Input((None,), dtype="int32"), la.Embedding(5, 3), la.Conv1D(4, 3, activation="relu", padding="same", kernel_regularizer="l2"),
        la.Conv1D(3, 2, padding="causal", dilation_rate=2, use_bias=False), la.MaxPooling1D(2, padding="same"), la.AveragePooling1D(2, 1),
        la.Reshape((1, 2, 3)), la.TimeDistributed(la.Conv1D(3, 2, strides=2)), la.TimeDistributed(la.Flatten()), la.LSTM(2)], name="windows"))


# Keras 2 and 1 ------------------------------------------------------------------------------------------------------------


def cudnn(z):
    """CuDNNLSTM, CuDNNGRU and a Bidirectional of one, and the LSTM and GRU that Keras 2 loads their weights into."""
    from tf_keras.src.layers.rnn.cudnn_gru import CuDNNGRU
    from tf_keras.src.layers.rnn.cudnn_lstm import CuDNNLSTM

    def made(lstm, gru):
        return keras.Sequential([la.Input((5, 3)), la.Bidirectional(lstm(3, return_sequences=True)), gru(4, return_sequences=True), lstm(2)])

    source, twin = drawn(made(CuDNNLSTM, CuDNNGRU)), made(la.LSTM, la.GRU)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "w.h5")
        source.save_weights(path)
        twin.load_weights(path)
    keep(z, "cudnn", source, [sequences(3, False)], [".h5", "_weights.h5"], twin)


def by_gates(layer, names, kernel, recurrent, bias, order, stored):
    """(name, array) for each gate, in the order of Keras 1, of the arrays of Keras 2."""
    parts = [dict(zip(order, np.split(w, len(order), -1), strict=True)) for w in (kernel, recurrent, bias)]
    return [(f"{layer}_{kind}_{gate}", part[gate]) for gate in stored for kind, part in zip(names, parts, strict=True)]


def keras_1(z):
    """A Sequential of Keras 1.2: LSTM of separate gates, Bidirectional GRU, an LSTM of joined ones, SimpleRNN, TimeDistributed, Dense."""
    hard = {"recurrent_activation": "hard_sigmoid"}
    twin = drawn(keras.Sequential([
        la.Input((5,)), la.Embedding(5, 3, mask_zero=True), la.LSTM(3, return_sequences=True, **hard),
        la.Bidirectional(la.GRU(2, return_sequences=True, reset_after=False, **hard)), la.LSTM(3, return_sequences=True, **hard),
        la.TimeDistributed(la.Dense(3, activation="relu")), la.SimpleRNN(3), la.Dense(2, activation="hard_sigmoid")]))
    embedding, lstm, both, joined, dense, rnn, last = (layer.get_weights() for layer in twin.layers)
    common = {"consume_less": "cpu", "init": "glorot_uniform", "inner_init": "orthogonal", "activation": "tanh", "go_backwards": False, "stateful": False,
              "unroll": False, "W_regularizer": None, "U_regularizer": None, "b_regularizer": None, "dropout_W": 0.0, "dropout_U": 0.0, "input_length": None,
              "trainable": True}
    gates = {**common, "inner_activation": "hard_sigmoid", "return_sequences": True}
    plain = {"init": "glorot_uniform", "W_regularizer": None, "b_regularizer": None, "activity_regularizer": None, "W_constraint": None, "b_constraint": None,
             "bias": True, "trainable": True}
    config = {"class_name": "Sequential", "keras_version": "1.2.2", "config": [
        {"class_name": "Embedding", "config": {"name": "embedding_1", "trainable": True, "input_dtype": "int32", "batch_input_shape": [None, 5],
                                               "input_dim": 5, "output_dim": 3, "init": "uniform", "input_length": 5, "mask_zero": True, "dropout": 0.0,
                                               "activity_regularizer": None, "W_regularizer": None, "W_constraint": None}},
        {"class_name": "LSTM", "config": {**gates, "name": "lstm_1", "output_dim": 3, "input_dim": 3, "forget_bias_init": "one"}},
        {"class_name": "Bidirectional", "config": {"name": "bidirectional_1", "trainable": True, "merge_mode": "concat", "layer": {
            "class_name": "GRU", "config": {**gates, "name": "gru_1", "output_dim": 2, "input_dim": 3}}}},
        {"class_name": "LSTM", "config": {**gates, "name": "lstm_2", "output_dim": 3, "input_dim": 4, "consume_less": "gpu", "forget_bias_init": "one"}},
        {"class_name": "TimeDistributed", "config": {"name": "timedistributed_1", "trainable": True, "layer": {
            "class_name": "Dense", "config": {**plain, "name": "dense_1", "output_dim": 3, "activation": "relu", "input_dim": None}}}},
        {"class_name": "SimpleRNN", "config": {**common, "name": "simplernn_1", "output_dim": 3, "input_dim": 3, "return_sequences": False}},
        {"class_name": "Dense", "config": {**plain, "name": "dense_2", "output_dim": 2, "activation": "hard_sigmoid", "input_dim": 3}}]}
    lstm_1 = {"names": "WUb", "order": "ifco", "stored": "icfo"}
    gru_1 = {"names": "WUb", "order": "zrh", "stored": "zrh"}

    def split(layer, some, how):
        return by_gates(layer, how["names"], *some, how["order"], how["stored"])

    weights = {
        "embedding_1": [("embedding_1_W", embedding[0])], "lstm_1": split("lstm_1", lstm, lstm_1),
        "bidirectional_1": split("forward_gru_1", both[:3], gru_1) + split("backward_gru_1", both[3:], gru_1),
        "lstm_2": [(f"lstm_2_{kind}", w) for kind, w in zip("WUb", joined, strict=True)],
        "timedistributed_1": [(f"dense_1_{kind}", w) for kind, w in zip("Wb", dense, strict=True)],
        "simplernn_1": [(f"simplernn_1_{kind}", w) for kind, w in zip("WUb", rnn, strict=True)],
        "dense_2": [(f"dense_2_{kind}", w) for kind, w in zip("Wb", last, strict=True)]}
    for name, whole in (("keras1", True), ("keras1_weights", False)):
        saved = io.BytesIO()
        with h5py.File(saved, "w") as f:
            group = f.create_group("model_weights") if whole else f
            f.attrs["keras_version"] = b"1.2.2"
            if whole:
                f.attrs["model_config"] = json.dumps(config).encode()
            group.attrs["layer_names"] = [n.encode() for n in weights]
            for layer, arrays in weights.items():
                g = group.create_group(layer)
                g.attrs["weight_names"] = [n.encode() for n, _ in arrays]
                for n, w in arrays:
                    g.create_dataset(n, data=w)
        write(z, f"{name}.h5", saved.getvalue())
    keep(z, "keras1", twin, [words()], [])


def first(z):
    """All that is drawn from the first seed."""
    keep(z, "row", row(), [words()], [".keras", ".h5", ".weights.h5"] + ["_weights.h5"] * (VERSION == 2))
    keep(z, "graph", graph(), [sequences(3, False), rng.standard_normal((3, 4)).astype(np.float32)], [".keras", ".h5"])
    keep(z, "masked", masked(), [words(), sequences(3)], [".keras"] + [".h5"] * (VERSION == 2))
    keep(z, "kinds", kinds(), [sequences(3)], [".keras"])
    keep(z, "inner", inner(), [rng.standard_normal((3, 2, 4, 3)).astype(np.float32)], [".keras", ".h5"])
    if VERSION == 2:
        cudnn(z)
        keras_1(z)
    write(z, "versions.json", json.dumps({"keras": keras.__version__, "python": sys.version.split()[0]}))


def main():
    global rng
    keras.utils.set_random_seed(2026)
    more = sys.argv[1:] == ["windows"]
    with zipfile.ZipFile(HERE / f"keras_files_{VERSION}.zip", "a" if more else "w") as z:
        if not more:
            first(z)
        rng = np.random.default_rng(2027)
        keep(z, "windows", windows(), [words()], [".keras", ".h5"])


if __name__ == "__main__":
    main()
