"""Modules of `lstmc.nn` whose parameters are torch's: read where they lie, at every call.

Every call looks where each parameter is. Whatever was done to it, a new `.data`, a step of an optimizer, `.double()`, a copy, memory shared with
other processes, another tensor in its place as parametrizations have, is what the call finds. Packed weights are kept from call to call as
`lstmc.nn` keeps them, by the fingerprint of all values.
"""

import numpy as np
import torch

from lstmc import nn
from lstmc.kernels import core
from lstmc.nn.checks import shape_text
from lstmc.nn.passes import renew

DTYPES = {torch.float32: "float32", torch.float64: "float64"}
KEPT_ENGINES = 4        # of a module whose settings change between calls


class Borrowed:
    """Named arrays in memory of others, in place of `lstmc.nn.params.Parameters`; places: the address of each, None of one that is a copy."""

    def __init__(self, arrays, places=()):
        self.arrays, self.places = arrays, places

    def fingerprint(self):
        """A number that changes when any value changes."""
        value = 0
        for array in self.arrays.values():
            value = core.fingerprint(array, value)
        return value

    def like(self):
        """name -> array, uninitialised, each in memory of its own: gradients are kept, or not, one by one."""
        return {name: np.empty(array.shape, array.dtype) for name, array in self.arrays.items()}


class Engine:
    """What the engines have beyond the modules of `lstmc.nn` that they are."""

    def _create(self):
        self.step = 0
        self._packed = self._options = None
        self.shapes = dict(self._shapes())
        self._params = Borrowed({})

    def borrow(self, weights):
        """Read these tensors, in the order of `state_dict`, as parameters from now on. One that is not contiguous is copied."""
        places = [w.data_ptr() if w.is_contiguous() and w.shape == shape else None for w, shape in zip(weights, self.shapes.values(), strict=True)]
        if None not in places and places == self._params.places:
            return          # the same memory, in the same shapes: what it holds now is read at each call
        arrays = {}
        for (name, shape), w in zip(self.shapes.items(), weights, strict=True):
            array = w.numpy(force=True)
            if array.shape != shape:
                raise ValueError(f"{name}: expected shape {shape_text(shape)}, received {shape_text(array.shape)}")
            arrays[name] = array if array.flags.c_contiguous else np.ascontiguousarray(array)
        self._params = Borrowed(arrays, places)

    def _draw(self):
        """The random numbers of a call follow from torch's generator, whose state moves on only where something is dropped."""
        return (int(torch.empty((), dtype=torch.int64).random_()) if self.dropout else 0), 0

    def gradients(self, tape, dy, dstate, need_dx, threads, keep):
        """As `backward`; keep: the tape serves another one, which computes again what this one used up."""
        layers = list(tape.layers) if keep else []
        found = self.backward(tape, dy, dstate, need_dx=need_dx, threads=threads)
        if keep:
            tape.layers.extend(layers)
            renew(self, tape)
        return found


class LSTMEngine(Engine, nn.LSTM):
    """nn.LSTM on borrowed parameters."""


class GRUEngine(Engine, nn.GRU):
    """nn.GRU on borrowed parameters."""


class RNNEngine(Engine, nn.RNN):
    """nn.RNN on borrowed parameters."""


ENGINES = {"LSTM": (LSTMEngine, {}), "GRU": (GRUEngine, {}), "RNN_TANH": (RNNEngine, {"nonlinearity": "tanh"}),
           "RNN_RELU": (RNNEngine, {"nonlinearity": "relu"})}


def engine_of(module, dtype, batch_first):
    """The engine of a module as its attributes are at this call: torch lets them be set at any time."""
    dropout = module.dropout if module.training and module.num_layers > 1 else 0.0
    settings = (module.mode, dtype, batch_first, dropout, module.input_size, module.hidden_size, module.num_layers, module.bias, module.bidirectional,
                module.proj_size)
    engines = module.__dict__.setdefault("_engines", {})
    engine = engines.get(settings)
    if engine is None:
        kind, more = ENGINES[module.mode]
        if module.proj_size:
            more = more | {"proj_size": module.proj_size}
        engine = kind(module.input_size, module.hidden_size, module.num_layers, module.bias, batch_first, dropout, module.bidirectional, seed=0,
                      dtype=DTYPES[dtype], **more)
        if len(engines) >= KEPT_ENGINES:
            engines.clear()
        engines[settings] = engine
    return engine
