"""Models as JSON, and back: the layers, and for a graph the calls of them."""

from lstmc import layers
from lstmc.errors import FormatError
from lstmc.layers.symbolic import apply
from lstmc.nn import checks

MAX_LAYERS = 1000
MAX_CALLS = 10 * MAX_LAYERS


def of_thing(thing):
    """What `from_config` of its kind makes again: class and settings."""
    return {"class": type(thing).__name__, "config": thing.get_config()}


def of_model(model):
    """The entries of a model: of a `Sequential` its layers and the shape of its input, otherwise its layers and their calls."""
    row = getattr(model, "_layers", None)
    if row is not None:
        shape = model.input_shape
        return {"input_shape": None if shape is None else list(shape), "layers": [of_thing(layer) for layer in row]}
    g = model.graph
    number = {id(layer): n for n, layer in enumerate(g.layers)}
    return {
        "layers": [of_thing(layer) for layer in g.layers],
        "inputs": [number[id(t.call.layer)] for t in g.inputs],
        # A tensor's number: inputs first, then what each call gives, in order.
        "calls": [{"layer": number[id(s.layer)], "inputs": list(s.inputs), "states": list(s.states)} for s in g.steps],
        "outputs": list(g.kept),
        **({} if model.output_keys is None else {"output_keys": list(model.output_keys)}),
    }


def layers_of(config):
    """The unbuilt layers of a config."""
    check_kinds(config, {"name": str, "layers": list})
    if len(config["layers"]) > MAX_LAYERS:
        raise FormatError(f"expected at most {MAX_LAYERS} layers, received {len(config['layers'])}")
    return [layers.from_config(entry["class"], entry["config"]) for entry in config["layers"]]


def model(cls, config, found=None, draw=True):
    """The model of a config, a `Sequential` not built yet, of its layers or of those that were made of it."""
    found = layers_of(config) if found is None else found
    if "calls" not in config:
        return cls(found, config["name"])
    inputs, outputs = connected(found, config, draw)
    if "output_keys" in config:
        keys = config["output_keys"]
        check_kinds(config, {"output_keys": list})
        if len(keys) != len(outputs) or not all(isinstance(k, str) for k in keys) or sorted(set(keys)) != keys:
            raise FormatError(f"output_keys: expected {len(outputs)} different strings in their order, received {keys!r}")
        outputs = dict(zip(keys, outputs, strict=True))
    return cls(inputs, outputs, config["name"])


def connected(found, config, draw=True):
    """(inputs, outputs): the tensors that layers give when they are called as a config says; they are built, and initialised if `draw`."""
    check_kinds(config, {"inputs": list, "calls": list, "outputs": list})
    if len(config["calls"]) > MAX_CALLS:
        raise FormatError(f"expected at most {MAX_CALLS} calls, received {len(config['calls'])}")
    inputs = [_at(found, n, "layers") for n in config["inputs"]]
    for layer in inputs:
        if not isinstance(layer, layers.InputLayer):
            raise FormatError(f"inputs: expected layers of class InputLayer, received {layer.name!r}")
    tensors = inputs = [layer.tensor for layer in inputs]
    tensors = list(tensors)
    for call in config["calls"]:
        layer = _at(found, call["layer"], "layers")
        taken, states = ([_at(tensors, n, "tensors") for n in call[key]] for key in ("inputs", "states"))
        if not taken or (len(taken) > 1 and not layer.merges):
            raise FormatError(f"{layer.name}: expected one input, received {len(taken)}")
        y = apply(layer, taken if layer.merges else taken[0], states, draw)
        tensors += y if isinstance(y, list) else [y]
    return inputs, [_at(tensors, n, "tensors") for n in config["outputs"]]


def _at(things, n, what):
    if type(n) is not int or not 0 <= n < len(things):
        raise FormatError(f"expected the number of one of {len(things)} {what}, received {n!r}")
    return things[n]


def shape_of(config):
    """The shape of a row's input, as a tuple."""
    check_kinds(config, {"input_shape": list})
    shape = tuple(config["input_shape"])
    if not all(n is None or (type(n) is int and n >= 0) for n in shape):
        raise FormatError(f"input_shape: expected whole numbers, null where free, received {checks.shape_text(shape)}")
    return shape


def check_kinds(config, kinds):
    """Raise FormatError unless entries of these names are of these kinds."""
    for key, kind in kinds.items():
        if not isinstance(config[key], kind):
            raise FormatError(f"{key}: expected a {kind.__name__}, received {config[key]!r}")


def expected_weights(found, config):
    """name -> shape of the weights of unbuilt layers, without taking memory for them."""
    return traced(found, config)[0]


def traced(found, config, shapes=None):
    """(`expected_weights`, shapes of the outputs), for inputs of these shapes, of those that a config states if None."""
    if "calls" not in config:
        shape, expected = shape_of(config), {}
        for layer in found:
            layer.check_shape(shape)
            for name, size in layer.weight_shapes(shape).items():
                expected[f"{layer.name}/{name}"] = size
            shape = layer.compute_output_shape(shape)
        return expected, [shape]
    check_kinds(config, {"inputs": list, "calls": list, "outputs": list})
    inputs = [_at(found, n, "layers") for n in config["inputs"]]
    if shapes is None:
        shapes = [(layer.batch_size, *layer.shape) for layer in inputs]
    elif len(shapes) != len(inputs):
        raise ValueError(f"expected {len(inputs)} inputs, received {len(shapes)}")
    for layer, shape in zip(inputs, shapes, strict=True):
        layer.check_shape(shape)
    by_layer = {}
    for call in config["calls"]:
        layer = _at(found, call["layer"], "layers")
        taken = [_at(shapes, n, "tensors") for n in call["inputs"]]
        shape = taken if layer.merges else taken[0]
        layer.check_shape(shape)
        by_layer.setdefault(call["layer"], layer.weight_shapes(shape))
        given = layer.compute_output_shape(shape)
        shapes += given if isinstance(given[0], tuple) else (given,)
    return ({f"{found[n].name}/{name}": size for n in sorted(by_layer) for name, size in by_layer[n].items()},
            [_at(shapes, n, "tensors") for n in config["outputs"]])


