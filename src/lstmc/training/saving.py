"""Models in .safetensors files: weights by name in Keras' layout, everything else as JSON in the header.

A file holds no code. What would not load to the same predictions is refused when it is saved. Reading checks every name and shape
against the architecture, and all sizes against the file, before memory for the weights is taken, and a checksum before they are used;
whatever does not fit is a FormatError.
"""

import json
import math
import os
import zlib

import numpy as np
import safetensors
import safetensors.numpy

from lstmc import initializers, layers, losses, metrics, optimizers
from lstmc.errors import FormatError
from lstmc.layers import activations
from lstmc.nn import checks
from lstmc.training import files

KEY, FORMAT, VERSION = "lstmc", "lstmc.Sequential", 1
MAX_LAYERS = 1000
MAX_HEADER = 2**22      # bytes; a thousand layers with names of usual length have less
MAX_MESSAGE = 500       # characters: what a file says may be long
DTYPES = {"float32": "F32", "float64": "F64"}


# What is written -------------------------------------------------------------------------------------------------

def save(model, path):
    """Write a built model; the file appears whole or not at all."""
    path = files.path_of(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path: expected a name that ends in .safetensors, received {path.name!r}")
    _refuse_strangers(model)
    model.build()
    for layer in model.layers:
        layer.check_complete()
    header = {
        "format": FORMAT,
        "version": VERSION,
        "name": model.name,
        "input_shape": list(model.input_shape),
        "layers": [_config(layer) for layer in model.layers],
        "compile": _compile_config(model),
    }
    tensors = {name: np.ascontiguousarray(v.get()) for name, v in model.variables}
    if model.optimizer is not None and model.optimizer.state:
        for (name, v), slots in zip(model.variables, model.optimizer.state, strict=True):
            for slot, a in slots.items():
                tensors[f"optimizer/{slot}/{name}"] = np.ascontiguousarray(v.outward(a))
    _try(header, {name: a.shape for name, a in tensors.items()})
    header["checksum"] = checksum(header, tensors)
    content = safetensors.numpy.save(tensors, {KEY: json.dumps(header)})
    if int.from_bytes(content[:8], "little") > MAX_HEADER:
        raise ValueError(f"model: expected names and settings that take at most {MAX_HEADER} bytes, received more")
    files.write(path, content)


def checksum(header, tensors):
    """CRC-32 of all that a model is rebuilt from, whatever the order in the file."""
    crc = zlib.crc32(json.dumps({k: v for k, v in header.items() if k != "checksum"}, sort_keys=True).encode())
    for name in sorted(tensors):
        a = tensors[name]
        crc = zlib.crc32(f"{name} {a.dtype} {a.shape}".encode(), crc)
        crc = zlib.crc32(a.reshape(-1).view(np.uint8), crc)
    return f"crc32:{crc:08x}"


def _config(thing):
    return {"class": type(thing).__name__, "config": thing.get_config()}


def _compile_config(model):
    if model.optimizer is None:
        return None
    named = [m if isinstance(m, str) else metrics.get(m, None, None) for m in model._metric_names]
    return {
        "optimizer": _known(model.optimizer, optimizers.CLASSES, "optimizer"),
        "loss": None if model.loss is None else _known(model.loss, losses.CLASSES, "loss"),
        "metrics": [m if isinstance(m, str) else _known(m, metrics.CLASSES, "metric") for m in named],
        "shuffle_seed": model.shuffle_seed,
        "step": model.step,
        "passes": model.passes,
        "iterations": model.optimizer.iterations,
    }


def _known(thing, classes, what):
    _refuse_stranger(thing, classes, what)
    return _config(thing)


def _refuse_stranger(thing, classes, what):
    kind = type(thing)
    if classes.get(kind.__name__) is not kind:
        raise ValueError(f"{what}: expected one of {', '.join(classes)}, which a file can name, received {kind.__module__}.{kind.__qualname__}")
    replaced = [name for name in vars(thing) if callable(getattr(kind, name, None))]
    if replaced:
        raise ValueError(f"{what}: expected the methods of {kind.__name__}, since a file holds no code; received another {replaced[0]}")


def _refuse_strangers(model):
    """Raise for layers, initializers and functions that are not the package's, whatever their names."""
    from lstmc.training.model import Sequential

    _refuse_stranger(model, {"Sequential": Sequential}, "model")
    if len(model.layers) > MAX_LAYERS:
        raise ValueError(f"model: expected at most {MAX_LAYERS} layers, received {len(model.layers)}")
    for layer in model.layers:
        _refuse_strange_parts(layer, layers.CLASSES, layer.name)


def _refuse_strange_parts(thing, classes, what):
    _refuse_stranger(thing, classes, what)
    for name, value in vars(thing).items():
        if isinstance(value, layers.Layer):
            _refuse_strange_parts(value, layers.CLASSES, f"{what}: {name}")
        elif isinstance(value, initializers.Initializer):
            _refuse_strange_parts(value, initializers.CLASSES, f"{what}: {name}")
        elif isinstance(value, activations.Activation) and activations.get(value.name) is not value:
            raise ValueError(f"{what}: {name}: expected an activation of this package, received another function of that name, {value.name!r}")


def _try(header, shapes):
    """Raise ValueError if a model with this header and tensors of these shapes would not be the same again."""
    try:
        text = json.dumps(header)
        header = json.loads(text, object_pairs_hook=_unique)
        model, expected = _architecture(header)
        slots = () if header["compile"] is None else _compiled(header["compile"])[0].slots
        _check_names(shapes.keys(), expected, slots)
        for name, shape in expected.items():
            if tuple(shape) != shapes[name]:
                raise ValueError(f"{name}: expected shape {checks.shape_text(shape)}, received {checks.shape_text(shapes[name])}")
        for layer, entry in zip(model.layers, header["layers"], strict=True):
            if json.dumps(_config(layer)) != json.dumps(entry):
                raise ValueError(f"{layer.name}: {entry} becomes {_config(layer)}")
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"model: expected one that its settings rebuild, received one with others: {error}") from None


