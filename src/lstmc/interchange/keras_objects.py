"""Objects of Keras as a source of a model, known by the package of their class and asked for configs and weights; and Keras itself beside ours."""

import sys

import numpy as np

from lstmc.interchange import keras_weights
from lstmc.interchange import verify as proof

ROOTS = ("keras", "tf_keras", "tensorflow")


def is_keras(obj):
    """Whether something is a model or a layer of Keras, or of a class derived from one."""
    return any(c.__module__.split(".")[0] in ROOTS for c in type(obj).__mro__) and hasattr(obj, "get_config")


class Source:
    """What a model or a layer says about itself, as `keras_files` has it of files."""

    size = None

    def __init__(self, obj):
        kind = type(obj)
        root = kind.__module__.split(".")[0]
        if root not in ROOTS:
            raise ValueError(f"obj: expected a Sequential, a functional model or a layer of Keras, received {kind.__module__}.{kind.__qualname__}; what a "
                             "subclass computes is in its code")
        text = str(getattr(sys.modules.get(root), "__version__", "2"))
        self.version = 2 if root == "tensorflow" else int(text.partition(".")[0])
        self.obj, self.alone = obj, not hasattr(obj, "layers")
        if not obj.built or (self.alone and not obj.weights):
            raise ValueError(f"obj: expected a built model or layer, received {obj.name!r}, which has no weights; call it on a batch first")
        entry = {"class_name": kind.__name__, "config": obj.get_config()}
        self.compiled, self.input_shape = None, None
        if self.alone:
            self.input_shape = shape_of(obj)
            entry = {"class_name": "Sequential", "config": {"name": obj.name, "layers": [entry]}}
        else:
            shape = getattr(obj, "input_shape", None) if kind.__name__ == "Sequential" else None
            self.input_shape = None if shape is None else list(shape)
            if getattr(obj, "optimizer", None) is not None:
                made = obj.optimizer        # which a config lacks once Keras has written an HDF5 file
                self.compiled = {**(obj.get_compile_config() or {}), "optimizer": {"class_name": type(made).__name__, "config": made.get_config()}}
        self.entry = entry

    def arrays(self, leaves, wanted):
        return [self._of(leaf) if w else [] for leaf, w in zip(leaves, wanted, strict=True)]

    def optimizer(self):
        """[(name, Held)] of the optimizer's state, or nothing."""
        found = getattr(getattr(self.obj, "optimizer", None), "variables", ())
        found = found() if callable(found) else found
        return [(v.name, keras_weights.Held(np.asarray(v.numpy()))) for v in found]

    def _of(self, leaf):
        obj = self.obj
        for n, (key, name) in enumerate(leaf.path):
            if n or not self.alone:
                obj = next(layer for layer in obj.layers if layer.name == name)
            for _ in range(key.count("/")):
                obj = obj.layer
        named = [str(getattr(w, "path", w.name)) for w in obj.weights]
        arrays = [np.asarray(a) for a in obj.get_weights()]
        return [(name, keras_weights.Held(a)) for name, a in zip(named, arrays, strict=True)]


def shape_of(layer):
    """The shape of the input of a layer that stands alone, with the sizes that it depends on."""
    config = getattr(layer, "get_build_config", lambda: None)() or {}
    shape = config.get("input_shape") or (config.get("shapes_dict") or {}).get("sequences_shape")
    if shape is None:
        try:
            shape = layer.input_shape
        except (AttributeError, RuntimeError):
            shape = (None, None, layer.get_weights()[0].shape[0])
    free = 2 if len(shape) == 3 else 1      # batch, and time
    return [None] * free + list(shape[free:])


# Beside Keras -------------------------------------------------------------------------------------------------------------


def verified(obj, model):
    """Raise ValueError unless Keras and `model` agree; obj is an object of Keras or a path."""
    theirs = obj if is_keras(obj) else opened(obj)
    several = len(model.inputs) > 1
    keys = sorted(theirs.input) if several and isinstance(theirs.input, dict) else None

    def run_theirs(inputs):
        given = [inputs[name] for name in model.input_names]
        return outputs(theirs(dict(zip(keys, given, strict=True)) if keys else given if several else given[0]))

    def run_ours(inputs):
        return outputs(model.predict_on_batch([inputs[name] for name in model.input_names] if several else inputs[model.input_names[0]]))

    return proof.verify(run_theirs, run_ours, specs(model), model.dtype, what=f"Keras' {theirs.name} against lstmc's")


def opened(path):
    """The model in a file, by Keras."""
    try:
        import keras
    except ImportError:
        raise ImportError("verify=True runs Keras: pip install keras, and one of its backends, such as torch") from None
    return keras.saving.load_model(str(path), safe_mode=True)


def outputs(found):
    """Outputs by number, of one array or several."""
    found = [found[key] for key in sorted(found)] if isinstance(found, dict) else found if isinstance(found, (list, tuple)) else [found]
    return {f"output {n}": np.asarray(a.detach().cpu() if hasattr(a, "detach") else a) for n, a in enumerate(found)}


def specs(model):
    """What inputs are like: numbers of the vocabulary for an Embedding, padding for a Masking."""
    found = {}
    for n, (name, t) in enumerate(zip(model.input_names, model.inputs, strict=True)):
        layer = model.graph.caster(n)
        below = getattr(layer, "input_dim", None)
        masked = getattr(layer, "mask_value", None)
        sizes = [5 if size is None else size for size in t.shape[1:]]
        sizes = ["T" if t.shape[1] is None else t.shape[1], *sizes[1:]] if len(t.shape) > 1 else sizes
        found[name] = proof.Spec((t.shape[0] or "B", *sizes), "int32" if below else None, below, 1 if below and layer.mask_zero else 0,
                                 padding=masked if masked is not None and sizes[0] == "T" else 0 if below and layer.mask_zero and sizes[0] == "T" else None)
    return found
