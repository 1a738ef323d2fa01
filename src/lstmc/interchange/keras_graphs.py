"""Models of Keras as this package's: models in models are taken apart into layers and calls of them, as `training.architecture` describes them.

A config of Keras names, for every layer, the tensors of each of its calls (nodes): (layer, node, output); `keras_nodes.py` reads
them. A model in a model has a node of its own before those of its calls; where it counts depends on the version.
"""

import re
from typing import NamedTuple

from lstmc import layers
from lstmc.interchange import keras_configs as configs
from lstmc.interchange.keras_configs import GRAPHS, MODELS, SEQUENTIAL
from lstmc.interchange.keras_nodes import listed, node, refs
from lstmc.layers.around import AroundModule
from lstmc.reprs import default_name
from lstmc.training import architecture
from lstmc.training.model_layer import ModelLayer
from lstmc.warned import warn

OPERATION = "operation"         # the kind of what is no layer: Keras 3 writes down how it computes masks, in HDF5 files without a module
OF_MASKS = ("NotEqual", "Any", "LogicalOr", "LogicalAnd", "ExpandDims", "ZerosLike", "OnesLike")


class Leaf(NamedTuple):
    """A layer: its number here (-1 for the inputs of a model in a model, which are no layers of the whole), and where its weights are.

    path: for each model around it and for itself (the name that Keras 3 gives its weights in a file, its name); "/layer" ends that name of a
    TimeDistributed around a model, once for each around the other. inside: of a TimeDistributed around a model, the Leafs of that.
    """

    number: int
    layer: layers.Layer
    path: tuple
    inside: tuple = ()


class Part(NamedTuple):
    """A layer or a model in a model. children: of a model, Parts by name; nodes: how it is called."""

    kind: str
    name: str
    leaf: Leaf
    children: dict
    nodes: list
    inputs: list
    outputs: list


