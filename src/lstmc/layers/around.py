"""What layers around one module of `lstmc.nn` share: weights in Keras' layout, states from Keras' lists and back, dropout, statefulness.

The module keeps PyTorch's layout: a Keras matrix is a transpose with its gates in another order. Where Keras has one bias it is bias_ih,
and bias_hh stays 0, as which a blank module begins; where it has two they are its rows.
"""

import copy
from typing import ClassVar

import numpy as np

from lstmc import received
from lstmc.layers.base import Layer, reshaping
from lstmc.layers.casts import as_floats, as_mask
from lstmc.layers.symbolic import apply, is_symbolic
from lstmc.layers.variable import Variable
from lstmc.nn import checks
from lstmc.nn.passes import forward_pass, last_of
from lstmc.whole import Reading, turns_of

MODEST = 2**30      # values, for which no size that follows from them overflows


class AroundModule(Layer):
    """Base of the layers around `self.module`: None until built, then `self.variables` are live in it.

    Subclasses name the `ways` of their module, prefix of a weight -> suffix of a parameter, and in `settings` the recurrent layer that
    describes one way. States are lists as in Keras: h (and c of an LSTM) of each way, (batch, units) each.
    """

    ways: ClassVar = {"": "_l0"}
    go_backwards = False
    module = None
    sources = ()            # of each of `variables` the name of the module's parameter, or those of two biases
    pairs = ()              # those of `sources` that are two
    states = None           # of a stateful layer, after its last call
    _state_parts = None      # how many parts of the state a call is to give
    _of_last_step = False    # whether all that comes out is made of the last h, and every batch begins with zeros

    @property
    def settings(self):
        """The layer whose units, activations, initializers and so on these are."""
        raise NotImplementedError

    @property
    def each_way(self):
        """For each way the layer whose initializers and regularizers it has."""
        return (self.settings,) * len(self.ways)

    outputs = 1     # beside the states

    def shown(self, y, h, mask, h0):
        """(output, or a tuple of `outputs`; what `shown_bwd` needs of it) from the module's y and final h, after steps of a mask from h0.

        y is None without `return_sequences`. Mask and h0 may be None.
        """
        raise NotImplementedError

    def shown_bwd(self, dout, mask, kept):
        """(dy, dh, dh0): the gradients of what `shown` was given, each None if it is 0, from `dout`, that of the output, and what `shown` `kept`.

        Of several outputs some gradients may be None.
        """
        raise NotImplementedError

    def __call__(self, x, mask=None, training=False, *, initial_state=None):
        """The output for a batch, (output, h) or (output, h, c) with return_state; builds the layer first if need be.

        Parameters
        ----------
        x : (B, T, features) array
        mask : (B, T) array of bool, optional
            False where a step is to be left out; any steps.
        training : bool
        initial_state : list of (B, units) arrays, optional
            As return_state gives them; zeros if None. With symbolic tensors, they are such, too, and may follow x in one list.
        """
        if is_symbolic(x):
            self.no_mask(mask)
            x, *states = x if isinstance(x, (list, tuple)) else [x]
            states = states if initial_state is None else initial_state if isinstance(initial_state, (list, tuple)) else [initial_state]
            return apply(self, x, states)
        x = self.cast(x)
        self.check_shape(x.shape)
        self.build((None, *x.shape[1:]))
        return self.forward(x, None if mask is None else as_mask(mask, x.shape), checks.flag(training, "training"), initial_state=initial_state)[0]

    # Weights -------------------------------------------------------------------------------------------------

    def create(self, input_shape):
        s = self.settings
        self.module = s.module_class._blank(input_shape[2], s.units, bias=s.use_bias, batch_first=True, bidirectional=len(self.ways) == 2,
                                            dtype=self.dtype, seed=self.seed, input_dropout=s.dropout, recurrent_dropout=s.recurrent_dropout,
                                            **s.module_settings())
        self._state_parts = s.parts if self.return_state or self.stateful else 1
        self._of_last_step = not (self.return_sequences or self.return_state or self.stateful or self.go_backwards)
        self.variables = self.live()

    def initialize(self, input_shape):
        s = self.settings
        sources = [(way.kernel_initializer, way.recurrent_initializer, way.bias_initializer) for way in self.each_way]
        n = len(self.variables) // len(self.ways)
        for i, v in enumerate(self.variables):
            v.set(self.draw(sources[i // n][i % n], v.shape, i // n * 3 + i % n))
            if i % n == 2 and self.each_way[i // n].unit_forget_bias:
                v.array[s.units:2 * s.units] = 1

    def live(self):
        """The variables, as the module's own views of its parameters."""
        params, cell = self.module._params, self.settings.cell
        names, pairs = {name: name for name in params.arrays}, {name: (name, name.replace("bias_ih", "bias_hh")) for name in params.pairs}
        self.sources = [one for suffix in self.ways.values() for one in self.by_keras(names, pairs, suffix).values()]
        self.pairs = [one for one in self.sources if type(one) is tuple]
        return [Variable(prefix + name, w, name != "bias", cell, regularizer=getattr(way, f"{name.removesuffix('_kernel')}_regularizer"), touch=params.touch)
                for (prefix, suffix), way in zip(self.ways.items(), self.each_way, strict=True)
                for name, w in self.by_keras(params.arrays, params.pairs, suffix).items()]

    def by_keras(self, arrays, pairs, suffix):
        """Keras' name -> array of one way, from `arrays` by the module's names and `pairs` of biases by that of the first."""
        found = {"kernel": arrays[f"weight_ih{suffix}"], "recurrent_kernel": arrays[f"weight_hh{suffix}"]}
        if self.settings.use_bias:
            found["bias"] = (pairs if self.settings.two_biases else arrays)[f"bias_ih{suffix}"]
        return found

    def gradient_arrays(self):
        """Arrays for the gradients of `variables`, uninitialised, and their parts by the names of the module's parameters."""
        found = [np.empty_like(v._array) for v in self.variables]
        parts = dict(zip(self.sources, found, strict=True))
        for two in self.pairs:
            parts.update(zip(two, parts.pop(two), strict=True))
        return found, parts

    def check_complete(self):
        for name, array in self.module.named_parameters():
            if name.startswith("bias_hh") and not self.settings.two_biases and array.any():
                raise ValueError(f"{self.name}: expected {name} of its module to be 0, since Keras has one bias, received other values; "
                                 "add them to bias_ih")

    def __getstate__(self):
        """For copy and pickle: a copy's variables must be those of its own module, not copies of these."""
        return {**self.__dict__, "variables": []}

    def __setstate__(self, state):
        super().__setstate__(state)
        if self.module is not None:
            self.variables = self.live()

    def check_shape(self, shape):
        features = None if self.module is None else self.module.input_size
        if len(shape) != 3 or shape[2] is None or (features is not None and shape[2] != features):
            hint = reshaping(shape, None, features) + "; a recurrent layer before this one needs return_sequences=True" if len(shape) == 2 else ""
            raise self.wrong_shape(f"(batch, time, {features or 'features'})", shape, hint)

    def check_states(self, shapes):
        """Raise ValueError if initial states of these shapes do not fit."""
        n, units = len(self.ways) * self.settings.parts, self.settings.units
        if len(shapes) != n or any(len(s) != 2 or s[1] != units for s in shapes):
            raise ValueError(f"initial_state: expected a list of {n} states of shape (batch, {units}) for {self.name}, received "
                             f"{', '.join(map(checks.shape_text, shapes))}")

    # Running -------------------------------------------------------------------------------------------------

    def forward(self, x, mask=None, training=False, step=0, initial_state=None):
        """As `Layer.forward`, from `initial_state`; with return_state y is `(output, *states)`, and there is a mask for each."""
        given = self.states if initial_state is None and self.stateful else initial_state
        hx = None if given is None else self.inward(given, len(x), "states" if initial_state is None else "initial_state")
        steps = mask
        if self.go_backwards:
            x, steps = x[:, ::-1], None if mask is None else mask[:, ::-1]
        m = self.module
        if training and (m.input_dropout or m.recurrent_dropout):
            m = copy.copy(m)        # the same parameters, but a step of its own, which another thread leaves alone
            m.step = step
        call = m._check(x, None, None, steps)
        if hx is not None:
            call = call._replace(state=tuple(map(checks.unit_stride, hx)))
        y, state, tape, _ = forward_pass(m, call, training, None, shown=self.return_sequences, parts=self._state_parts)
        out, kept = self.shown(y, state[0], steps, None if hx is None else hx[0])
        tape = (m, tape, steps, kept, initial_state is not None) if training else None
        if self.stateful:
            self.states = [a.copy() for a in self.outward(state)]
        if not self.return_sequences:
            mask = None
        if self.outputs > 1:
            mask = (mask,) * self.outputs
        if self.return_state:
            states = self.outward(state)
            one = self.outputs == 1
            out, mask = (*((out,) if one else out), *states), (*((mask,) if one else mask), *(None,) * len(states))
        return out, mask, tape

    def _value(self, x):
        """What `forward` makes of an array in inference."""
        if not self._of_last_step or x.size >= MODEST:
            return self.forward(x)[0]
        return self.shown(None, last_of(self.module, x), None, None)[0]

    def backward(self, tape, dy, need_dx=True):
        """As `Layer.backward`; with return_state dy is `(d output, *d states)`, each may be None. If there was an initial state, dx is `(dx, *of it)`."""
        m, inner, steps, kept, given = tape
        dout, dstates = dy, ()
        if self.return_state:
            dout, dstates = dy[0] if self.outputs == 1 else dy[:self.outputs], dy[self.outputs:]
        nothing = dout is None if self.outputs == 1 else all(d is None for d in dout)
        dy, dh, dh0 = (None, None, None) if nothing else self.shown_bwd(dout, steps, kept)
        dstate = None if dh is None else (dh,)
        if self.return_state:
            dstate = self.together(dh, dstates)
            dstate = None if all(d is None for d in dstate) else dstate
        if dy is None and dstate is None:       # nothing depends on any output
            dstate = tuple(map(np.zeros_like, m._new_state(inner.y_shape[1])))
        grads, params = self.gradient_arrays()
        dx, dhx = m._backward(inner, dy, dstate, params, need_dx, given)
        if self.go_backwards and need_dx:
            dx = dx[:, ::-1]
        if given:
            dx = (dx, *self.outward(dhx if dh0 is None else (dhx[0] + dh0, *dhx[1:])))
        return dx, grads

    def together(self, dh, dstates):
        """The module's dstate, a tuple of parts that may be None, from that of the h that the output shows, dh, and those of the states, dstates."""
        D, parts, found = len(self.ways), self.settings.parts, []
        for p in range(parts):
            of = [dstates[d * parts + p] for d in range(D)]
            some = next((a for a in of if a is not None), None)
            part = None if some is None else np.stack([np.zeros_like(some) if a is None else a for a in of])
            if p == 0 and dh is not None:
                part = dh if part is None else part + dh
            found.append(part)
        return tuple(found)

    def inward(self, states, B, name):
        """Keras' list as the module's tuple of (ways, B, units)."""
        D, parts = len(self.ways), self.settings.parts
        if isinstance(states, np.ndarray) and D * parts == 1:
            states = [states]
        if not isinstance(states, (list, tuple)) or len(states) != D * parts:
            raise ValueError(f"{name}: expected a list of the {D * parts} states of {self.name}, received {received.length(states)}")
        shape, found = (B, self.settings.units), []
        for n, s in enumerate(states):
            s = as_floats(s, self.dtype, f"{name}[{n}]")
            if s.shape != shape:
                hint = "; call reset_states() before a batch of another size, and let batch_size divide the number of samples" if name == "states" else ""
                raise ValueError(f"{self.name}: {name}[{n}]: expected shape (batch, units) = {checks.shape_text(shape)}, "
                                 f"received {checks.shape_text(s.shape)}{hint}")
            found.append(s)
        return tuple(np.stack(found[p::parts]) for p in range(parts))

    def outward(self, state):
        """The module's state as Keras' list."""
        return [part[d] for d in range(len(self.ways)) for part in state]

    def reset_states(self):
        """Let a stateful layer begin with zeros again, at its next call, whose batch may have another size."""
        with Reading(turns_of(self)):       # not in the middle of another thread's step, which would write states afterwards
            self.states = None

    reset_state = reset_states
