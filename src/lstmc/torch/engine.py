"""Modules of `lstmc.nn` whose parameters are torch's: read where they lie, at every call.

Every call looks where each parameter is. Whatever was done to it, a new `.data`, a step of an optimizer, `.double()`, a copy, memory shared with
other processes, another tensor in its place as parametrizations have, is what the call finds. Packed weights are kept from call to call as
`lstmc.nn` keeps them, by the fingerprint of all values. A guard, as torch.compile has it, sees any
change but of values and addresses: to ask each tensor from Python takes longer.
"""

from types import SimpleNamespace

import numpy as np
import torch
from torch.utils.dlpack import to_dlpack

from lstmc import nn
from lstmc.kernels import core
from lstmc.nn.checks import shape_text
from lstmc.nn.passes import backward_pass, forward_pass, renew

DTYPES = {torch.float32: "float32", torch.float64: "float64"}
address, Guard = torch.Tensor.data_ptr, getattr(torch._C._dynamo.guards, "TensorGuards", None)
KEPT_ENGINES = 4        # of a module whose settings change between calls


def threads():
    """One where torch was told to use one; else lstmc decides."""
    return 1 if torch.get_num_threads() == 1 else None


def memory(w):
    """A parameter's memory; after Tensor.numpy() nobody could resize its storage, as FSDP does."""
    w = w.detach().resolve_neg()
    return np.from_dlpack(SimpleNamespace(__dlpack__=lambda **_: to_dlpack(w), __dlpack_device__=lambda: (1, 0)))


class Borrowed:
    """Named arrays in memory of others, in place of `lstmc.nn.params.Parameters`; places: the address of each."""

    def __init__(self, arrays, places=(), guard=None):
        self.arrays, self.places, self.guard = arrays, places, guard
        self.values = list(arrays.values())

    def fingerprint(self, training=False):
        """A number that changes when any value changes."""
        value = 0
        for array in self.values:
            value = core.fingerprint(array, value)
        return value


class Engine:
    """What the engines have beyond the modules of `lstmc.nn` that they are."""

    def _create(self):
        self.step = 0
        self._packed = self._options = None
        self.shapes = list(self._shapes())
        self._params = Borrowed({})

    def __getstate__(self):
        return super().__getstate__() | {"_params": Borrowed({})}

    def borrow(self, weights):
        """Read these tensors, in the order of `state_dict`, as parameters from now on. One that is not contiguous is copied."""
        known = self._params
        if known.guard and known.guard.check(*weights) and list(map(address, weights)) == known.places:
            return              # the same memory: what it holds now is read
        arrays = {}
        for (name, shape), w in zip(self.shapes, weights, strict=True):
            if DTYPES.get(w.dtype) != self.dtype.name or not w.is_cpu:
                other = "" if weights[0].dtype in DTYPES else " or torch.float64"
                raise TypeError(f"{name}: expected torch.{self.dtype}{other} on the CPU, received {w.dtype} on {w.device}")
            array = memory(w)
            if array.shape != shape:
                raise ValueError(f"{name}: expected shape {shape_text(shape)}, received {shape_text(array.shape)}")
            arrays[name] = np.ascontiguousarray(array)
        guard = Guard(*weights, dynamic_dims_sizes=None, dynamic_dims_strides=None) if Guard else None
        self._params = Borrowed(arrays, [a.ctypes.data for a in arrays.values()], guard)

    def _draw(self):
        """The random numbers of a call follow from torch's generator, whose state moves on only where something is dropped."""
        return (int(torch.empty((), dtype=torch.int64).random_()) if self.dropout else 0), 0

    def run(self, x, state, packing, train):
        """y, the final state and the tape of a call on the arrays of a batch, padded or, with a packing, packed."""
        call = self._check(x, state, None, None) if packing is None else packing.call(self, x, state)
        y, final, tape, _ = forward_pass(self, call, train, threads())
        return y if packing is None else packing.outside(y), self._state_outside(final, call.batched), tape

    def gradients(self, tape, packing, dy, dstate, need_dx, need_state, need, keep):
        """Gradients of x, of the parts of the state and of the parameters, each None where it is not needed.

        keep: the tape serves another backward, which computes again what this one used up.
        """
        call, layers = tape.call, list(tape.layers) if keep else []
        dstate = self._check_state(dstate, "dstate", "d{}_n", call.schedule.sequences, call.batched, optional=True)
        if dy is not None:
            dy = self._check_dy(dy, call, tape.y_shape) if packing is None else packing.inside(dy)
        grads = {name: np.empty(shape, self.dtype) for (name, shape), wanted in zip(self.shapes, need, strict=True) if wanted}
        dx, dinitial = backward_pass(self, tape, dy, dstate, grads, need_dx, threads(), True in need_state)
        if keep:
            tape.layers.extend(layers)
            renew(self, tape)
        dinitial = None if dinitial is None else self._state_outside(dinitial, call.batched)
        dinitial = dinitial if isinstance(dinitial, tuple) else (dinitial,) * len(need_state)
        return (dx if packing is None else packing.outside(dx), [d if wanted else None for d, wanted in zip(dinitial, need_state, strict=False)],
                [grads.get(name) for name, _ in self.shapes])


class LSTMEngine(Engine, nn.LSTM):
    """nn.LSTM on borrowed parameters."""


class GRUEngine(Engine, nn.GRU):
    """nn.GRU on borrowed parameters."""


class RNNEngine(Engine, nn.RNN):
    """nn.RNN on borrowed parameters."""


ENGINES = {"LSTM": (LSTMEngine, {}), "GRU": (GRUEngine, {}), "RNN_TANH": (RNNEngine, {"nonlinearity": "tanh"}),
           "RNN_RELU": (RNNEngine, {"nonlinearity": "relu"})}


def engine_of(module, weights, batch_first):
    """The engine of a module with these weights, as its attributes are at this call: torch lets them be set at any time."""
    dropout = module.dropout if module.training and module.num_layers > 1 else 0.0
    settings = (module.mode, weights[0].dtype, batch_first, dropout, module.input_size, module.hidden_size, module.num_layers, module.bias,
                module.bidirectional, module.proj_size)
    engines = module.__dict__.setdefault("_engines", {})
    engine = engines.get(settings)
    if engine is None:
        kind, more = ENGINES[module.mode]
        if module.proj_size:
            more = more | {"proj_size": module.proj_size}
        engine = kind(module.input_size, module.hidden_size, module.num_layers, module.bias, batch_first, dropout, module.bidirectional, seed=0,
                      dtype=DTYPES.get(weights[0].dtype, "float32"), **more)
        if len(engines) >= KEPT_ENGINES:
            engines.clear()
        engines[settings] = engine
    engine.borrow(weights)
    return engine
