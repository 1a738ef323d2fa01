"""A graph -> steps: what is constant is computed once, the rest is run in order. `Graph` is the callable that comes of it.

A name of a tensor is in the graph that makes it or in those around it. A graph must be in an order in which it can be computed, as the format
demands; so there are no cycles, and one pass decides everything.
"""

from typing import NamedTuple

import numpy as np

from lstmc.errors import FormatError
from lstmc.interchange.onnx import cells, tensors
from lstmc.interchange.onnx.node import LIMIT, Node, TooLarge
from lstmc.interchange.onnx.operators import OPERATORS
from lstmc.nn import checks

DEPTH = 24              # of graphs in nodes of graphs
FOLDED = 2**24          # values that constants computed at first may have together, beyond those that are in the model
FAILURES = (ValueError, TypeError, IndexError, KeyError, OverflowError, ZeroDivisionError)      # of an operator on arrays that do not fit
RECURRENT = tuple(cells.CELLS)


class Tensor(NamedTuple):
    """An input or an output: its dtype, None if the model does not say it, and its shape, a number, a name or None for each axis, or None."""

    dtype: np.dtype | None
    shape: tuple | None


class Step(NamedTuple):
    """function(*inputs) -> outputs.

    inputs, outputs: names, "" for what is not there. constants: for each input its value, None if it comes from a run. where: for messages.
    """

    function: object
    inputs: list
    outputs: list
    constants: list
    where: str

    def run(self, values):
        """Its outputs, from the values that there are."""
        given = [values[name] if name and value is None else value for name, value in zip(self.inputs, self.constants, strict=True)]
        try:
            return computed(self.function, given, self.outputs)
        except FAILURES as error:
            raise ValueError(f"{self.where}: {error}") from None


class Branches(NamedTuple):
    """A step that runs one of two plans, or the only one.

    inputs: the condition, if there are two plans, and all that these use of what is around.
    """

    plans: tuple
    inputs: list
    outputs: list
    where: str

    def run(self, values):
        """The outputs of one plan."""
        which = 0
        if len(self.plans) > 1:
            condition = values[self.inputs[0]]
            if condition.dtype != bool or condition.size != 1:
                raise ValueError(f"{self.where}: expected one bool as condition, received {condition.dtype} of shape {condition.shape}")
            which = 0 if condition.all() else 1
        return self.plans[which].run(dict(values))


class Plan(NamedTuple):
    """steps, in order; done: for each the names that nothing needs after it; outputs: names; fixed: values of those that are constant."""

    steps: list
    done: list
    outputs: list
    fixed: dict

    def run(self, values):
        """The outputs, from a dict of what there is around, which is used up."""
        for step, done in zip(self.steps, self.done, strict=True):
            for name, a in zip(step.outputs, step.run(values), strict=False):
                values[name] = a
            for name in done:
                values.pop(name, None)
        return [self.fixed[name] if name in self.fixed else values[name] for name in self.outputs]

    @property
    def used(self):
        """Names that steps or outputs take."""
        return [*(name for step in self.steps for name in step.inputs), *self.outputs]


def planned(steps, outputs, scope):
    """A Plan of steps, with what is not needed any more after each of them."""
    done, kept = [], set(outputs)
    for step in reversed(steps):
        last = {name for name in [*step.inputs, *step.outputs] if name not in kept}
        done.append(sorted(last))
        kept |= last
    return Plan(steps, done[::-1], outputs, {name: scope[name] for name in outputs if scope[name] is not None})


def computed(function, given, outputs):
    """The outputs of a function of arrays, as arrays, as many as are asked for."""
    found = function(*given)
    found = found if isinstance(found, tuple) else (found,)
    if len(found) < len(outputs):
        raise ValueError(f"expected at most {len(found)} outputs, received {len(outputs)}")
    return [np.asarray(a) for a in found]


