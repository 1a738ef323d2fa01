"""Writes `keras_optimizers.npz`: what optimizers, learning rate schedules and callbacks of Keras do, in float64, for the cases below.

To regenerate, from the root of the repository, in an environment that has Keras 3.15, JAX and NumPy::

    python tests/golden/make_keras_optimizers.py

"w" and "g" are the weights that every optimizer begins with and the gradients of each step: the arrays of `SHAPES`, flat and one after the other.
"optimizers" is JSON, name -> {"class": ..., "config": ...}, in which a schedule is {"class": ..., "config": ...} too; the array of that name holds the
weights after each step. "schedules" is a list of such descriptions, and "rates" has a row of learning rates for each, at the steps "steps".
"callbacks" is JSON: for each a description, the logs of successive epochs, and what came of it: the learning rate after each epoch, whether
training was to stop, the names of the files that were saved, the text that was written to the last of them. The cosine of schedules is given as
JAX's, because Keras 3.15 rounds its own to float32 on JAX.
"""

import json
import os
import tempfile
from pathlib import Path

os.environ |= {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}

import jax
import keras
import numpy as np

SHAPES = [(3, 4), (5,)]
STEPS = 6
DECAY, CLIPNORM, GLOBAL, CLIPVALUE = {"weight_decay": 0.1}, {"clipnorm": 0.8}, {"global_clipnorm": 0.9}, {"clipvalue": 0.4}
RATE = {"learning_rate": 0.05}
COSINE = {"class": "CosineDecay", "config": {"initial_learning_rate": 0.01, "decay_steps": 3, "warmup_target": 0.1, "warmup_steps": 2}}
CASES = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True} | DECAY, CLIPVALUE, {"learning_rate": COSINE, "momentum": 0.5} | DECAY],
    "RMSprop": [{}, {"rho": 0.8, "momentum": 0.5} | DECAY, {"centered": True}, {"centered": True, "momentum": 0.7, "epsilon": 1e-3} | CLIPNORM],
    "Adam": [{}, {"beta_1": 0.8, "beta_2": 0.97} | DECAY, {"amsgrad": True, "beta_2": 0.5}, GLOBAL, {"learning_rate": COSINE} | DECAY],
    "AdamW": [{}, {"amsgrad": True, "weight_decay": 0.3} | CLIPVALUE],
    "Adagrad": [{}, {"initial_accumulator_value": 0.5, "epsilon": 1e-2} | DECAY, GLOBAL],
    "Nadam": [{}, {"beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-4} | DECAY, CLIPNORM],
    "Adamax": [{}, {"beta_1": 0.8, "beta_2": 0.6} | DECAY],
    "Adadelta": [{"learning_rate": 1.0}, {"rho": 0.5, "epsilon": 1e-2} | DECAY],
    "Lion": [{}, {"beta_1": 0.8, "beta_2": 0.7} | DECAY],
}
AT = [0, 1, 2, 3, 4, 5, 7, 9, 10, 11, 14, 15, 20, 29, 30, 31, 45, 70, 71, 100, 1000]
SCHEDULES = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.9}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.5, "staircase": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 4, "decay_rate": 2.0, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [3, 10, 30], "values": [1.0, 0.5, 0.1, 0.05]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 30}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 10, "end_learning_rate": 0.01, "power": 0.5, "cycle": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 30, "alpha": 0.1}),
    ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 20, "warmup_target": 0.2, "warmup_steps": 10}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 10, "m_mul": 0.5, "alpha": 0.01}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 10, "t_mul": 1.0, "m_mul": 0.9}),
]
FALLING = [1.0, 0.8, 0.79, 0.799, 0.81, 0.79, 0.5, 0.51, 0.52, 0.53, 0.54, 0.55, 0.4, 0.41, 0.42, 0.43, 0.44]
# Each of a class, its arguments, and the result "val_loss" or "accuracy" of each epoch.
CALLBACKS = [
    ("ReduceLROnPlateau", {"patience": 2, "factor": 0.5}, "val_loss", FALLING),
    ("ReduceLROnPlateau", {"patience": 1, "factor": 0.3, "cooldown": 2, "min_delta": 0.02}, "val_loss", FALLING),
    ("ReduceLROnPlateau", {"patience": 0, "factor": 0.1, "min_lr": 0.002}, "val_loss", FALLING),
    ("ReduceLROnPlateau", {"patience": 2, "factor": 0.5, "mode": "max", "monitor": "accuracy", "min_delta": 0.0}, "accuracy", FALLING[::-1]),
    ("EarlyStopping", {"patience": 2}, "val_loss", FALLING),
    ("EarlyStopping", {"patience": 3, "min_delta": 0.05}, "val_loss", FALLING),
    ("EarlyStopping", {"patience": 2, "baseline": 0.6}, "val_loss", FALLING),
    ("EarlyStopping", {"patience": 0, "mode": "max", "monitor": "accuracy", "start_from_epoch": 4}, "accuracy", FALLING),
    ("ModelCheckpoint", {"filepath": "{epoch:02d}-{val_loss:.2f}"}, "val_loss", FALLING),
    ("ModelCheckpoint", {"filepath": "best-{epoch}", "save_best_only": True}, "val_loss", FALLING),
    ("ModelCheckpoint", {"filepath": "{epoch}", "save_best_only": True, "initial_value_threshold": 0.6}, "val_loss", FALLING),
    ("ModelCheckpoint", {"filepath": "{epoch}-{batch}", "save_freq": 3}, "val_loss", FALLING[:5]),
    ("LearningRateScheduler", {"schedule": "two"}, "val_loss", FALLING[:4]),
    ("LearningRateScheduler", {"schedule": "one"}, "val_loss", FALLING[:4]),
    ("CSVLogger", {"filename": "log.csv"}, "val_loss", FALLING[:3]),
    ("CSVLogger", {"filename": "log.csv", "separator": ";"}, "accuracy", FALLING[:3]),
]
FUNCTIONS = {"two": lambda epoch, rate: rate * 0.5 if epoch else rate, "one": lambda epoch: 0.1 / (1 + epoch)}
BATCHES = 4


