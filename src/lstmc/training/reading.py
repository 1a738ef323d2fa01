"""Models read from .safetensors files.

Reading checks every name and shape against the architecture, and all sizes against the file, before memory for the weights is taken,
and a checksum before they are used; whatever does not fit is a FormatError.
"""

import json
import math
import os
import zlib

import numpy as np
import safetensors
import safetensors.numpy

from lstmc import losses, metrics, optimizers
from lstmc.errors import FormatError
from lstmc.nn import checks
from lstmc.training import architecture, files
from lstmc.whole import Changing, turns_of

KEY, FORMATS, WEIGHTS, VERSION = "lstmc", ("lstmc.Sequential", "lstmc.Model"), "lstmc.weights", 1
PROGRESS = "progress/"      # tensors of a `fit` that was interrupted
MAX_HEADER = 2**22      # bytes; a thousand layers with names of usual length have less
MAX_MESSAGE = 500       # characters: what a file says may be long
DTYPES = {"float32": "F32", "float64": "F64", "int64": "I64", "int32": "I32", "bool": "BOOL"}


def checksum(header, tensors):
    """CRC-32 of all that a model is rebuilt from, whatever the order in the file."""
    crc = zlib.crc32(json.dumps({k: v for k, v in header.items() if k != "checksum"}, sort_keys=True).encode())
    for name in sorted(tensors):
        a = tensors[name]
        crc = zlib.crc32(f"{name} {a.dtype} {a.shape}".encode(), crc)
        crc = zlib.crc32(a.reshape(-1).view(np.uint8), crc)
    return f"crc32:{crc:08x}"


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
    return _reading(files.path_of(path), lambda f: _load(f)[0])


def load_progress(path):
    """(model, progress) of a file that `saving.save` wrote with the progress of a `fit`; None if it has none."""
    return _reading(files.path_of(path), _load)


def load_weights(model, path):
    """Read the weights of a file that `save_weights` or `save` wrote into a model that has just these."""
    path = files.path_of(path)
    model.build()
    expected = {name: v.shape for name, v in model.variables}

    def read(f):
        start, entries, header = _read_header(f, (*FORMATS, WEIGHTS))
        more = {} if header["format"] == WEIGHTS else {name for name in entries if name.startswith(("optimizer/", PROGRESS)) and name not in expected}
        check_names(entries.keys() - more, expected, ())
        known = {v: k for k, v in DTYPES.items()}
        sizes = {name: (known[e["dtype"]], tuple(e["shape"])) for name, e in entries.items()}
        found = _read_tensors(f, start, entries, sizes | {name: (str(model.dtype), shape) for name, shape in expected.items()}, header)
        return {name: found[name] for name in expected}

    tensors = _reading(path, read)
    with Changing(turns_of(model, *model.layers)):
        for name, v in model.variables:
            v.set(tensors[name])


def _reading(path, read):
    try:
        with files.reading(path) as f:
            return read(f)
    except KeyError as error:
        text = f"expected a model of this package; {error} is missing"
    except (safetensors.SafetensorError, ArithmeticError, AttributeError, IndexError, RecursionError, TypeError, ValueError) as error:
        text = str(error)
    raise FormatError(f"{path}: {text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + ' ...'}")


def _load(f):
    start, entries, header = _read_header(f, FORMATS)
    kind = header["format"].partition(".")[2]
    found = architecture.layers_of(header)
    if ("calls" in header) != (kind == "Model"):
        raise FormatError(f"expected calls in the file of a Model alone, received a {kind}")
    expected = architecture.expected_weights(found, header)
    optimizer, loss, settings, state = (None,) * 4 if header["compile"] is None else compiled(header)
    dtype = next((layer.dtype for layer in found if not getattr(layer, "any_dtype", False)), found[0].dtype) if found else None
    progress = _progress_tensors(header)
    more = sorted(entries.keys() - expected.keys() - progress.keys())
    slots = optimizer.slots if optimizer else ()
    trained = [name for name in expected if any(f"optimizer/{slot}/{name}" in entries for slot in slots)]
    sizes = {name: (str(dtype), shape) for name, shape in check_names(entries.keys() - progress.keys(), expected, slots, trained).items()}
    tensors = _read_tensors(f, start, entries, sizes | progress, header)
    model = architecture.model(kinds()[kind], header, found, draw=False)
    if optimizer is not None:
        model.compile(optimizer, loss, **settings)
        model.shuffle_seed, model.step, model.passes, optimizer.iterations = state
    if kind == "Sequential":
        model.build(header["input_shape"], draw=False)
    for name, v in model.variables:
        v.set(tensors[name])
    if more:
        if trained != [name for name, _ in model.trained]:
            raise FormatError("expected the optimizer's state of every weight that is trained, received that of others")
        optimizer.build([v.array for _, v in model.trained])
        for (name, v), slots in zip(model.trained, optimizer.state, strict=True):
            for slot, a in slots.items():
                a[...] = v.inward(tensors[f"optimizer/{slot}/{name}"])
    return model, together(header["progress"]["state"], tensors) if "progress" in header else None