class Builder:
    """Makes plans of a model's graph and of those inside.

    tolerant: only for the recurrent nodes and what is constant: what is not supported, or fails, is something unknown.
    """

    def __init__(self, source, tolerant=False):
        self.opset, self.folder, self.tolerant = source.opset, source.folder, tolerant
        self.recurrent = []             # the Nodes that were met
        self.budget = FOLDED

    def plan(self, graph, outer, where, depth=0, inputs=()):
        """(Plan, scope): scope is name -> value, None if it is not constant, of all that the graph can use; inputs come from a run."""
        if depth > DEPTH:
            raise FormatError(f"{where}: expected graphs at most {DEPTH} deep in each other, received more")
        if len(graph.sparse_initializer):
            raise FormatError(f"{where}: expected plain initializers, received sparse ones")
        own, scope = set(), dict(outer)
        for name in inputs:
            self.define(name, own, scope, None, where)
        for tensor in graph.initializer:
            if tensor.name in inputs:       # a default
                continue
            value = None
            if not self.tolerant or tensor.data_type in tensors.TYPES:
                value = tensors.array(tensor, f"{where}: initializer {tensor.name!r}", self.folder)
                self.budget += value.size
            self.define(tensor.name, own, scope, value, where)
        steps = []
        for proto in graph.node:
            self.add(proto, own, scope, steps, where, depth)
        outputs = [output.name for output in graph.output]
        for name in outputs:
            if name not in scope:
                raise FormatError(f"{where}: output {name!r}: expected a name that a node or an input has, received another")
        return planned(steps, outputs, scope), scope

    def define(self, name, own, scope, value, where):
        if not name or name in own:
            raise FormatError(f"{where}: expected every name once, received {name!r} {'twice' if name else 'as a name'}")
        own.add(name)
        scope[name] = value

    def add(self, proto, own, scope, steps, where, depth):
        """Put a node into the plan: as constants, as a step, or, tolerantly, as something unknown."""
        for name in proto.input:
            if name and name not in scope:
                raise FormatError(f"node {proto.name or next(iter(proto.output), '')!r} ({proto.op_type}): expected inputs that nodes before it or the "
                                  f"graph's inputs have, received {name!r}")
        node = Node(proto, self.opset, [scope[name] if name else None for name in proto.input], self.folder)
        if proto.domain not in ("", "ai.onnx"):
            node.op = f"{proto.domain}.{proto.op_type}"
        values = [None] * len(node.outputs)
        if node.op == "If":
            values = self.branch(node, scope, steps, depth) or values
        elif node.op in RECURRENT:
            node.check()
            self.recurrent.append(node)
            if not self.tolerant:
                steps.append(step_of(cells.runner(node), node))
        elif node.op in OPERATORS or not self.tolerant:
            values = self.step(node, steps) or values
        for name, value in zip(node.outputs, values, strict=False):
            if name:
                self.define(name, own, scope, value, where)

    def step(self, node, steps):
        """The values of a node whose inputs are all constant, as far as they are not too large; else None, and a step."""
        try:
            node.check()
            function = OPERATORS[node.op][0](node)
            known = all(value is not None for name, value in zip(node.inputs, node.constants, strict=True) if name)
            if known and sum(a.size for a in node.constants if a is not None) <= self.budget:
                node.limit = max(self.budget, 0)
                with np.errstate(all="ignore"):
                    values = computed(function, node.constants, node.outputs)
                self.budget -= sum(a.size for a in values)
                for a in values:
                    a.flags.writeable = False
                return values
        except TooLarge:
            pass
        except FAILURES as error:
            if not self.tolerant:
                raise error if isinstance(error, FormatError) else FormatError(f"{node.where}: {error}") from None
        finally:
            node.limit = LIMIT
        if not self.tolerant:
            steps.append(step_of(function, node))
        return None

    def branch(self, node, scope, steps, depth):
        """An If: its branch, in place, where the condition is constant; else both, as a step of two plans."""
        graphs = [node.attribute(name, "graph") for name in ("then_branch", "else_branch")]
        if len(node.inputs) != 1 or not node.inputs[0] or None in graphs:
            raise FormatError(f"{node.where}: expected a condition, then_branch and else_branch, received {node.inputs} and {list(node.attributes)}")
        condition = node.constants[0]
        if condition is not None and (condition.dtype != bool or condition.size != 1):
            raise FormatError(f"{node.where}: expected one bool as condition, received {condition.dtype} of shape {condition.shape}")
        which = [0, 1] if condition is None else [0 if condition.all() else 1]
        found = [self.plan(graphs[i], scope, f"{node.where}: {('then_branch', 'else_branch')[i]}", depth + 1) for i in which]
        for plan, _ in found:
            if len(plan.outputs) != len(node.outputs):
                raise FormatError(f"{node.where}: expected branches of {len(node.outputs)} outputs, received {len(plan.outputs)}")
        if len(found) == 1:
            (plan, inner), = found
            values = [inner[name] for name in plan.outputs]
            if not self.tolerant and any(value is None for value in values):
                steps.append(Branches((plan,), plan.used, node.outputs, node.where))
            return values
        if not self.tolerant:
            plans = tuple(plan for plan, _ in found)
            steps.append(Branches(plans, [*node.inputs, *(name for plan in plans for name in plan.used)], node.outputs, node.where))
        return None


