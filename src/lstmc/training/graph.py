"""A graph of layers as one function: calls in order, forward with tapes, backward. Knows nothing of losses and data sets."""

import warnings
from typing import NamedTuple

import numpy as np

from lstmc.layers import InputLayer
from lstmc.layers.around import AroundModule
from lstmc.layers.rows import Rows, summed
from lstmc.layers.symbolic import Call, SymbolicTensor

MOST_SHAPES = 64        # that are remembered


class Padded(NamedTuple):
    """Sequences of unequal lengths in one array, and the mask (B, T) of the steps that are theirs."""

    values: np.ndarray
    mask: np.ndarray


class Step(NamedTuple):
    """One call: its layer, and the places of the tensors that it takes, takes as initial states, gives, and that no later step takes."""

    layer: object
    inputs: tuple
    states: tuple
    outputs: tuple
    done: tuple


class Run(NamedTuple):
    """What a batch gave: outputs, their masks, a tape per call, and the penalty of layers' outputs."""

    outputs: list
    masks: list
    tapes: list
    penalty: float


class Graph:
    """The calls between inputs and outputs.

    Parameters
    ----------
    inputs, outputs : list of SymbolicTensor
        Inputs are those of `Input`.

    Attributes
    ----------
    layers : list of Layer
        Each once, in Keras' order.
    """

    def __init__(self, inputs, outputs):
        inputs, outputs = list(inputs), list(outputs)
        for name, tensors in (("inputs", inputs), ("outputs", outputs)):
            for t in tensors:
                if not isinstance(t, SymbolicTensor):
                    raise TypeError(f"{name}: expected symbolic tensors, which Input and layers give, received {type(t).__name__}")
        if not inputs or not outputs:
            raise ValueError("inputs, outputs: expected at least one of each, received none")
        for t in inputs:
            if not isinstance(t.call.layer, InputLayer):
                raise ValueError(f"inputs: expected tensors that Input gives, received the output of {t.name!r}")
        if len({id(t) for t in inputs}) < len(inputs):
            raise ValueError("inputs: expected every input once, received one twice")
        calls, met = sorted_calls(inputs, outputs)
        self.layers = in_keras_order(calls, met)
        self._number(inputs, calls[len(inputs):], outputs)

    def _number(self, inputs, calls, outputs):
        self.inputs, self.outputs = inputs, outputs
        self.tensors = [*inputs, *(t for c in calls for t in c.outputs)]
        place = {id(t): i for i, t in enumerate(self.tensors)}
        self.kept = tuple(place[id(t)] for t in outputs)
        places = [[tuple(place[id(t)] for t in some) for some in (c.inputs, c.states, c.outputs)] for c in calls]
        last = {i: n for n, (taken, states, _) in enumerate(places) for i in taken + states}
        self.steps = [Step(c.layer, *where, tuple(sorted(i for i, at in last.items() if at == n and i not in self.kept)))
                      for n, (c, where) in enumerate(zip(calls, places, strict=True))]
        # The layer that makes an output which nothing else takes: its activation can be part of the loss.
        self.makers = [next((s.layer for s in self.steps if s.outputs == (i,) and s.layer.activity_regularizer is None), None)
                       if i not in last and self.kept.count(i) == 1 else None for i in self.kept]
        self.regularized = [(layer, v) for layer in self.layers for v in layer.variables if v.regularizer is not None]
        self.plan = self.trained = None        # of gradients
        self._shapes = {}       # of inputs -> of outputs: layers are built, so the answer stays

    def __getstate__(self):
        """For copy and pickle: the calls by the places of their tensors, which no row of layers is too long for."""
        return {"layers": self.layers, "inputs": [t.call.layer for t in self.inputs], "kept": self.kept,
                "steps": [(s.layer, s.inputs, s.states, [self.tensors[i].shape for i in s.outputs]) for s in self.steps]}

    def __setstate__(self, state):
        self.layers = state["layers"]
        inputs, calls = [layer.tensor for layer in state["inputs"]], []
        tensors = list(inputs)
        for layer, taken, states, shapes in state["steps"]:
            calls.append(Call(layer, [tensors[i] for i in taken], [tensors[i] for i in states], shapes))
            tensors += calls[-1].outputs
        self._number(inputs, calls, [tensors[i] for i in state["kept"]])

    def shapes(self, shapes):
        """The shapes of the outputs for shapes of the inputs, all with the batch axis; ValueError if a layer cannot take one."""
        key = tuple(shapes)
        found = self._shapes.get(key)
        if found is None:
            if len(self._shapes) >= MOST_SHAPES:
                self._shapes.clear()
            found = self._shapes[key] = self._outputs_for(key)
        return found

    def _outputs_for(self, shapes):
        found = [tuple(s) for s in shapes] + [None] * (len(self.tensors) - len(shapes))
        for t, s in zip(self.inputs, found, strict=False):
            t.call.layer.check_shape(s)
        for step in self.steps:
            shape = [found[i] for i in step.inputs] if step.layer.merges else found[step.inputs[0]]
            step.layer.check_shape(shape)
            given = step.layer.compute_output_shape(shape)
            for i, s in zip(step.outputs, given if isinstance(given[0], tuple) else (given,), strict=True):
                found[i] = s
        return [found[i] for i in self.kept]

    def caster(self, n):
        """The layer whose `cast` makes arrays of input n."""
        return next((s.layer for s in self.steps if n in s.inputs), self.inputs[n].call.layer)

    def run(self, xs, training=False, step=0, samples=None):
        """`Run`, for accepted inputs; of a batch of so many samples these may be a piece."""
        values, masks = list(xs), [None] * len(self.tensors)
        for i, x in enumerate(values):
            if type(x) is Padded:
                values[i], masks[i] = x
        values += [None] * (len(self.tensors) - len(values))
        tapes, penalty = [], 0.0
        for layer, inputs, states, outputs, done in self.steps:
            i = inputs[0]
            x, mask = ([values[i] for i in inputs], [masks[i] for i in inputs]) if layer.merges else (values[i], masks[i])
            if mask is not None and not layer.supports_masking:
                warnings.warn(f"{layer.name}: the mask ends here; layers after it see the padding as data", stacklevel=2)
            y, mask, tape = (layer.forward(x, mask, training, step, initial_state=[values[i] for i in states]) if states
                             else layer.forward(x, mask, training, step))
            if len(outputs) == 1:
                values[outputs[0]], masks[outputs[0]] = y, mask
            else:
                for i, a, m in zip(outputs, y, mask, strict=True):
                    values[i], masks[i] = a, m
            if layer.activity_regularizer is not None:
                ys = [values[i] for i in outputs]
                penalty += sum(float(layer.activity_regularizer.penalty(a)) / max(samples or len(a), 1) for a in ys)
                tape = (tape, ys)
            for i in done:
                values[i] = None
            tapes.append(tape)
        return Run([values[i] for i in self.kept], [masks[i] for i in self.kept], tapes, penalty)

    # Gradients -----------------------------------------------------------------------------------------------

    def prepare_gradients(self):
        """Fix which weights are trained: `trained` becomes their (layer, Variable) pairs, each once, in the order of `layers`."""
        trained = {id(layer): layer.trainable_variables for layer in self.layers}
        pairs = [(layer, v) for layer in self.layers for v in trained[id(layer)]]
        at = {id(v): n for n, (_, v) in enumerate(pairs)}
        moving, plan = [False] * len(self.tensors), []       # whether a trained weight moves the tensor
        for layer, inputs, states, outputs, _ in self.steps:
            before = any(moving[i] for i in inputs + states)
            own = trained[id(layer)]
            for i in outputs:
                moving[i] = before or bool(own)
            plan.append((before, bool(own), tuple(at.get(id(v)) if own else None for v in layer.variables)))
        self.plan, self.trained = list(reversed(plan)), pairs

    def gradients(self, tapes, dys, preactivation=(), samples=None):
        """Gradients of the trained weights, in the order of `trained`; None of one that no output depends on.

        dys are those of the outputs, or None; where `preactivation` is true, of the input of the activation that makes the output. samples as in
        `run`.
        """
        d = [None] * len(self.tensors)
        grads = [None] * len(self.trained)
        early = set()
        for n, (i, dy) in enumerate(zip(self.kept, dys, strict=True)):
            if dy is not None:
                d[i] = dy if d[i] is None else d[i] + dy
                if preactivation and preactivation[n]:
                    early.add(i)
        for (layer, inputs, states, outputs, _), tape, (before, own, places) in zip(reversed(self.steps), reversed(tapes), self.plan, strict=True):
            if layer.activity_regularizer is not None:
                tape, ys = tape
                for i, a in zip(outputs, ys, strict=True):
                    g = layer.activity_regularizer.gradient(a) / a.dtype.type(max(samples or len(a), 1))
                    d[i] = g if d[i] is None else d[i] + g
            if not (before or own):
                continue
            dy = d[outputs[0]] if len(outputs) == 1 else tuple([d[i] for i in outputs])
            if dy is None or (type(dy) is tuple and all(a is None for a in dy)):
                continue
            dx, found = (layer.backward(tape, dy, need_dx=before, preactivation=True) if outputs[0] in early
                         else layer.backward(tape, dy, need_dx=before))
            for n, g in zip(places, found, strict=True):
                if n is not None:
                    grads[n] = g if grads[n] is None else added(grads[n], g)
            if before:
                parts = dx if states or layer.merges else (dx,)
                for i, g in zip(inputs + states, parts, strict=True):
                    if g is not None:
                        d[i] = g if d[i] is None else d[i] + g
        return grads

    def recurrent_layers(self):
        """The layers that may keep states."""
        return [layer for layer in self.layers if isinstance(layer, AroundModule)]