def described(kind, config):
    return {"class": kind, "config": config}


def schedule(entry):
    return getattr(keras.optimizers.schedules, entry["class"])(**entry["config"])


def trajectory(entry, w, g):
    """The weights after each step, (STEPS, n)."""
    config = dict(entry["config"])
    if isinstance(config.get("learning_rate"), dict):
        config["learning_rate"] = schedule(config["learning_rate"])
    optimizer = getattr(keras.optimizers, entry["class"])(**config)
    variables = [keras.Variable(a, dtype="float64") for a in arrays(w)]
    found = []
    for step in g:
        optimizer.apply([keras.ops.convert_to_tensor(a) for a in arrays(step)], variables)
        found.append(np.concatenate([np.asarray(v.value).ravel() for v in variables]))
    return np.array(found)


def arrays(flat):
    cuts = np.cumsum([np.prod(s) for s in SHAPES])[:-1]
    return [a.reshape(s) for a, s in zip(np.split(flat, cuts), SHAPES, strict=True)]


def outcome(kind, config, monitor, values):
    """What came of a callback that was shown these results."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    saved, rates = [], []
    model.save = model.save_weights = lambda path, overwrite=True: saved.append(Path(path).name.removesuffix(".keras"))
    arguments = dict(config)
    if kind == "ModelCheckpoint":
        arguments["filepath"] += ".keras"
    if kind == "LearningRateScheduler":
        arguments["schedule"] = FUNCTIONS[arguments["schedule"]]
    callback = getattr(keras.callbacks, kind)(**arguments)
    callback.set_model(model)
    callback.on_train_begin()
    for epoch, value in enumerate(values):
        callback.on_epoch_begin(epoch)
        for batch in range(BATCHES):
            callback.on_train_batch_begin(batch)
            callback.on_train_batch_end(batch, {"loss": 1.0})
        callback.on_epoch_end(epoch, {"loss": 2 * value, monitor: value})
        rates.append(float(model.optimizer.learning_rate))
        if model.stop_training:
            break
    callback.on_train_end()
    text = Path("log.csv").read_bytes().decode() if kind == "CSVLogger" else None
    return described(kind, config) | {"monitor": monitor, "values": values, "rates": rates, "saved": saved, "text": text}


def main():
    keras.config.set_floatx("float64")
    keras.src.ops.cos = jax.numpy.cos
    rng = np.random.default_rng(12)
    n = sum(int(np.prod(s)) for s in SHAPES)
    w, g = (np.rint(rng.standard_normal(shape) * 4096) / 4096 for shape in (n, (STEPS, n)))
    g[:2, ::5] = 0
    optimizers = {f"{kind}-{i}": described(kind, RATE | config) for kind, several in CASES.items() for i, config in enumerate(several)}
    optimizers |= {f"{kind}-default": described(kind, {}) for kind in CASES}
    golden = {name: trajectory(entry, w, g) for name, entry in optimizers.items()}
    schedules = [described(kind, config) for kind, config in SCHEDULES]
    rates = np.array([[float(schedule(entry)(np.int64(step))) for step in AT] for entry in schedules])
    path = Path(__file__).resolve().with_name("keras_optimizers.npz")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        callbacks = [outcome(*case) for case in CALLBACKS]
        os.chdir(path.parent)
    texts = {"optimizers": optimizers, "schedules": schedules, "callbacks": callbacks}
    np.savez_compressed(path, keras_version=np.array(keras.__version__), w=w, g=g, steps=np.array(AT), rates=rates, **golden,
                        **{name: np.array(json.dumps(value)) for name, value in texts.items()})
    print(f"{path.name}: {len(golden)} trajectories, {path.stat().st_size} bytes, Keras {keras.__version__}")


if __name__ == "__main__":
    main()