# What is read ----------------------------------------------------------------------------------------------------

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
    path = files.path_of(path)
    try:
        with files.reading(path) as f:
            return _load(f)
    except KeyError as error:
        text = f"expected a model of this package; {error} is missing"
    except (safetensors.SafetensorError, ArithmeticError, AttributeError, IndexError, RecursionError, TypeError, ValueError) as error:
        text = str(error)
    raise FormatError(f"{path}: {text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + ' ...'}")


def _load(f):
    size = os.fstat(f.fileno()).st_size
    start, entries, header = _read_header(f, size)
    model, expected = _architecture(header)
    optimizer, loss, measures, state = (None,) * 4 if header["compile"] is None else _compiled(header["compile"])
    expected = _check_names(entries.keys(), expected, optimizer.slots if optimizer else ())
    for name, shape in expected.items():
        found, dtype = entries[name]["shape"], entries[name]["dtype"]
        if found != list(shape):
            raise FormatError(f"{name}: expected shape {checks.shape_text(shape)}, received {checks.shape_text(found)}")
        if dtype != DTYPES[str(model.dtype)]:
            raise FormatError(f"{name}: expected dtype {DTYPES[str(model.dtype)]}, received {dtype}")
    whole = len(start) + sum(map(math.prod, expected.values())) * model.dtype.itemsize
    if size != whole:
        raise FormatError(f"expected {whole} bytes, received {size}")
    f.seek(0)
    content = f.read(whole)
    if not content.startswith(start):
        raise FormatError("expected a file that stays as it is while it is read, received one that changes")
    tensors = safetensors.numpy.load(content)
    del content
    if "checksum" in header and header["checksum"] != checksum(header, tensors):       # early files had none
        raise FormatError(f"expected the checksum {header['checksum']}, received {checksum(header, tensors)}: the file is damaged")
    if optimizer is not None:
        model.compile(optimizer, loss, measures)
        model.shuffle_seed, model.step, model.passes, optimizer.iterations = state
    model.build(header["input_shape"], draw=False)
    for name, v in model.variables:
        v.set(tensors[name])
    if len(expected) > len(model.variables):
        optimizer.build(model.weights)
        for (name, v), slots in zip(model.variables, optimizer.state, strict=True):
            for slot, a in slots.items():
                a[...] = v.inward(tensors[f"optimizer/{slot}/{name}"])
    return model


