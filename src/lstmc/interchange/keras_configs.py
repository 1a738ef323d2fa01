"""One layer of Keras 1, 2 or 3, as its config describes it, as the class and the config of one of `lstmc.layers`.

What makes no difference here is left out: how Keras runs a layer, initializers that the package has not (the weights are given), constraints
(with a warning, since they would act in training). Everything else that is not supported raises ValueError.
"""

import re

from lstmc import initializers, layers, names, regularizers
from lstmc.layers import activations
from lstmc.warned import warn

# Class of Keras -> class here.
OTHER_NAMES = {
    "CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU", "LSTMV1": "LSTM", "LSTMV2": "LSTM", "GRUV1": "GRU", "GRUV2": "GRU", "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization", "TimeDistributedDense": "Dense",
}
CELLS = {"LSTMCell": "LSTM", "GRUCell": "GRU", "SimpleRNNCell": "SimpleRNN"}
RECURRENT = ("LSTM", "GRU", "SimpleRNN")
SEQUENTIAL, GRAPHS = ("Sequential",), ("Functional", "Model")
MODELS = SEQUENTIAL + GRAPHS
MERGED = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum", "concat": "Concatenate", "dot": "Dot", "cos": "Dot"}
# Keras 1's arguments, of all layers and of some.
RENAMED = {
    "init": "kernel_initializer", "inner_init": "recurrent_initializer", "inner_activation": "recurrent_activation", "output_dim": "units", "p": "rate",
    "W_regularizer": "kernel_regularizer", "U_regularizer": "recurrent_regularizer", "b_regularizer": "bias_regularizer", "dropout_W": "dropout",
    "dropout_U": "recurrent_dropout", "bias": "use_bias", "W_constraint": "kernel_constraint", "U_constraint": "recurrent_constraint",
    "b_constraint": "bias_constraint", "gamma_init": "gamma_initializer", "beta_init": "beta_initializer",
}
RENAMED_OF = {
    "Embedding": {"output_dim": "output_dim", "init": "embeddings_initializer", "W_regularizer": "embeddings_regularizer",
                  "W_constraint": "embeddings_constraint"},
    "LeakyReLU": {"alpha": "negative_slope"}, "ELU": {"alpha": "alpha"}, "PReLU": {"init": "alpha_initializer"},
    "ReLU": {"alpha": "negative_slope"},
}
# How Keras runs a layer, or what the shapes of its weights say.
WITHOUT_EFFECT = ("batch_input_shape", "batch_shape", "input_shape", "input_dtype", "input_length", "implementation", "unroll", "use_cudnn", "consume_less",
                  "forget_bias_init", "inbound_nodes", "synchronized", "autocast", "registered_name", "module", "moving_mean_initializer",
                  "moving_variance_initializer", "ragged_input", "dynamic", "expects_training_arg")
# Arguments of Keras that are left out unless they ask for something: the value that asks for nothing.
AT_DEFAULT = {"time_major": False, "lora_rank": None, "lora_alpha": None, "quantization_config": None, "quantization_mode": None, "renorm": False,
              "renorm_clipping": None, "renorm_momentum": 0.99, "virtual_batch_size": None, "adjustment": None, "fused": None, "mode": 0, "sparse": False,
              "ragged": False, "optional": False, "input_tensor": None, "weights": None, "constants": None, "sparse_input": False, "rms_scaling": False,
              "type_spec": None, "experimental_autocast": True, "num_constants": None}
MAX_DEPTH = 50      # of layers in layers


def layer(entry, version, depth=0):
    """(class, config) of a layer here, from {"class_name": ..., "config": ...} of a Keras of this version: 1, 2 or 3."""
    kind, config = named(entry)
    name = config.get("name")
    try:
        if depth > MAX_DEPTH:
            raise ValueError(f"expected at most {MAX_DEPTH} layers in each other, received more")
        return translated(kind, config, version, depth)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        text = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{kind}: {text}" if depth else f"layer {name!r} ({kind}): {text}") from None


def named(entry):
    """(class name, config) of an entry that describes a layer or a model of Keras itself."""
    if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str) or not isinstance(entry.get("config"), (dict, list)):
        raise ValueError(f"expected a layer as a class_name and a config, received {str(entry)[:200]}")
    kind, config = entry["class_name"], entry["config"]
    name = config.get("name") if isinstance(config, dict) else None
    where, registered = entry.get("module"), entry.get("registered_name")
    root = where.split(".")[0] if isinstance(where, str) else None
    if (where is not None and root not in ("keras", "tf_keras", "tensorflow")) or (registered not in (None, kind)) or ">" in kind:
        raise ValueError(f"layer {name!r}: {registered or kind} of {where} is not supported: it is not a class of Keras, and no code of a file is run")
    return kind, config


