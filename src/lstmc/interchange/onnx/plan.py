"""A graph -> a plan: what is constant is computed once, the rest are steps, which are run in order.

A name of a tensor is in the graph that makes it or in those around it. A graph must be in an order in which it can be computed, as the format
demands; so there are no cycles, and one pass decides everything.
"""

from typing import NamedTuple

import numpy as np

from lstmc.errors import FormatError
from lstmc.interchange.onnx import cells, tensors
from lstmc.interchange.onnx.fusing import fused
from lstmc.interchange.onnx.node import LIMIT, Node, TooLarge
from lstmc.interchange.onnx.operators import OPERATORS

DEPTH = 24              # of graphs in nodes of graphs
FOLDED = 2**24          # values that constants computed at first may have together, beyond those that are in the model
FAILURES = (ValueError, TypeError, IndexError, KeyError, OverflowError, ZeroDivisionError)      # of an operator on arrays that do not fit
RECURRENT = tuple(cells.CELLS)
ARRAY = np.ndarray
QUIET = {*RECURRENT, "Concat", "Expand", "Flatten", "Gather", "MatMul", "Reshape", "Shape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}


class Step(NamedTuple):
    """function(*inputs) -> outputs.

    inputs, outputs: names, "" for what is not there. constants: for each input its value, None if it comes from a run. where: for messages.
    node: the Node of an operator, None of branches. quiet: whether NumPy has nothing to warn of.
    """

    function: object
    inputs: list
    outputs: list
    constants: list
    where: str
    node: object = None
    quiet: bool = False


class Plan:
    """Steps in order, on places in a list: what is constant is there before a run, and no step looks a name up.

    inputs: names of what a run is given, which is what steps take that none has made. outputs: names, and in `made` those that steps have for them.
    quiet: whether NumPy has nothing to warn of in a run.
    """

    def __init__(self, steps, outputs, scope, made=None):
        self.outputs, self.inputs, self.first, self.start = outputs, [], [], [None]     # at place 0 there is nothing
        places, constants = {}, {}

        def new(name):
            places[name] = len(self.start)
            self.start.append(None)
            return places[name]

        def place(name, value):
            if not name:
                return 0
            if value is not None:       # kept for all runs
                if id(value) not in constants:
                    self.start.append(value)
                    constants[id(value)] = len(self.start) - 1
                return constants[id(value)]
            if name not in places:
                self.inputs.append(name)
                self.first.append(new(name))
            return places[name]

        found, wanted = [], {*(made or outputs), *(name for step in steps for name in step.inputs)} - {""}
        self.quiet = all(step.quiet for step in steps)
        for step in steps:
            taken = [place(name, value) for name, value in zip(step.inputs, step.constants, strict=True)]
            last = max((n for n, name in enumerate(step.outputs) if name in wanted), default=0)         # of the outputs that something takes
            found.append((step.function, taken, [new(name) if name else 0 for name in step.outputs[:last + 1]], step.where))
        self.results = [place(name, scope.get(name)) for name in made or outputs]
        self.steps = released(found, {0, *constants.values(), *self.results})

    def run(self, arrays):
        """The outputs, from an array for each of `inputs`."""
        values = self.start.copy()
        for i, a in zip(self.first, arrays):        # noqa: B905 (as many; said so, it takes three times as long)
            values[i] = a
        for function, taken, made, done, where in self.steps:
            try:
                found = function(*[values[i] for i in taken])
                if len(made) == 1:
                    found = found[0] if type(found) is tuple else found
                    values[made[0]] = found if type(found) is ARRAY else np.asarray(found)
                else:
                    for i, a in zip(made, several(found, len(made))):       # noqa: B905
                        values[i] = a
            except FAILURES as error:
                raise ValueError(f"{where}: {error}") from None
            for i in done:
                values[i] = None
        return [values[i] for i in self.results]


def released(steps, kept):
    """Steps (function, taken, made, done, where): with the places that nothing needs after each of them."""
    found, kept = [], set(kept)
    for function, taken, made, where in reversed(steps):
        done = {*taken, *made} - kept
        kept |= done
        found.append((function, taken, made, sorted(done | ({0} if 0 in made else set())), where))
    return found[::-1]


def several(found, count):
    """The first outputs of a function of arrays, as arrays, as many as are asked for."""
    found = found if isinstance(found, tuple) else (found,)
    if len(found) < count:
        raise ValueError(f"expected at most {len(found)} outputs, received {count}")
    return [np.asarray(a) for a in found[:count]]


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
        steps, made = fused(steps, outputs)
        return Plan(steps, outputs, scope, made), scope

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
                steps.append(step_of(cells.Runner(node), node))
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
                    values = several(function(*node.constants), len(node.outputs))
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
                steps.append(Step(lambda *arrays: tuple(plan.run(arrays)), plan.inputs, node.outputs, [None] * len(plan.inputs), node.where))
            return values
        if not self.tolerant:
            steps.append(choice(node, *(plan for plan, _ in found)))
        return None


def choice(node, yes, no):
    """The step that runs one of two plans."""
    inputs = [node.inputs[0], *yes.inputs, *no.inputs]

    def run(condition, *arrays):
        if condition.dtype != bool or condition.size != 1:
            raise ValueError(f"expected one bool as condition, received {condition.dtype} of shape {condition.shape}")
        n = len(yes.inputs)
        return tuple(yes.run(arrays[:n]) if condition.all() else no.run(arrays[n:]))

    return Step(run, inputs, node.outputs, [None] * len(inputs), node.where)


def step_of(function, node):
    return Step(function, node.inputs, node.outputs, node.constants, node.where, node, node.op in QUIET)
