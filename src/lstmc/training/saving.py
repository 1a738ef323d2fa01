"""Models in .safetensors files: weights by name in Keras' layout, everything else as JSON in the header.

A file holds no code. Reading checks every name and shape against the architecture before memory for the weights
is taken; whatever does not fit is a FormatError.
"""

import json
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy

from lstmc import layers, losses, metrics, optimizers
from lstmc.errors import FormatError
from lstmc.training import files

KEY, FORMAT, VERSION = "lstmc", "lstmc.Sequential", 1


def save(model, path):
    """Write a built model; the file appears whole or not at all."""
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path: expected a name that ends in .safetensors, received {path.name!r}")
    model.build()
    header = {
        "format": FORMAT,
        "version": VERSION,
        "name": model.name,
        "input_shape": list(model.input_shape),
        "layers": [{"class": type(layer).__name__, "config": layer.get_config()} for layer in model.layers],
        "compile": _compile_config(model),
    }
    tensors = {name: np.ascontiguousarray(v.get()) for name, v in model.variables}
    if model.optimizer is not None and model.optimizer.state:
        for (name, v), slots in zip(model.variables, model.optimizer.state, strict=True):
            for slot, a in slots.items():
                tensors[f"optimizer/{slot}/{name}"] = np.ascontiguousarray(a.T if v.transposed else a)
    content = safetensors.numpy.save(tensors, {KEY: json.dumps(header)})
    files.write(path, content)


def _compile_config(model):
    if model.optimizer is None:
        return None
    named = [m if isinstance(m, str) else metrics.get(m, None, None) for m in model._metric_names]
    return {
        "optimizer": _described(model.optimizer, optimizers.CLASSES, "optimizer"),
        "loss": None if model.loss is None else _described(model.loss, losses.CLASSES, "loss"),
        "metrics": [m if isinstance(m, str) else _described(m, metrics.CLASSES, "metric") for m in named],
        "shuffle_seed": model.shuffle_seed,
        "step": model.step,
        "passes": model.passes,
        "iterations": model.optimizer.iterations,
    }


def _described(thing, classes, what):
    kind = type(thing)
    if classes.get(kind.__name__) is not kind:
        raise ValueError(f"{what}: expected one of {', '.join(classes)}, which a file can name, received {kind.__name__}")
    return {"class": kind.__name__, "config": thing.get_config()}


def load(path):
    """Read a model that `Sequential.save` wrote.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Sequential
        Compiled as it was, ready to go on training.

    Raises
    ------
    lstmc.FormatError
        The file is damaged, of another kind, or does not fit together.
    OSError
        It cannot be read.
    """
    path = Path(path)
    try:
        with files.reading(path):      # a missing or unreadable file is an OSError, not a question of format
            pass
        with safetensors.safe_open(path, framework="numpy") as f:
            header = json.loads((f.metadata() or {})[KEY])
            if header["format"] != FORMAT or header["version"] != VERSION:
                raise FormatError(f"expected {FORMAT} version {VERSION}, received {header['format']!r} {header['version']!r}")
            model, expected = _architecture(header)
            _check(f, expected)
            model.build(header["input_shape"])
            for name, v in model.variables:
                v.set(f.get_tensor(name))
            if header["compile"] is not None:
                _compile(model, header["compile"], f)
    except FormatError as error:
        raise FormatError(f"{path}: {error}") from None
    except KeyError as error:
        raise FormatError(f"{path}: expected a model of this package; {error} is missing") from None
    except (safetensors.SafetensorError, json.JSONDecodeError, AttributeError, IndexError, OverflowError, RecursionError,
            TypeError, ValueError) as error:
        raise FormatError(f"{path}: {error}") from None
    return model


def _architecture(header):
    """The unbuilt model, and name -> shape of what its weights must be."""
    from lstmc.training.model import Sequential

    model = Sequential([layers.from_config(entry["class"], entry["config"]) for entry in header["layers"]], header["name"])
    shape, expected = tuple(header["input_shape"]), {}
    for layer in model.layers:
        layer.check_shape(shape)
        for name, size in layer.weight_shapes(shape).items():
            expected[f"{layer.name}/{name}"] = size
        shape = layer.compute_output_shape(shape)
    return model, expected


def _check(f, expected):
    names = set(f.keys())
    known = {n for n in names if not n.startswith("optimizer/")}
    if known != expected.keys():
        raise FormatError(f"expected the weights {sorted(expected)}, received {sorted(known)}")
    for name in names:
        weight = name.split("/", 2)[2] if name.startswith("optimizer/") and name.count("/") > 1 else name
        found = f.get_slice(name)
        shape = tuple(found.get_shape())
        if weight not in expected or shape != tuple(expected[weight]):
            raise FormatError(f"{name}: expected shape {expected.get(weight)}, received {shape}")
        if found.get_dtype() not in ("F32", "F64"):
            raise FormatError(f"{name}: expected dtype F32 or F64, received {found.get_dtype()}")


def _compile(model, config, f):
    def rebuilt(entry, classes):
        return classes[entry["class"]](**entry["config"])

    loss = None if config["loss"] is None else rebuilt(config["loss"], losses.CLASSES)
    model.compile(
        rebuilt(config["optimizer"], optimizers.CLASSES),
        loss,
        [m if isinstance(m, str) else rebuilt(m, metrics.CLASSES) for m in config["metrics"]],
    )
    counters = [config[n] for n in ("shuffle_seed", "step", "passes", "iterations")]
    if not all(isinstance(n, int) and n >= 0 for n in counters):
        raise FormatError(f"expected whole numbers for the state of training, received {counters}")
    model.shuffle_seed, model.step, model.passes, model.optimizer.iterations = counters
    names = set(f.keys())
    if any(n.startswith("optimizer/") for n in names):
        model.optimizer.build(model.weights)
        for (name, v), slots in zip(model.variables, model.optimizer.state, strict=True):
            for slot, a in slots.items():
                found = f.get_tensor(f"optimizer/{slot}/{name}")
                a[...] = found.T if v.transposed else found
