"""Models written to .safetensors files: weights by name in Keras' layout, everything else as JSON in the header.

A file holds no code. What would not load to the same predictions is refused when it is saved.
"""

import json

import numpy as np
import safetensors.numpy

from lstmc import initializers, layers, losses, metrics, optimizers, regularizers
from lstmc.layers import activations
from lstmc.nn import checks
from lstmc.training import architecture, files
from lstmc.training.model_layer import ModelLayer
from lstmc.training.reading import KEY, MAX_HEADER, PROGRESS, VERSION, WEIGHTS, check_names, checksum, compiled, kinds, unique


def save(model, path, progress=None):
    """Write a built model; the file appears whole or not at all.

    progress: JSON types and arrays for who goes on with a `fit` that was interrupted; `load` leaves them alone.
    """
    path = files.path_of(path)
    _check_suffix(path)
    _refuse_strangers(model)
    model.build()
    for layer in model.layers:
        layer.check_complete()
    with model.read_whole():
        header = {
            "format": f"lstmc.{type(model).__name__}",
            "version": VERSION,
            **model.get_config(),
            "compile": _compile_config(model),
        }
        tensors = {name: np.ascontiguousarray(v.get()) for name, v in model.variables}
        if model.optimizer is not None and model.optimizer.state:
            for (name, v), slots in zip(model.trained, model.optimizer.state, strict=True):
                for slot, a in slots.items():
                    tensors[f"optimizer/{slot}/{name}"] = np.array(v.outward(a), order="C")
    _try(model, header, {name: a.shape for name, a in tensors.items()})
    if progress is not None:
        arrays = {}
        state = apart(progress, arrays)
        header["progress"] = {"state": state, "tensors": {name: [str(a.dtype), list(a.shape)] for name, a in arrays.items()}}
        tensors |= arrays
    _write(path, header, tensors)


def apart(thing, arrays):
    """`thing` with a name in place of every array in it, which goes into `arrays`."""
    if isinstance(thing, dict):
        return {k: apart(v, arrays) for k, v in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [apart(v, arrays) for v in thing]
    if isinstance(thing, np.generic):
        return thing.item()
    if not isinstance(thing, np.ndarray):
        return thing
    name = f"{PROGRESS}{len(arrays)}"
    arrays[name] = np.array(thing, order="C")       # which leaves a number without axes
    return {"tensor": name}


def save_weights(model, path):
    """Write the weights of a built model alone."""
    path = files.path_of(path)
    _check_suffix(path)
    model.build()
    for layer in model.layers:
        layer.check_complete()
    with model.read_whole():
        tensors = {name: np.ascontiguousarray(v.get()) for name, v in model.variables}
    _write(path, {"format": WEIGHTS, "version": VERSION}, tensors)


def _check_suffix(path):
    if path.suffix != ".safetensors":
        raise ValueError(f"path: expected a name that ends in .safetensors, received {path.name!r}"
                         + ("; no other format is written" if path.suffix in (".keras", ".h5") else ""))


def _write(path, header, tensors):
    header["checksum"] = checksum(header, tensors)
    content = safetensors.numpy.save(tensors, {KEY: json.dumps(header)})
    if int.from_bytes(content[:8], "little") > MAX_HEADER:
        raise ValueError(f"model: expected names and settings that take at most {MAX_HEADER} bytes, received more")
    files.write(path, content)


def _compile_config(model):
    """How the model was compiled, and how far it was trained: of one output its loss and its metrics, of several a list with those of each."""
    if model.optimizer is None:
        return None
    chosen, bound, one = model.metrics, model._outputs(), len(model.output_names) == 1

    def metric(m):
        # A function is a metric once it is chosen.
        m = m if isinstance(m, str) else next((c for c in chosen if getattr(c, "function", c) is m), m)
        return m if isinstance(m, str) else _known(metrics.get(m, None, None), metrics.CLASSES, "metric")

    named = [loss if loss is None or isinstance(loss, str) else _known(loss, losses.CLASSES, "loss") for loss in bound.losses]
    plain, weighted = ([[metric(m) for m in several] for several in some] for some in (bound.metrics, bound.weighted))
    return {
        "optimizer": _known(model.optimizer, optimizers.CLASSES, "optimizer"),
        "loss": named[0] if one else named if any(named) else None,
        "metrics": plain[0] if one else plain,
        **({"weighted_metrics": weighted[0] if one else weighted} if any(weighted) else {}),
        **({"loss_weights": bound.loss_weights} if any(w != 1 for w in bound.loss_weights) else {}),
        "shuffle_seed": model.shuffle_seed,
        "step": model.step,
        "passes": model.passes,
        "iterations": model.optimizer.iterations,
    }


def _known(thing, classes, what):
    _refuse_stranger(thing, classes, what)
    return architecture.of_thing(thing)


def _refuse_stranger(thing, classes, what):
    kind = type(thing)
    if classes.get(kind.__name__) is not kind:
        raise ValueError(f"{what}: expected one of {', '.join(classes)}, which a file can name, received {kind.__module__}.{kind.__qualname__}")
    replaced = [name for name in vars(thing) if callable(getattr(kind, name, None))]
    if replaced:
        raise ValueError(f"{what}: expected the methods of {kind.__name__}, since a file holds no code; received another {replaced[0]}")


def _refuse_strangers(model):
    """Raise for layers, initializers, regularizers and functions that are not the package's, whatever their names."""
    _refuse_stranger(model, kinds(), "model")
    if len(model.layers) > architecture.MAX_LAYERS:
        raise ValueError(f"model: expected at most {architecture.MAX_LAYERS} layers, received {len(model.layers)}")
    for layer in model.layers:
        _refuse_strange_parts(layer, layers.CLASSES, layer.name)


def _refuse_strange_parts(thing, classes, what):
    if isinstance(thing, ModelLayer):
        for layer in thing.found:
            _refuse_strange_parts(layer, classes, f"{what}: {layer.name}")
        return
    _refuse_stranger(thing, classes, what)
    for name, value in vars(thing).items():
        if isinstance(value, layers.Layer):
            _refuse_strange_parts(value, layers.CLASSES, f"{what}: {name}")
        elif isinstance(value, initializers.Initializer):
            _refuse_strange_parts(value, initializers.CLASSES, f"{what}: {name}")
        elif isinstance(value, regularizers.Regularizer):
            _refuse_strange_parts(value, regularizers.CLASSES, f"{what}: {name}")
        elif isinstance(value, activations.Activation) and activations.get(value.name) is not value:
            raise ValueError(f"{what}: {name}: expected an activation of this package, received another function of that name, {value.name!r}")


def _try(model, header, shapes):
    """Raise ValueError if a model with this header and tensors of these shapes would not be the same again."""
    try:
        text = json.dumps(header)
        again = json.loads(text, object_pairs_hook=unique)
        found = architecture.layers_of(again)
        expected = architecture.expected_weights(found, again)
        slots = () if again["compile"] is None else compiled(again)[0].slots
        check_names(shapes.keys(), expected, slots, [name for name, _ in model.trained])
        for name, shape in expected.items():
            if tuple(shape) != shapes[name]:
                raise ValueError(f"{name}: expected shape {checks.shape_text(shape)}, received {checks.shape_text(shapes[name])}")
        for layer, entry in zip(found, again["layers"], strict=True):
            if json.dumps(architecture.of_thing(layer)) != json.dumps(entry):
                raise ValueError(f"{layer.name}: {entry} becomes {architecture.of_thing(layer)}")
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"model: expected one that its settings rebuild, received one with others: {error}") from None