def sorted_calls(inputs, outputs):
    """(calls that outputs need, each after those that it needs; those of inputs first; layer -> when a search from the outputs met it first).

    ValueError if an input is missing or no output needs one.
    """
    given, order, seen, met = {id(t.call) for t in inputs}, [t.call for t in inputs], set(), {}
    # Depth first, without recursion: a thousand layers in a row are fine.
    todo = [(t.call, False) for t in reversed(outputs)]
    while todo:
        call, ready = todo.pop()
        if ready:
            order.append(call)
        elif id(call) not in seen:
            seen.add(id(call))
            met.setdefault(call.layer, len(met))
            if isinstance(call.layer, InputLayer):
                if id(call) not in given:
                    raise ValueError(f"inputs: expected all that outputs depend on, received none for {call.layer.name!r}")
                continue
            todo.append((call, True))
            todo += [(t.call, False) for t in reversed(call.inputs + call.states)]
    unused = [t.name for t in inputs if id(t.call) not in seen]
    if unused:
        raise ValueError(f"inputs: expected inputs that outputs depend on, received {', '.join(map(repr, unused))} of which nothing depends")
    return order, met


def in_keras_order(calls, met):
    """Layers as Keras has them in `model.layers`: by how many calls are at most between them and an output, then by when they were met."""
    depth, of_layer = {}, {}
    for call in reversed(calls):
        d = of_layer[call.layer] = max(depth.get(id(call), 0), of_layer.get(call.layer, 0))
        for t in call.inputs + call.states:
            depth[id(t.call)] = max(d + 1, depth.get(id(t.call), 0))
    return sorted(of_layer, key=lambda layer: (-of_layer[layer], met[layer]))


def added(a, b):
    """The sum of two gradients of one weight."""
    if isinstance(a, Rows) and isinstance(b, Rows):
        return summed(np.concatenate((a.numbers, b.numbers)), np.concatenate((a.values, b.values)), a.shape)
    a, b = (g.dense() if isinstance(g, Rows) else g for g in (a, b))
    return a + b
