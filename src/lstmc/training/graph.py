"""A graph of layers as one function: calls in order, forward with tapes, backward. Knows nothing of losses and data sets."""

from typing import NamedTuple

import numpy as np

from lstmc.layers import Layer
from lstmc.layers.around import AroundModule
from lstmc.layers.rows import Rows, summed
from lstmc.layers.symbolic import Call, SymbolicTensor
from lstmc.training.calls import given, in_keras_order, redrawn, sorted_calls
from lstmc.warned import warn

MOST_SHAPES = 64        # that are remembered
CALL = 2**48            # a layer's second call draws the dropout of so many steps later, which no training reaches


class Padded(NamedTuple):
    """Sequences of unequal lengths in one array, and the mask (B, T) of the steps that are theirs."""

    values: np.ndarray
    mask: np.ndarray


class Step(NamedTuple):
    """One call: its layer, the places of the tensors that it takes, takes as initial states, gives, and that no later step takes, and its draw.

    `input` and `output` are the places of the only ones, None where it takes a list, or gives several. The draw is added to the training step that
    determines dropout: calls of one layer have masks of their own.
    """

    layer: object
    inputs: tuple
    states: tuple
    outputs: tuple
    done: tuple
    draw: int
    input: int
    output: int


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
        An input that a layer gives becomes an `Input` of its own, from which the calls to the outputs are drawn once more.

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
        if len({id(t) for t in inputs}) < len(inputs):
            raise ValueError("inputs: expected every input once, received one twice")
        if not all(given(t) for t in inputs):
            if all(map(given, outputs)):
                raise ValueError(f"outputs: expected what layers give for the inputs, received the Input {outputs[0].name!r}; inputs come first: "
                                 "Model(inputs, outputs)")
            inputs, outputs = redrawn(inputs, outputs)
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
        self.steps, times = [], {}
        for n, (c, where) in enumerate(zip(calls, places, strict=True)):
            done = tuple(sorted(i for i, at in last.items() if at == n and i not in self.kept))
            times[c.layer] = times.get(c.layer, -1) + 1
            taken, _, made = where
            self.steps.append(Step(c.layer, *where, done, CALL * times[c.layer], None if c.layer.merges else taken[0], made[0] if len(made) == 1 else None))
        # The layer that makes an output which nothing else takes: its activation can be part of the loss.
        self.makers = [next((s.layer for s in self.steps if s.outputs == (i,) and s.layer.activity_regularizer is None), None)
                       if i not in last and self.kept.count(i) == 1 else None for i in self.kept]
        # Where each call takes what the one before it gives, and nobody makes masks: what the layers make of an array in inference.
        row = all((s.inputs, s.states, s.outputs) == ((n,), (), (n + 1,)) for n, s in enumerate(self.steps)) and self.kept == (len(self.steps),)
        values = [value_of(s.layer) for s in self.steps]
        self.values = tuple(values) if row and None not in values else None
        self.regularized = [(layer, v) for layer, v in once(pair for layer in self.layers for pair in layer.owned) if v.regularizer is not None]
        self.plan = self.trained = self.touches = self.penalized = None       # of gradients
        self._shapes = {}       # of inputs -> of outputs: layers are built, so the answer stays
        self._taken = {}        # shape of the only input -> (a dtype of which nothing is cast, shapes of the outputs)

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

    def taken(self, x):
        """The shapes of the outputs for an array, if one like it was taken as it is before; None if it must be looked at."""
        dtype, shapes = self._taken.get(x.shape, (None, None))
        return shapes if x.dtype is dtype and x.flags.aligned else None

    def remember(self, x, shapes):
        """That an array of the dtype and shape of x, for which outputs have these shapes, is taken as it is."""
        if x.dtype.kind == "f" and type(self.caster(0)).cast is Layer.cast:
            if len(self._taken) >= MOST_SHAPES:
                self._taken.clear()
            self._taken[x.shape] = x.dtype, shapes

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
        masks = [None] * len(self.tensors)
        values = [*xs, *masks[len(xs):]]
        for i, x in enumerate(xs):
            if type(x) is Padded:
                values[i], masks[i] = x
        tapes, penalty = [], 0.0
        for layer, inputs, states, outputs, done, draw, only, to in self.steps:
            at = (step + draw) % 2**64
            if only is None:
                x, mask = [values[i] for i in inputs], [masks[i] for i in inputs]
            else:
                x, mask = values[only], masks[only]
            if mask is not None and not layer.supports_masking:
                warn(f"{layer.name}: the mask ends here; layers after it see the padding as data")
            y, mask, tape = (layer.forward(x, mask, training, at, initial_state=[values[i] for i in states]) if states
                             else layer.forward(x, mask, training, at))
            if to is not None:
                values[to], masks[to] = y, mask
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

    def outputs_of(self, xs, training=False, step=0, own=False):
        """The outputs of `run`, for who wants nothing else; with `own`, in memory that nobody else has.

        A row of layers does it in half the time for a small batch, since no account need be kept.
        """
        x = y = xs[0]
        if self.values is None or training or type(x) is Padded:
            found = self.run(xs, training, step).outputs
            return list(map(np.array, found)) if own else found
        for value in self.values:
            y = value(y)
        return [np.array(y) if own and y is x else y]

    # Gradients -----------------------------------------------------------------------------------------------

    def prepare_gradients(self, every=False):
        """Fix which weights are trained: `trained` becomes their (layer, Variable) pairs, each once, in the order of `layers`.

        With `every`, gradients are those of all weights and of the inputs.
        """
        trained = {id(layer): [v for v in layer.variables if v.trainable] if every else layer.trainable_variables for layer in self.layers}
        pairs = once((layer, v) for layer in self.layers for v in trained[id(layer)])
        at, met = {id(v): n for n, (_, v) in enumerate(pairs)}, set()
        moving, plan = [every] * len(self.inputs) + [False] * (len(self.tensors) - len(self.inputs)), []     # whether a gradient of the tensor is wanted
        for layer, inputs, states, outputs, _, _, _, to in self.steps:
            before = any(moving[i] for i in inputs + states)
            own = trained[id(layer)]
            for i in outputs:
                moving[i] = before or bool(own)
            places = tuple(at.get(id(v)) if own else None for v in layer.variables)
            ended = tuple(n for n in places if n is not None and n not in met)      # gradients that are complete after this step: no earlier one adds to them
            met.update(ended)
            plan.append((layer, outputs, to, inputs + states, bool(states or layer.merges), before, bool(own), places, ended))
        self.plan, self.trained, self.touches = list(reversed(plan)), pairs, list({v.touch for _, v in pairs})
        self.penalized = [(n, v) for n, (_, v) in enumerate(pairs) if v.regularizer is not None]

    @property
    def arrays(self):
        """The live arrays of `trained`, not to be kept: while somebody has one, every call looks whether it was written."""
        found = [v._array.view() for _, v in self.trained]
        for touch in self.touches:
            touch()
        return found

    def gradients(self, tapes, dys, preactivation=(), samples=None, told=None):
        """Gradients of the trained weights, in the order of `trained`; None of one that no output depends on."""
        return self.backward(tapes, dys, preactivation, samples, told)[1]

    def backward(self, tapes, dys, preactivation=(), samples=None, told=None):
        """(gradients of the inputs, `gradients`): of inputs as far as `prepare_gradients` was asked for them.

        dys are those of the outputs, or None; where `preactivation` is true, of the input of the activation that makes the output. samples as in
        `run`. told(gradients, numbers of those that are complete) is called before the layers below are visited.
        """
        d = [None] * len(self.tensors)
        grads = [None] * len(self.trained)
        early, ended = set(), ()
        for n, (i, dy) in enumerate(zip(self.kept, dys, strict=True)):
            if dy is not None:
                d[i] = dy if d[i] is None else d[i] + dy
                if preactivation and preactivation[n]:
                    early.add(i)
        for tape, (layer, outputs, to, taken, several, before, own, places, next_ended) in zip(reversed(tapes), self.plan, strict=True):
            if told is not None:
                if ended:
                    told(grads, ended)
                ended = next_ended
            if layer.activity_regularizer is not None:
                tape, ys = tape
                for i, a in zip(outputs, ys, strict=True):
                    g = layer.activity_regularizer.gradient(a) / a.dtype.type(max(samples or len(a), 1))
                    d[i] = g if d[i] is None else d[i] + g
            if not (before or own):
                continue
            dy = tuple([d[i] for i in outputs]) if to is None else d[to]
            if dy is None or (to is None and all(a is None for a in dy)):
                continue
            dx, found = (layer.backward(tape, dy, need_dx=before, preactivation=True) if to in early
                         else layer.backward(tape, dy, need_dx=before))
            for n, g in zip(places, found, strict=True):
                if n is not None:
                    grads[n] = g if grads[n] is None else added(grads[n], g)
            for i, g in zip(taken, dx if several else (dx,), strict=True) if before else ():
                if g is not None:
                    d[i] = g if d[i] is None else d[i] + g
        return d[:len(self.inputs)], grads

    def recurrent_layers(self):
        """The layers that may keep states."""
        return [layer for layer in self.layers if isinstance(layer, AroundModule)]


def value_of(layer):
    """A layer's `_value`, None if it has none that belongs to its `forward`."""
    kind = next(kind for kind in type(layer).__mro__ if "_value" in vars(kind) or "forward" in vars(kind))
    return layer._value if "_value" in vars(kind) else None


def once(pairs):
    """(layer, Variable) pairs, without those of variables that were before: a layer and one around it have the same."""
    found = {}
    for layer, v in pairs:
        found.setdefault(id(v), (layer, v))
    return list(found.values())


def added(a, b):
    """The sum of two gradients of one weight."""
    if isinstance(a, Rows) and isinstance(b, Rows):
        return summed(np.concatenate((a.numbers, b.numbers)), np.concatenate((a.values, b.values)), a.shape)
    a, b = (g.dense() if isinstance(g, Rows) else g for g in (a, b))
    return a + b