def step_of(function, node):
    return Step(function, node.inputs, node.outputs, node.constants, node.where)


# What a caller has ------------------------------------------------------------------------------------------

class Graph:
    """A model, or a node of it, as a function of arrays by name: `run(dict) -> dict`.

    `lstmc.from_onnx` makes it. Weights are packed once, and what is constant has been computed. It keeps no state between runs, and threads may
    run it at once.

    Attributes
    ----------
    inputs, outputs : dict
        name -> (dtype, shape) of a tensor: a number, a name or None for each axis, None where the model does not say it.
    defaults : dict
        As `inputs`: those that have a value in the model and may be left out. A plan is made for each choice of them, once.
    """

    def __init__(self, plan, inputs, outputs, defaults=None):
        self.inputs, self.outputs, self.defaults = inputs, outputs, defaults or {}
        self._plans = {frozenset(): plan()}
        self._plan = plan if defaults else None         # which keeps the model

    def __repr__(self):
        def shown(tensors):
            return ", ".join(f"{name}: {t.dtype or 'any'}{'' if t.shape is None else list(t.shape)}" for name, t in tensors.items())

        return f"Graph({shown(self.inputs)} -> {shown(self.outputs)})"

    def __call__(self, inputs):
        """Outputs by name.

        Parameters
        ----------
        inputs : dict
            An array for each input, of its dtype and of the sizes that the model fixes; and for some of `defaults`, if they are to be others.

        Returns
        -------
        dict
            Of arrays, that may be views of each other and of inputs.

        Raises
        ------
        ValueError, TypeError
            An input is missing, unknown, or not as described; or arrays do not fit a node, which is named.
        """
        if not hasattr(inputs, "keys"):
            raise TypeError(f"inputs: expected a dict of arrays, received {type(inputs).__name__}")
        if not set(self.inputs) <= set(inputs) <= {*self.inputs, *self.defaults}:
            more = f" and perhaps {', '.join(self.defaults)}" if self.defaults else ""
            raise ValueError(f"inputs: expected {', '.join(self.inputs) or 'none'}{more}; received {', '.join(map(str, inputs)) or 'none'}")
        values = {name: fitting(checks.plain(inputs[name], name), name, tensor) for name, tensor in {**self.inputs, **self.defaults}.items() if name in inputs}
        chosen = frozenset(values.keys() - self.inputs.keys())
        plan = self._plans.get(chosen) or self._plans.setdefault(chosen, self._plan(chosen))
        with np.errstate(all="ignore"):
            return dict(zip(plan.outputs, plan.run(values), strict=True))


