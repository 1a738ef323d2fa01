"""A model's layers and weights, and what inputs it accepts: what `Sequential` and `Model` share below training."""

import numpy as np

from lstmc import received
from lstmc.layers.symbolic import apply, is_symbolic
from lstmc.nn import checks
from lstmc.training import hints, ragged
from lstmc.training.consistency import any_dtype
from lstmc.training.data import named
from lstmc.training.graph import Padded, once
from lstmc.training.summary import table
from lstmc.turn import Turn, in_turn
from lstmc.whole import Changing, Reading, turns_of


class Network:
    """Layers and weights of a graph; subclasses say how the graph comes about.

    Attributes
    ----------
    graph : Graph or None
        None until built.
    layers : list of Layer
    """

    graph = None
    output_keys = None      # of outputs that are a dict

    def __init__(self, name):
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name: expected a string, received {type(name).__name__}")
        self.name, self.turns = name, (Turn(),)

    @property
    def built(self):
        """Whether weights exist."""
        return self.graph is not None

    def build(self, input_shape=None):
        """Create the weights for inputs of `input_shape`, with the batch axis, if they do not exist yet."""
        raise NotImplementedError

    @property
    def dtype(self):
        """Of floats that go in, weights and outputs."""
        self.build()
        return next((layer.dtype for layer in self.graph.layers if not any_dtype(layer)), self.graph.layers[0].dtype)

    @property
    def inputs(self):
        """The symbolic tensors of the inputs."""
        self.build()
        return list(self.graph.inputs)

    @property
    def outputs(self):
        """The symbolic tensors of the outputs."""
        self.build()
        return list(self.graph.outputs)

    @property
    def input(self):
        """That of the only input, or a list of all."""
        return one_or_all(self.inputs)

    @property
    def output(self):
        """That of the only output, or a list or dict of all."""
        return self.arranged(self.outputs)

    @property
    def input_names(self):
        """By which `fit` finds inputs in a dict."""
        return [t.name for t in self.inputs]

    @property
    def output_names(self):
        """The keys of outputs that are a dict, or the names of the layers that give them, each once: a second output of one has its number behind it."""
        if self.output_keys is not None:
            return list(self.output_keys)
        names = [t.name for t in self.outputs]
        return [n if n not in names[:i] else f"{n}_{i}" for i, n in enumerate(names)]

    # What goes in --------------------------------------------------------------------------------------------

    def accept(self, x):
        """(inputs, shapes of the outputs): x as a tuple with an array, `ragged.Sequences` or `Padded` for each input."""
        plain = type(x) is np.ndarray
        if plain and self.graph is not None:
            shapes = self.graph.taken(x)
            if shapes is not None:
                return (x,), shapes
        self._build_for(x)
        given = self._by_input(x)
        found = []
        for n, (name, a) in enumerate(zip(self.input_names, given, strict=True)):
            a = self.accepted(a, self.graph.caster(n), "x" if len(given) == 1 else f"x[{name!r}]")
            found.append(a)
        sizes = [len(a.values) if isinstance(a, Padded) else len(a) for a in found]
        if len(set(sizes)) > 1:
            raise ValueError(f"x: expected as many samples for every input, received {', '.join(map(str, sizes))}")
        shapes = [shape_of(a) for a in found]
        try:
            outputs = self.graph.shapes(shapes)
        except ValueError as error:
            raise ValueError(f"{error}{hints.of_inputs(shapes, [t.shape for t in self.graph.inputs])}") from None
        if plain and found[0] is x:
            self.graph.remember(x, outputs)
        return tuple(found), outputs

    def _build_for(self, x):
        """Create the weights if there are none yet, for this x if nothing else says what it is like."""
        self.build()

    def _by_input(self, x):
        """x as a list with an entry for every input."""
        names = self.input_names
        if isinstance(x, dict):
            if not set(x) >= set(names):
                raise ValueError(f"x: expected a dict with {', '.join(map(repr, names))}, received one with {', '.join(map(repr, x))}")
            return [x[name] for name in names]
        if len(names) == 1:
            alone = isinstance(x, (list, tuple)) and len(x) == 1 and isinstance(x[0], (np.ndarray, ragged.Sequences)) \
                and x[0].ndim == self.graph.inputs[0].ndim
            return [x[0] if alone else x]
        if not isinstance(x, (list, tuple)) or len(x) != len(names):
            raise ValueError(f"x: expected a list with an array for each of the {len(names)} inputs {', '.join(map(repr, names))}, "
                             f"received {received.length(x)}")
        return list(x)

    @staticmethod
    def accepted(a, layer, name):
        """One input, called `name` in errors, as the layer that takes it needs it."""
        if isinstance(a, (ragged.Sequences, Padded)):
            return a
        if ragged.is_ragged(a):
            return ragged.Sequences(a, layer.cast, name)
        if is_symbolic(a):
            raise TypeError(f"{name}: expected arrays, received {a!r}")
        if isinstance(a, tuple) and len(a) in (2, 3) and all(isinstance(part, np.ndarray) for part in a) and a[0].ndim != a[1].ndim:
            raise ValueError(f"{name}: expected one array, received a tuple of {len(a)}; x, y and sample_weight are separate arguments")
        if ragged.on_disk(a, layer):
            return ragged.Lazy(a, layer.cast)
        a = named(lambda: layer.cast(a), name, "x")
        if a.ndim < 2:
            raise ValueError(f"{name}: expected a batch of samples, (batch, ...), received shape {checks.shape_text(a.shape)}")
        return a

    # Weights -------------------------------------------------------------------------------------------------

    @property
    def trainable(self):
        """Whether any layer is trained; setting it sets that of all layers."""
        return any(layer.trainable for layer in self.layers)

    @trainable.setter
    def trainable(self, value):
        for layer in self.layers:
            layer.trainable = value

    def changing(self):
        """The layers whose weights training changes."""
        planned = {id(layer) for layer, _ in self.graph.trained} if self.built and self.graph.plan is not None else ()
        return [layer for layer in self.layers if layer.trainable or id(layer) in planned]

    @property
    def variables(self):
        """(name, Variable) of every weight, by layer; they are made if the shape of the input is known."""
        if not self.built and self.layers and self.input_shape is not None:
            self.build()
        layers = self.graph.layers if self.built else self.layers
        return [(f"{layer.name}/{name}", v) for layer in layers for name, v in zip(layer.weight_names, layer.variables, strict=True)]

    @property
    def trained(self):
        """(name, Variable) of the weights that training changes, as of the last `compile`; the optimizer's state is in this order."""
        self.build()
        g = self.graph
        pairs = once((layer, v) for layer in g.layers for v in layer.trainable_variables) if g.plan is None else g.trained
        return [(f"{layer.name}/{layer.weight_names[index_of(v, layer.variables)]}", v) for layer, v in pairs]

    @property
    def weights(self):
        """The live weight arrays, in the layout of the kernels."""
        return [v.array for _, v in self.variables]

    @property
    def trainable_weights(self):
        """The live arrays of the weights that training changes."""
        return [v.array for layer in self.layers for v in layer.trainable_variables]

    @property
    def non_trainable_weights(self):
        """The live arrays of the others."""
        trained = {id(v) for layer in self.layers for v in layer.trainable_variables}
        return [v.array for _, v in self.variables if id(v) not in trained]

    def count_params(self):
        """Number of weights."""
        return sum(w.size for w in self.weights)

    def get_weights(self):
        """Copies of all weights in Keras' order and layout; while another thread trains, those between two of its steps."""
        variables = self.variables
        with self.read_whole():
            return [v.get() for _, v in variables]

    def read_whole(self):
        """`with` it, no other thread's step changes weights of this model, or what its training keeps beside them."""
        return Reading(turns_of(self, *self.layers))

    @in_turn(writing=lambda model: model.layers)
    def set_weights(self, weights):
        """Replace all weights by arrays in Keras' order and layout."""
        self.build()
        count = len(self.variables)
        if not isinstance(weights, (list, tuple)) or len(weights) != count:
            raise ValueError(f"weights: expected {count} arrays, received {received.length(weights)}")
        before, at = self.get_weights(), 0
        with Changing(turns_of(self, *self.layers)):
            try:
                for layer in self.graph.layers:
                    n = len(layer.variables)
                    layer.set_weights(weights[at:at + n])
                    at += n
            except (TypeError, ValueError):
                for (_, v), w in zip(self.variables, before, strict=True):
                    v.set(w)
                raise

    def get_layer(self, name=None, index=None):
        """The layer of a name, or of an index in `layers`."""
        if (name is None) == (index is None):
            raise ValueError(f"name, index: expected one of the two, received {'neither' if name is None else 'both'}")
        if name is None:
            index = checks.integer(index, "index", -len(self.layers), len(self.layers) - 1)
            return self.layers[index]
        found = next((layer for layer in self.layers if layer.name == name), None)
        if found is None:
            raise ValueError(f"name: expected one of {', '.join(repr(layer.name) for layer in self.layers)}, received {name!r}")
        return found

    # Running -------------------------------------------------------------------------------------------------

    def reset_states(self):
        """Let all stateful layers begin with zeros again."""
        for layer in self.graph.recurrent_layers() if self.built else ():
            layer.reset_states()

    def called_on(self, x):
        """The output for symbolic tensors x: the calls of this model's graph once more, of the same layers."""
        self.build()
        given = self._by_input(x) if isinstance(x, dict) else list(x) if isinstance(x, (list, tuple)) else [x]
        if len(given) != len(self.graph.inputs):
            raise ValueError(f"{self.name}: expected {len(self.graph.inputs)} inputs, received {len(given)}")
        for t, own in zip(given, self.graph.inputs, strict=True):
            own.call.layer.check_shape(t.shape)
        found = given + [None] * (len(self.graph.tensors) - len(given))
        for step in self.graph.steps:
            inputs = [found[i] for i in step.inputs]
            y = apply(step.layer, inputs if step.layer.merges else inputs[0], [found[i] for i in step.states])
            for i, t in zip(step.outputs, y if isinstance(y, list) else [y], strict=True):
                found[i] = t
        return self.arranged([found[i] for i in self.graph.kept])

    def arranged(self, found):
        """What was `found` for every output, as outputs were given: in a dict, alone, or as a list."""
        if self.output_keys is None:
            return found[0] if len(found) == 1 else found
        return dict(zip(self.output_keys, found, strict=True))

    def summary(self, print_fn=None):
        """Print a table of the layers.

        Parameters
        ----------
        print_fn : callable, optional
            Receives the text, line by line; `print` if None.
        """
        for line in table(self):
            (print_fn or print)(line)


def index_of(v, variables):
    """Where a variable is among some."""
    return next(n for n, other in enumerate(variables) if other is v)


def one_or_all(found):
    """The only element, or the list."""
    return found[0] if len(found) == 1 else found


def shape_of(a):
    """The shape of an accepted input."""
    return a.values.shape if isinstance(a, Padded) else a.shape