def translated(kind, config, version, depth):
    if not isinstance(config, dict):
        raise ValueError(f"config: expected a dict, received {type(config).__name__}")
    if kind == "RNN":
        return of_cell(config, version, depth)
    if kind == "Merge":
        return merged(config, version)
    if kind == "Lambda":
        raise ValueError("it holds code, which is never run" + instead("Lambda"))
    cls = OTHER_NAMES.get(kind, kind)
    if cls not in layers.CLASSES:
        raise ValueError("this class is not supported" + instead(kind))
    renamed = RENAMED | RENAMED_OF.get(cls, {})
    own = {key: plain(value) for key, value in config.items() if key not in WITHOUT_EFFECT}
    own = {renamed.get(key, key): value for key, value in own.items()}
    found = {}
    for key, value in own.items():
        if key == "name":
            found["name"] = usable_name(value)
        elif key == "dtype":
            found["dtype"] = dtype_of(value, cls)
        elif key in AT_DEFAULT:
            if value is not None and (type(value) is not type(AT_DEFAULT[key]) or value != AT_DEFAULT[key]):
                raise ValueError(f"{key}={value!r} is not supported")
        elif key.endswith("_constraint"):
            if value is not None:
                warn(f"layer {config.get('name')!r}: {key} is left out; a callback can change weights with set_weights")
        elif key.endswith("_initializer"):
            if (made := initializer(value)) is not None:
                found[key] = made
        elif key.endswith("_regularizer"):
            if value is not None:
                found[key] = regularizer(value)
        elif key in ("activation", "recurrent_activation"):
            found[key] = activation(value, version)
        elif key == "seed":
            found["seed"] = value if type(value) is int and 0 <= value < 2**64 else None
        elif key == "trainable":
            found["trainable"] = bool(value)
        elif key == "layer" and cls == "TimeDistributed" and named(value)[0] in MODELS:
            found[key] = {"class": value["class_name"], "config": value}        # for `keras_graphs.py`
        elif key in ("layer", "backward_layer"):
            found[key] = None if value is None else dict(zip(("class", "config"), layer(value, version, depth + 1), strict=True))
        elif (key == "data_format" and value in (None, "channels_last")) or (key == "input_dim" and cls != "Embedding"):
            continue
        else:
            found[key] = value
    return cls, of_class(cls, kind, found, config, version)


def of_class(cls, kind, found, config, version):
    """What only some classes need."""
    if cls == "InputLayer":
        shape = config.get("batch_shape", config.get("batch_input_shape"))
        shape = plain(shape)
        if shape is not None:
            found["batch_shape"] = shape
        found.pop("dtype", None)        # what goes in is cast to that of the layers
    if cls == "GRU" and "reset_after" not in found:
        found["reset_after"] = kind == "CuDNNGRU" or version > 2
    if cls == "BatchNormalization" and isinstance(found.get("axis"), list):
        if len(found["axis"]) != 1:
            raise ValueError(f"axis={found['axis']!r} is not supported; expected one axis")
        found["axis"] = found["axis"][0]
    if cls == "Embedding" and found.pop("dropout", 0):
        warn(f"layer {config.get('name')!r}: the dropout of an Embedding is left out; use Dropout or SpatialDropout1D")
    if cls == "SpatialDropout1D":
        found.pop("noise_shape", None)
    if cls == "ReLU":
        found = {key: value for key, value in found.items() if not (value is None and key in ("negative_slope", "threshold"))}
    if cls == "Bidirectional":
        both_ways(found)
    if cls == "TimeDistributed" and "dtype" in found:
        inner = found["layer"]
        found["dtype"] = None if inner["class"] in MODELS else inner["config"].get("dtype", found["dtype"])
    return found


def both_ways(found):
    """Settle a Bidirectional: its layers are of one class and equal but for what each direction may have for itself."""
    forward, backward = found["layer"], found.pop("backward_layer", None)
    if forward is None or forward["class"] not in RECURRENT:
        raise ValueError(f"expected an LSTM, GRU or SimpleRNN inside, received {forward and forward['class']}")
    if "dtype" in forward["config"]:
        found["dtype"] = forward["config"]["dtype"]
    if "trainable" in found:
        forward["config"]["trainable"] = found["trainable"]
    forward["config"].pop("zero_output_for_mask", None)      # which both directions do
    if backward is not None:
        backward["config"].pop("zero_output_for_mask", None)
        if "trainable" in found:
            backward["config"]["trainable"] = found["trainable"]
        same = ("name", "go_backwards", "seed")
        if backward["class"] != forward["class"] or any(
                backward["config"].get(k) != forward["config"].get(k) for k in backward["config"].keys() | forward["config"].keys() if k not in same):
            found["backward_layer"] = backward
    found.pop("weights", None)