def _read_header(f, size):
    """(the bytes before the data, name -> dtype and shape of the tensors, what `save` has to say)."""
    start = f.read(8)
    n = int.from_bytes(start, "little")
    if size < 8 or n > size - 8:
        raise FormatError(f"expected a safetensors file, received {size} bytes that announce a header of {n}")
    if n > MAX_HEADER:
        raise FormatError(f"expected a header of at most {MAX_HEADER} bytes, received {n}")
    start += f.read(n)
    entries = json.loads(start[8:].decode(), object_pairs_hook=_unique)
    header = json.loads((entries.pop("__metadata__", None) or {})[KEY], object_pairs_hook=_unique)
    if header["format"] != FORMAT or type(header["version"]) is not int or header["version"] != VERSION:
        raise FormatError(f"expected {FORMAT} version {VERSION}, received {header['format']!r} {header['version']!r}")
    return start, entries, header


def _unique(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        raise FormatError("expected every name once, received one twice")
    return found


def _architecture(header):
    """The unbuilt model, and name -> shape of what its weights must be."""
    from lstmc.training.model import Sequential

    for key, kind in {"name": str, "layers": list, "input_shape": list}.items():
        if not isinstance(header[key], kind):
            raise FormatError(f"{key}: expected a {kind.__name__}, received {header[key]!r}")
    if len(header["layers"]) > MAX_LAYERS:
        raise FormatError(f"expected at most {MAX_LAYERS} layers, received {len(header['layers'])}")
    model = Sequential([layers.from_config(entry["class"], entry["config"]) for entry in header["layers"]], header["name"])
    shape, expected = tuple(header["input_shape"]), {}
    if not all(n is None or (type(n) is int and n >= 0) for n in shape):
        raise FormatError(f"input_shape: expected whole numbers, null where free, received {checks.shape_text(shape)}")
    for layer in model.layers:
        layer.check_shape(shape)
        for name, size in layer.weight_shapes(shape).items():
            expected[f"{layer.name}/{name}"] = size
        shape = layer.compute_output_shape(shape)
    return model, expected


def _compiled(config):
    """(optimizer, loss, metrics, counters) of a model, as it was compiled and trained."""
    def rebuilt(entry, classes):
        return classes[entry["class"]](**entry["config"])

    optimizer = rebuilt(config["optimizer"], optimizers.CLASSES)
    loss = None if config["loss"] is None else rebuilt(config["loss"], losses.CLASSES)
    measures = [metrics.check(m) if isinstance(m, str) else rebuilt(m, metrics.CLASSES) for m in config["metrics"]]
    if not isinstance(config["metrics"], list):
        raise FormatError(f"metrics: expected a list, received {config['metrics']!r}")
    counters = [config[n] for n in ("shuffle_seed", "step", "passes", "iterations")]
    if not all(type(n) is int and 0 <= n < 2**64 for n in counters):
        raise FormatError(f"expected whole numbers for the state of training, received {counters}")
    return optimizer, loss, measures, counters


def _check_names(found, expected, slots):
    """`expected`, with the slots of an optimizer that has taken a step, if tensors of these names are there and no others."""
    if found - expected.keys():
        expected = {**expected, **{f"optimizer/{slot}/{name}": shape for slot in slots for name, shape in expected.items()}}
    missing, more = sorted(expected.keys() - found), sorted(found - expected.keys())
    if missing or more:
        raise FormatError(f"expected the weights of its layers and optimizer; {len(missing)} are missing, such as {missing[:3]}, and "
                          f"{len(more)} are of nothing, such as {more[:3]}")
    return expected
