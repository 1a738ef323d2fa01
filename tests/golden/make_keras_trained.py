"""Models that Keras trained for three steps, and their weights after three more, for tests/test_from_keras.py: keras_trained_3.zip, keras_trained_2.zip.

    KERAS_BACKEND=torch python make_keras_trained.py     with Keras 3.15
    python make_keras_trained.py                         with tf_keras, its legacy optimizers too
"""

import io
import os
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np

try:
    import tf_keras as keras
except ImportError:
    import keras
la, opt = keras.layers, keras.optimizers
VERSION = int(keras.__version__.split(".")[0])
rng = np.random.default_rng(2027)
X, Y = (rng.standard_normal(shape).astype(np.float32) for shape in ((4, 5, 3), (4, 2)))


def trained(optimizer):
    """A model with layers in layers, one that is not trained, and statistics."""
    frozen = la.Dense(3)
    frozen.trainable = False
    model = keras.Sequential([la.Input((5, 3)), la.Bidirectional(la.GRU(2, return_sequences=True)), la.TimeDistributed(la.Dense(3, use_bias=False)),
                              la.BatchNormalization(), la.LSTM(3), frozen, la.Dense(2)])
    model.set_weights([rng.uniform(*((0.5, 1.5) if "variance" in getattr(w, "path", w.name) else (-0.8, 0.8)), w.shape)
                       for w in model.weights])
    # tf_keras' Nadam is itself in eager mode alone: in a graph its product of momentums takes each step once for every weight.
    model.compile(optimizer, keras.losses.MeanSquaredError(), run_eagerly=VERSION == 2 and isinstance(optimizer, opt.Nadam))
    model.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    return model


def main():
    cases = {"momentum": (opt.SGD(0.05, momentum=0.9), ".h5"), "adam": (opt.Adam(0.01, amsgrad=True), ".keras"),
             "rmsprop": (opt.RMSprop(0.01, momentum=0.5, centered=True), ".keras"), "adadelta": (opt.Adadelta(1.0), ".h5"),
             "schedule": (opt.Adam(opt.schedules.ExponentialDecay(0.01, 2, 0.5)), ".h5"), "nadam": (opt.Nadam(0.01), ".h5")}
    if VERSION == 2:
        cases |= {"plain": (opt.SGD(0.05), ".keras"), "old_adam": (opt.legacy.Adam(0.01, amsgrad=True), ".h5"),
                  "old_adadelta": (opt.legacy.Adadelta(1.0), ".h5"),
                  "old_rmsprop": (opt.legacy.RMSprop(0.01, momentum=0.5, centered=True), ".h5"), "old_plain_rmsprop": (opt.legacy.RMSprop(0.01), ".h5")}
    with zipfile.ZipFile(Path(__file__).parent / f"keras_trained_{VERSION}.zip", "w") as z, tempfile.TemporaryDirectory() as folder:
        for name, (optimizer, suffix) in cases.items():
            model, path = trained(optimizer), os.path.join(folder, f"{name}{suffix}")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.save(path)
            before = model.get_weights()
            model.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0)
            saved = io.BytesIO()
            np.savez(saved, x=X, y=Y, change=max(np.abs(a - b).max() for a, b in zip(before, model.get_weights(), strict=True)),
                     **{f"w{n}": a for n, a in enumerate(model.get_weights())})
            for member, content in ((f"{name}{suffix}", Path(path).read_bytes()), (f"{name}.npz", saved.getvalue())):
                z.writestr(zipfile.ZipInfo(member), content, zipfile.ZIP_DEFLATED, 9)


if __name__ == "__main__":
    main()