def fitting(a, name, tensor):
    """a, if it is what an input should be, in this machine's order of bytes."""
    if tensor.dtype is not None and a.dtype.newbyteorder("=") != tensor.dtype:
        raise TypeError(f"{name}: expected dtype {tensor.dtype}, received {a.dtype}")
    shape = tensor.shape
    if shape is not None and (len(shape) != a.ndim or any(isinstance(n, int) and n != m for n, m in zip(shape, a.shape, strict=True))):
        raise ValueError(f"{name}: expected shape {checks.shape_text(shape)}, received {checks.shape_text(a.shape)}")
    return a if a.dtype.isnative and a.flags.aligned else a.astype(a.dtype.newbyteorder("="))


def tensor_of(value, where):
    """The Tensor of a ValueInfoProto."""
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise FormatError(f"{where}: expected a tensor, received {kind or 'no type'}")
    t = value.type.tensor_type
    sizes = [(d.dim_value if d.WhichOneof("value") == "dim_value" else d.dim_param or None) for d in t.shape.dim]
    if any(isinstance(n, int) and n < 0 for n in sizes):
        raise FormatError(f"{where}: expected sizes of at least 0, received {sizes}")
    return Tensor(tensors.dtype_of(t.elem_type, where) if t.elem_type else None, tuple(sizes) if t.HasField("shape") else None)


def inputs_of(graph):
    """(inputs that a caller gives, those that have a value in the model), ValueInfoProtos."""
    own = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in own], [value for value in graph.input if value.name in own]


def whole(source):
    """The Graph of a model."""
    graph = source.model.graph
    inputs, defaults = ({value.name: tensor_of(value, f"input {value.name!r}") for value in some} for some in inputs_of(graph))
    if len(inputs) + len(defaults) != len(graph.input):
        raise FormatError("graph: expected every input once, received a name twice")
    names = [value.name for value in graph.output]
    if len(set(names)) != len(names):
        raise FormatError("graph: expected every output once, received a name twice")
    outputs = {value.name: tensor_of(value, f"output {value.name!r}") if value.HasField("type") else Tensor(None, None) for value in graph.output}
    return Graph(lambda chosen=frozenset(): Builder(source).plan(graph, {}, "graph", inputs={*inputs, *chosen})[0], inputs, outputs, defaults)


def recurrent_nodes(source):
    """The recurrent Nodes of a model, those in branches too, with the constants among their inputs; nothing else need be supported."""
    builder = Builder(source, tolerant=True)
    builder.plan(source.model.graph, {}, "graph", inputs={value.name for value in inputs_of(source.model.graph)[0]})
    return builder.recurrent


def alone(node):
    """The Graph of one recurrent node: from its inputs that are not constant to its outputs."""
    settings = cells.Settings(node)
    weights = settings.named(node.constants)
    dtype, D = (weights["W"].dtype if "W" in weights else None), len(settings.reverse)
    H = settings.hidden_size or (weights["R"].shape[-1] if "R" in weights else None)
    x, y, state = ("T", "B", "I"), ("T", D, "B", H), (D, "B", H)
    if settings.layout:
        x, y, state = ("B", "T", "I"), ("B", "T", D, H), ("B", D, H)
    shapes = {"X": (*x[:2], weights["W"].shape[-1] if "W" in weights else None), "sequence_lens": ("B",), "initial_h": state, "initial_c": state}
    inputs = {}
    for letter, name in settings.named([name or None for name in node.inputs]).items():
        if letter not in weights:
            inputs[name] = Tensor(np.dtype(np.int32) if letter == "sequence_lens" else dtype, shapes.get(letter))
    outputs = [name for name in node.outputs if name]
    scope = dict.fromkeys(outputs)
    given = dict(zip(node.outputs, (y, state, state), strict=False))
    plan = planned([step_of(cells.runner(node), node)], outputs, scope)
    return Graph(lambda: plan, inputs, {name: Tensor(dtype, given[name]) for name in outputs})
