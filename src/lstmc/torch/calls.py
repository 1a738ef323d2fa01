"""From what a module was called with to a pass and back: what is accepted, whether gradients are wanted, in which order sequences are."""

import warnings

import torch
from torch.autograd import forward_ad
from torch.nn.utils.rnn import PackedSequence

from lstmc.torch.autograd import apply, run
from lstmc.torch.engine import engine_of
from lstmc.torch.packed import Packing, permuted

_told = set()       # what has been said once


def call(module, input, hx):
    """What `forward` of a module returns."""
    # torch.autograd.Function asks the first, too, and blames itself; the second would lose tangents where no gradient is wanted
    if torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        raise TypeError(f"{name_of(module)}: expected a call outside of torch.func's transforms (vmap, grad, jvp and so on) and of forward-mode "
                        "differentiation, which cannot follow compiled kernels; use autograd's backward, or lstmc.torch.restore")
    packed, own = input if isinstance(input, PackedSequence) else None, module._parameters
    # parametrizations put others than parameters under their names
    weights = [own[name] if name in own else getattr(module, name) for name in module._flat_weights_names]
    engine, dtype = engine_of(module, weights, module.batch_first and packed is None), weights[0].dtype
    x, packing, state = input if packed is None else packed.data, None, () if hx is None else state_of(module, hx)
    if torch.is_autocast_enabled("cpu"):
        x, state = out_of_autocast(x, state, dtype)
    check(x, "input", dtype)
    for part, s in zip(("hx: h_0", "hx: c_0"), state, strict=False):
        check(s, part, dtype)
    if packed is not None:
        packing = Packing(x, packed.batch_sizes)
        state = permuted(state, packed.sorted_indices, packing.rows)
    if torch.is_grad_enabled() and (x.requires_grad or True in [t.requires_grad for t in (*weights, *state)]):
        y, *final = apply(engine, packing, len(state), x, *state, *weights)
    else:
        y, final, _ = run(engine, packing, x, state, engine.dropout > 0)
    if packed is not None:
        final = permuted(final, packed.unsorted_indices, packing.rows)
        y = PackedSequence(y, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
    return y, (tuple(final) if len(final) > 1 else final[0])


def state_of(module, hx):
    """The parts of an initial state."""
    if module.mode != "LSTM":
        return (hx,)
    if not isinstance(hx, (tuple, list)) or len(hx) != 2:
        raise ValueError(f"hx: expected a pair (h_0, c_0), received {'a tensor' if isinstance(hx, torch.Tensor) else type(hx).__name__}")
    return tuple(hx)


def out_of_autocast(x, state, dtype):
    """x and state in the precision of the weights, in which autocast's is computed here too."""
    if "autocast" not in _told:
        _told.add("autocast")
        warnings.warn(f"lstmc.torch computes in {dtype} under autocast, and returns {dtype}", stacklevel=6)
    x, *state = [t.to(dtype) if isinstance(t, torch.Tensor) and t.is_floating_point() else t for t in (x, *state)]
    return x, state


def check(tensor, name, dtype):
    """Raise unless this is a tensor on the CPU with that dtype."""
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"{name}: expected a tensor, received {type(tensor).__name__}")
    if not tensor.is_cpu or tensor.dtype is not dtype:
        raise TypeError(f"{name}: expected {dtype} on the CPU, as the weights are, received {tensor.dtype} on {tensor.device}")


def name_of(module):
    return f"lstmc.torch.{type(module).__name__}"
