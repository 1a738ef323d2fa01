"""A graph -> a plan: what is constant is computed once, the rest are steps, which are run in order.

A name of a tensor is in the graph that makes it or in those around it. A graph must be in an order in which it can be computed, as the format
demands; so there are no cycles, and one pass decides everything.
"""

from typing import NamedTuple

import numpy as np

from lstmc.errors import FormatError
from lstmc.interchange.onnx import cells, tensors
from lstmc.interchange.onnx.node import LIMIT, Node, TooLarge
from lstmc.interchange.onnx.operators import OPERATORS

DEPTH = 24              # of graphs in nodes of graphs
FOLDED = 2**24          # values that constants computed at first may have together, beyond those that are in the model
FAILURES = (ValueError, TypeError, IndexError, KeyError, OverflowError, ZeroDivisionError)      # of an operator on arrays that do not fit
RECURRENT = tuple(cells.CELLS)


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