def of_cell(config, version, depth):
    """The layer of an RNN around one cell of Keras."""
    cell = config.get("cell")
    kind, inner = named(cell) if isinstance(cell, dict) else (None, None)
    if kind not in CELLS:
        raise ValueError(f"expected one of the cells {', '.join(CELLS)}, received {kind or 'several'}")
    outer = {key: value for key, value in config.items() if key != "cell"}
    return translated(CELLS[kind], {**inner, **outer}, version, depth)


def merged(config, version):
    """The layer of a Merge of Keras 1."""
    mode = config.get("mode")
    if mode not in MERGED or config.get("mode_type", "raw") != "raw":
        raise ValueError(f"mode={str(mode)[:40]!r} is not supported; expected one of {', '.join(MERGED)}")
    found = {"name": usable_name(config.get("name"))}
    if mode == "concat":
        found["axis"] = config.get("concat_axis", -1)
    if mode in ("dot", "cos"):
        axes = config.get("dot_axes", -1)
        found |= {"axes": axes, "normalize": mode == "cos"}
    return MERGED[mode], found


def instead(kind):
    """What the package has instead of a class of Keras, as the end of a message."""
    advice = names._INSTEAD.get(("layers", kind))
    return f"; {advice}" if advice else ""


# Values -----------------------------------------------------------------------------------------------------------


def plain(value):
    """A value whose tuples and numbers of NumPy are written out."""
    if isinstance(value, dict) and value.get("class_name") == "__tuple__":
        return [plain(v) for v in value["items"]]
    if isinstance(value, dict) and value.get("class_name") == "__numpy__":
        return value["config"]["value"]
    if isinstance(value, dict) and value.keys() == {"type", "value"}:      # NumPy's, of Keras 2
        return value["value"]
    if isinstance(value, (tuple, list)):
        return [plain(v) for v in value]
    return value


def usable_name(value):
    """A name with the characters that names here have."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"name: expected a string, received {value!r}")
    return re.sub(r"[^A-Za-z0-9_.\-]", "_", value) or None


def dtype_of(value, cls):
    """float32 or float64 of a dtype or a policy; what is computed in less is computed in float32."""
    if isinstance(value, dict):
        value = value.get("config", {}).get("name")
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"dtype: expected a name, received {value!r}")
    if value in ("mixed_float16", "mixed_bfloat16"):
        return "float32"
    if value not in ("float32", "float64"):
        if cls in ("InputLayer", "Embedding") and re.fullmatch(r"u?int\d+|bool", value):
            return value if cls == "InputLayer" else None
        raise ValueError(f"dtype={value!r} is not supported; expected float32 or float64")
    return value


def activation(value, version):
    """The name of an activation here."""
    if isinstance(value, dict):
        inner = value.get("config")
        kind = value.get("class_name")
        if kind != "function" or not isinstance(inner, str) or value.get("registered_name") not in (None, "function"):
            raise ValueError(f"activation: expected one of {', '.join(activations._BY_NAME)}, received {kind} {str(inner)[:60]!r}")
        value = inner
    if version < 3 and value == "hard_sigmoid":
        return "hard_sigmoid_keras2"
    return "linear" if value is None else activations.get(value).name


def initializer(value):
    """An initializer here, or None if the package has none like it."""
    if isinstance(value, dict):
        config = value.get("config") or {}
        if not isinstance(config, dict):
            return None
        value = {"class": value.get("class_name"), "config": {k: v for k, v in config.items() if v is not None and k not in ("dtype", "input_axes",
                                                                                                                                   "output_axes")}}
    try:
        return initializers.config_of(initializers.get(value))
    except (TypeError, ValueError):
        return None


def regularizer(value):
    """A regularizer here."""
    if isinstance(value, dict) and "class_name" in value:
        config = value.get("config") or {}
        value = {"class": value["class_name"], "config": {k: plain(v) for k, v in config.items()}}
    elif isinstance(value, dict):        # Keras 1
        value = {"class": "L1L2", "config": {k: value.get(k) or 0.0 for k in ("l1", "l2")}}
    made = regularizers.get(value)
    return {"class": type(made).__name__, "config": made.get_config()}