class Plan:
    """The layers and calls of a model of Keras.

    Attributes
    ----------
    leaves : list of Leaf
    config : dict
        As `architecture.of_model` gives it, for `architecture.model`.
    kind : {"Sequential", "Model"}
    """

    def __init__(self, entry, version, input_shape=None, path=(), depth=0):
        """input_shape: that of a row whose layers do not say it; path, depth: of the layers around, which the model is in."""
        self.version, self.depth, self.leaves, self.taken = version, depth, [], set()
        self.calls, self.given = [], []      # of each call how many tensors it gives
        self.masks, self.origins = {}, {}    # tensor -> number of what its mask comes from, None if it has none; what -> number
        self.implied = None                  # the InputLayer of a row that has none
        kind, config = configs.named(entry)
        if kind not in MODELS:
            raise ValueError(f"model: expected a Sequential, a functional model or a layer, received {kind}; what a subclass computes is in its code")
        top = self._declared(entry, path, {}, 0)
        shape = input_shape or declared_shape(config)
        inputs = self._inputs(top, shape)
        outputs = self._called(top, inputs, [])
        name = configs.usable_name(top.name) or "model"
        entries = [architecture.of_thing(leaf.layer) for leaf in self.leaves]
        row = self._row(inputs, outputs) if kind in SEQUENTIAL else None
        if row is not None:
            self.leaves, self.kind = [self.leaves[n] for n in row], "Sequential"
            first = self.implied.layer if self.implied else self.leaves[0].layer
            self.config = {"name": name, "input_shape": [first.batch_size, *first.shape], "layers": [entries[n] for n in row]}
            self.leaves = [leaf._replace(number=n) for n, leaf in enumerate(self.leaves)]
            return
        self.kind = "Model"
        first = [0]
        for n in self.given:
            first.append(first[-1] + n)

        def number(tensor):
            call, output = tensor
            return output if call < 0 else len(inputs) + first[call] + output

        self.config = {"name": name, "layers": entries, "inputs": self.input_leaves,
                       "calls": [{"layer": n, "inputs": [number(t) for t in taken], "states": [number(t) for t in states]}
                                 for n, taken, states in self.calls],
                       "outputs": [number(t) for t in outputs]}
        keys = config.get("output_layers") if kind in GRAPHS else None
        if isinstance(keys, dict) and keys.get("class_name") != "__tuple__":
            self.config["output_keys"] = sorted(keys)

    # Layers -------------------------------------------------------------------------------------------------------

    def _leaf(self, entry, path, kept=True):
        """The Leaf of an entry, one of `leaves` if it is kept."""
        kind, config = configs.layer(entry, self.version)
        base = name = config.get("name") or default_name(kind)
        n = 0
        while kept and name in self.taken:
            n, name = n + 1, f"{base}_{n + 1}"
        if len(self.leaves) >= architecture.MAX_LAYERS:
            raise ValueError(f"expected at most {architecture.MAX_LAYERS} layers, received more")
        try:
            made, inside = self._made(kind, {**config, "name": name}, path)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            if self.depth and str(error).startswith("layer '"):     # the innermost layer and the outermost are named
                raise
            raise ValueError(f"layer {config.get('name')!r} ({kind}): {error}") from None
        found = Leaf(len(self.leaves) if kept else -1, made, path, inside)
        if kept:
            self.taken.add(name)
            self.leaves.append(found)
        return found

    def _made(self, kind, config, path):
        """(layer, Leafs of the model inside) of a class and a config here."""
        if kind != "TimeDistributed":
            return layers.from_config(kind, config), ()
        inner, rest = config["layer"], {key: value for key, value in config.items() if key != "layer"}
        path = (*path[:-1], (f"{path[-1][0]}/layer", path[-1][1]))
        if inner["class"] not in MODELS:
            layer, inside = self._made(inner["class"], inner["config"], path)
            return layers.TimeDistributed(layer, **rest), inside
        plan = Plan(inner["config"], self.version, None, path, self.depth + 1)
        return layers.TimeDistributed(ModelLayer(plan.kind, plan.config, [leaf.layer for leaf in plan.leaves]), **rest), tuple(plan.leaves)

    def _declared(self, entry, path, used, depth):
        """The Part of an entry, with its layers; used: how often each name of a class came before it; depth: how many models it is in."""
        if self.depth + depth > configs.MAX_DEPTH:
            raise ValueError(f"expected at most {configs.MAX_DEPTH} models in each other, received more")
        if depth and is_operation(entry):
            return Part(OPERATION, entry["name"], f"the operation {entry['class_name']} of {entry.get('module', 'Keras')}", {}, [], [], [])
        kind, config = configs.named(entry)
        name = entry.get("name") or (config.get("name") if isinstance(config, dict) else None) or kind
        if not isinstance(name, str):
            raise ValueError(f"name: expected a string, received {str(name)[:100]}")
        if depth:
            path = (*path, (unique(snake(kind), used), name))
        leaf = None if kind in MODELS else self._leaf(entry, path, kind != "InputLayer" or depth == 1)
        nodes = [node(n, name) for n in listed(entry.get("inbound_nodes", []), f"{name}: inbound_nodes")]
        if leaf:
            return Part(kind, name, leaf, {}, nodes, [], [])
        rows = config if isinstance(config, list) else listed(config.get("layers"), f"{name}: layers")
        children, counts = {}, {}
        for row in rows:
            child = self._declared(row, path, counts, depth + 1)
            if child.name in children:
                raise ValueError(f"{name}: expected layers of different names, received {child.name!r} twice")
            children[child.name] = child
        inputs = outputs = []
        if kind in GRAPHS:
            inputs, outputs = (refs(config.get(key), f"{name}: {key}") for key in ("input_layers", "output_layers"))
            for ref in (*inputs, *outputs):
                if ref[0] not in children:
                    raise ValueError(f"{name}: expected the name of one of its layers, received {ref[0]!r}")
        return Part(kind, name, None, children, nodes, inputs, outputs)

    def _inputs(self, top, shape):
        """The tensors of the inputs of the whole model, whose layers become `input_leaves`."""
        if top.kind in GRAPHS:
            parts = [top.children[name] for name, _, _ in top.inputs]
        else:
            first = next(iter(top.children.values()), None)
            if first is None:
                raise ValueError(f"{top.name}: expected at least one layer, received none")
            parts = [first] if first.kind == "InputLayer" else []
            if not parts and (shape := shape or self._first_shape(first)) is not None:
                self.implied = self._leaf({"class_name": "InputLayer", "config": {"batch_shape": [None, *shape[1:]], "name": "input"}}, ())
                parts = [Part("InputLayer", "", self.implied, {}, [], [], [])]
        for part in parts:
            if part.kind != "InputLayer":
                raise ValueError(f"{top.name}: expected an InputLayer for every input, received {part.kind} {part.name!r}")
        self.input_leaves = [part.leaf.number for part in parts]
        if not parts:
            raise ValueError(f"{top.name}: expected a model that says the shape of its input, or was called before it was saved, received neither")
        return [(-1, n) for n in range(len(parts))]

    @staticmethod
    def _first_shape(part):
        """The shape of the input of a model that begins a row."""
        while part.kind in MODELS:
            part = part.children[part.inputs[0][0]] if part.kind in GRAPHS else next(iter(part.children.values()), None)
            if part is None:
                return None
        found = part.leaf.layer
        return (found.batch_size, *found.shape) if isinstance(found, layers.InputLayer) else found.declared_shape

    # Calls --------------------------------------------------------------------------------------------------------

    def _called(self, part, inputs, states, masked=False):
        """The tensors, (call, output), that a layer or a model gives for tensors; masked: whether Keras gives it a mask."""
        if part.kind not in MODELS:
            return self._layer_called(part.leaf, inputs, states, masked)
        if states:
            raise ValueError(f"{part.name}: expected a model without initial states, received some")
        if part.kind in SEQUENTIAL:
            for child in part.children.values():
                if child.kind != "InputLayer":
                    inputs = self._called(child, inputs, [])
            return inputs
        if len(inputs) != len(part.inputs):
            raise ValueError(f"{part.name}: expected {len(part.inputs)} inputs, received {len(inputs)}")
        given = {name: [] for name in part.children}        # what the calls gave so far
        for (name, _, _), tensor in zip(part.inputs, inputs, strict=True):
            given[name].append([tensor])
        waiting, called = [child for child in part.children.values() if child.nodes], True
        while waiting:
            if not called:
                raise ValueError(f"{part.name}: expected calls in some order, received layers that wait for each other: "
                                 f"{', '.join(child.name for child in waiting[:5])}")
            called = False
            for child in waiting:
                for n in child.nodes[len(given[child.name]):]:
                    found = [[self._found(part, given, ref, False) for ref in some] for some in (n.inputs, n.states)]
                    if None in (*found[0], *found[1]):
                        break
                    given[child.name].append(self._called(child, *found, n.masked))
                    called = True
            waiting = [child for child in waiting if len(given[child.name]) < len(child.nodes)]
        outputs = [self._found(part, given, ref, True) for ref in part.outputs]
        if None in outputs:
            raise ValueError(f"{part.name}: expected outputs that its layers give, received others")
        return outputs

    def _found(self, part, given, ref, as_output):
        """The tensor that a config means by (layer, node, output), None if it is not there yet."""
        name, n, output = ref
        if name not in given:
            raise ValueError(f"{part.name}: expected the name of one of its layers, received {name!r}")
        child = part.children[name]
        if child.kind == OPERATION:
            raise ValueError(f"layer {name!r}: {child.leaf} is not supported; lstmc.layers has Add, Multiply, Concatenate, Reshape and others")
        if child.kind in MODELS and (self.version < 3 or (as_output and child.kind in GRAPHS)):
            n -= 1          # its own node is counted
        calls = given[name]
        if not 0 <= n < max(len(child.nodes), 1):
            raise ValueError(f"{part.name}: expected a call of {name!r}, which has {len(child.nodes)}, received number {ref[1]}")
        if n >= len(calls):
            return None
        if not 0 <= output < len(calls[n]):
            raise ValueError(f"{part.name}: expected an output of {name!r}, which has {len(calls[n])}, received number {output}")
        return calls[n][output]

    def _layer_called(self, leaf, inputs, states, masked):
        layer = leaf.layer
        if isinstance(layer, AroundModule) and not states:
            inputs, states = inputs[:1], inputs[1:]
        if not inputs or (len(inputs) > 1 and not layer.merges):
            raise ValueError(f"layer {layer.name!r} ({type(layer).__name__}): expected one input, received {len(inputs)}")
        if states and not isinstance(layer, AroundModule):
            raise ValueError(f"layer {layer.name!r} ({type(layer).__name__}): expected no initial states, received {len(states)}")
        if len(self.calls) >= architecture.MAX_CALLS:
            raise ValueError(f"expected at most {architecture.MAX_CALLS} calls, received more")
        if masked and isinstance(layer, AroundModule) and self.masks.get(inputs[0]) is None:
            raise ValueError(f"layer {layer.name!r} ({type(layer).__name__}): a mask that does not come from Masking or Embedding(mask_zero=True) is not "
                             "supported")
        if self.version > 2 and states and not masked and self.masks.get(inputs[0]) is not None:
            warn(f"layer {layer.name!r}: Keras 3 leaves out the mask of a call with initial_state, unless it is given; here it counts, as in "
                 "Keras 2, and outputs at masked steps, and after them, differ")
        self.calls.append((leaf.number, inputs, states))
        self.given.append(gives(layer))
        found = [(len(self.calls) - 1, n) for n in range(self.given[-1])]
        self.masks |= dict.fromkeys(found[:getattr(layer, "outputs", 1)], self._mask_after(leaf, inputs))
        return found

    def _mask_after(self, leaf, inputs):
        """The number of what the mask of the output of a layer comes from, None if it has none."""
        layer, before = leaf.layer, {self.masks.get(t) for t in inputs}
        if layer.merges:
            if self.version < 3 and len(before) > 1:
                raise ValueError(f"layer {layer.name!r} ({type(layer).__name__}): inputs with different masks, or some without, are not supported in models "
                                 "of Keras 1 and 2, which merges masks in another way")
            if isinstance(layer, layers.Dot) or (None in before and not isinstance(layer, layers.Concatenate)):
                return None
            return next(iter(before)) if len(before) == 1 else self.origins.setdefault(frozenset(before), len(self.origins))
        mask = next(iter(before))
        if isinstance(layer, layers.Masking) or getattr(layer, "mask_zero", False):
            return self.origins.setdefault((leaf.number, inputs[0], mask), len(self.origins))
        ends = isinstance(layer, layers.GlobalAveragePooling1D) or (isinstance(layer, AroundModule) and not layer.return_sequences)
        return mask if layer.supports_masking and not ends else None

    def _row(self, inputs, outputs):
        """The numbers of the layers, if each is called once on what the one before it gave, with one input and output; else None."""
        tensor, row = inputs[0], [] if self.implied else list(self.input_leaves)
        for n, (leaf, taken, states) in enumerate(self.calls):
            if taken != [tensor] or states or self.given[n] != 1 or leaf in row or self.leaves[leaf].layer.merges:
                return None
            tensor = (n, 0)
            row.append(leaf)
        return row if [tensor] == outputs and len(inputs) == 1 else None