def _progress_tensors(header):
    """name -> (dtype, shape) of what belongs to the progress of a `fit`."""
    if "progress" not in header:
        return {}
    found = header["progress"]["tensors"]
    for name, (dtype, shape) in found.items():
        if not name.startswith(PROGRESS) or dtype not in DTYPES or not all(type(n) is int and n >= 0 for n in shape):
            raise FormatError(f"progress: expected names, dtypes and shapes, received {name!r}: {dtype!r}, {shape!r}")
    return {name: (dtype, tuple(shape)) for name, (dtype, shape) in found.items()}


def together(thing, tensors):
    """What `saving.apart` took apart."""
    if isinstance(thing, dict):
        return tensors[thing["tensor"]] if thing.keys() == {"tensor"} else {k: together(v, tensors) for k, v in thing.items()}
    return [together(v, tensors) for v in thing] if isinstance(thing, list) else thing


def _read_header(f, formats):
    """(the bytes before the data, name -> dtype and shape of the tensors, what was written about them)."""
    start, entries = read_table(f)
    header = json.loads((entries.pop("__metadata__", None) or {})[KEY], object_pairs_hook=unique)
    if header["format"] not in formats or type(header["version"]) is not int or header["version"] != VERSION:
        instead = "; weights alone are for load_weights of a model that has just these" if header["format"] == WEIGHTS else ""
        raise FormatError(f"expected {' or '.join(formats)}, version {VERSION}, received {header['format']!r} {header['version']!r}{instead}")
    return start, entries, header


def read_table(f):
    """(the bytes before the data, what the file says about its tensors), as it is there, of any .safetensors file."""
    start, size = f.read(8), os.fstat(f.fileno()).st_size
    n = int.from_bytes(start, "little")
    if size < 8 or n > size - 8:
        raise FormatError(f"expected a safetensors file, received {size} bytes that announce a header of {n}")
    if n > MAX_HEADER:
        raise FormatError(f"expected a header of at most {MAX_HEADER} bytes, received {n}")
    start += f.read(n)
    return start, json.loads(start[8:].decode(), object_pairs_hook=unique)


def _read_tensors(f, start, entries, sizes, header):
    """name -> array, of these dtypes and shapes."""
    for name, (dtype, shape) in sizes.items():
        found, kind = entries[name]["shape"], entries[name]["dtype"]
        if found != list(shape):
            raise FormatError(f"{name}: expected shape {checks.shape_text(shape)}, received {checks.shape_text(found)}")
        if kind != DTYPES[dtype]:
            raise FormatError(f"{name}: expected dtype {DTYPES[dtype]}, received {kind}")
    size = os.fstat(f.fileno()).st_size
    whole = len(start) + sum(math.prod(shape) * np.dtype(dtype).itemsize for dtype, shape in sizes.values())
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
    return tensors


def unique(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        raise FormatError("expected every name once, received one twice")
    return found


def kinds():
    """The classes of models that a file can name."""
    from lstmc.training.model import Model
    from lstmc.training.sequential import Sequential

    return {"Sequential": Sequential, "Model": Model}


def compiled(header):
    """(optimizer, loss, other arguments of compile, counters) of a model, as it was compiled and trained."""
    config, n = header["compile"], len(header.get("outputs", (0,)))

    def rebuilt(entry, classes):
        return classes[entry["class"]](**entry["config"])

    def each(value, what):
        if n == 1:
            return [value]
        if not isinstance(value, list) or len(value) != n:
            raise FormatError(f"{what}: expected a list of {n}, received {value!r}")
        return value

    def lists(key):
        several = each(config[key], key)
        for one in several:
            if not isinstance(one, list):
                raise FormatError(f"{key}: expected a list, received {one!r}")
        several = [[metrics.check(m) if isinstance(m, str) else rebuilt(m, metrics.CLASSES) for m in one] for one in several]
        return several[0] if n == 1 else several

    optimizer = optimizers.CLASSES[config["optimizer"]["class"]].from_config(config["optimizer"]["config"])
    loss = None
    if config["loss"] is not None:
        loss = [entry if entry is None or losses.chosen(entry) else rebuilt(entry, losses.CLASSES) for entry in each(config["loss"], "loss")]
        loss = loss[0] if n == 1 else loss
    settings = {key: lists(key) for key in ("metrics", "weighted_metrics") if key in config or key == "metrics"}
    if "loss_weights" in config:
        settings["loss_weights"] = config["loss_weights"]
        if not isinstance(config["loss_weights"], list) or len(config["loss_weights"]) != n or None in config["loss_weights"]:
            raise FormatError(f"loss_weights: expected a list of {n} numbers, received {config['loss_weights']!r}")
    counters = [config[k] for k in ("shuffle_seed", "step", "passes", "iterations")]
    if not all(type(k) is int and 0 <= k < 2**64 for k in counters):
        raise FormatError(f"expected whole numbers for the state of training, received {counters}")
    return optimizer, loss, settings, counters


def check_names(found, expected, slots, trained=()):
    """`expected`, with the slots of an optimizer that has taken a step, if tensors of these names are there and no others."""
    if found - expected.keys():
        expected = {**expected, **{f"optimizer/{slot}/{name}": expected[name] for slot in slots for name in trained}}
    missing, more = sorted(expected.keys() - found), sorted(found - expected.keys())
    if missing or more:
        raise FormatError(f"expected the weights of its layers and optimizer; {len(missing)} are missing, such as {missing[:3]}, and "
                          f"{len(more)} are of nothing, such as {more[:3]}")
    return expected