def is_operation(entry):
    """Whether an entry of a model describes an operation, not a layer."""
    if not isinstance(entry, dict) or not all(isinstance(entry.get(key), str) for key in ("class_name", "name")):
        return False
    where = entry.get("module")
    return ".ops" in where if isinstance(where, str) else entry["class_name"] in OF_MASKS


def holders(leaves, prefix=""):
    """[(Leaf, what the names of its weights begin with)] of all layers that hold weights themselves: of a model in a TimeDistributed the layers."""
    found = []
    for leaf in leaves:
        name = f"{prefix}{leaf.layer.name}/"
        found += holders(leaf.inside, name) if leaf.inside else [(leaf, name)]
    return found


def gives(layer):
    """How many tensors a call of a layer gives."""
    if not isinstance(layer, AroundModule):
        return 1
    return layer.outputs + (len(layer.ways) * layer.settings.parts if layer.return_state else 0)


def declared_shape(config):
    """The shape of the input that the config of a Sequential says."""
    if not isinstance(config, (dict, list)):
        return None
    rows = config if isinstance(config, list) else config.get("layers")
    shape = None if isinstance(config, list) else config.get("build_input_shape")
    if shape is None and isinstance(rows, list) and rows and isinstance(rows[0], dict) and isinstance(rows[0].get("config"), dict):
        first = rows[0]["config"]
        shape = first.get("batch_input_shape", first.get("batch_shape"))
        if shape is None and "input_dim" in first and first["input_dim"] is not None and rows[0].get("class_name") != "Embedding":
            shape = [None, first.get("input_length"), first["input_dim"]]
        if shape is None and rows[0].get("class_name") in ("Bidirectional", "TimeDistributed") and isinstance(first.get("layer"), dict):
            shape = declared_shape([first["layer"]])
    shape = configs.plain(shape)
    if shape is not None and (not isinstance(shape, list) or not shape or not all(n is None or (type(n) is int and n >= 0) for n in shape)):
        raise ValueError(f"input shape: expected whole numbers, null where free, received {str(shape)[:100]}")
    return shape


# Names of weights in a file of Keras 3 --------------------------------------------------------------------------------


def snake(kind):
    """The name that Keras 3 makes of a class."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", kind))).lower()


def unique(name, used):
    used[name] = used.get(name, -1) + 1
    return f"{name}_{used[name]}" if used[name] else name
