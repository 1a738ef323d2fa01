"""What torch's autograd sees: one function from x, initial state and weights to y and final state.

Arrays and tensors are two views of the same memory: inputs and incoming gradients are read where torch has them, results and gradients are
NumPy's memory that torch takes over.
"""

import torch
from torch import from_numpy

# Whether the backward in progress may be followed by another through the same graph. Where a version of torch does not say, it may.
keeps_graph = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True)


def structure(parts):
    """The memory of the parts of a state as `lstmc.nn` takes them: a pair, one, or None for none."""
    for part in parts:
        if part is not None:
            found = [None if p is None else p.numpy(force=True) for p in parts]
            return found if len(found) > 1 else found[0]
    return None


def run(engine, packing, x, state, train):
    """y, the parts of the final state, and a tape if `train`, of tensors that are known to fit but for their shapes."""
    y, final, tape = engine.run(x.numpy(force=True), structure(state), packing, train)
    return from_numpy(y), [from_numpy(s) for s in (final if isinstance(final, tuple) else (final,))], tape


class Sequence(torch.autograd.Function):
    """apply(engine, packing, parts, x, *state, *weights) -> (y, *state), `parts` being the number of tensors in state; the engine has the weights."""

    @staticmethod
    def forward(ctx, engine, packing, parts, x, *more):
        y, final, ctx.tape = run(engine, packing, x, more[:parts], True)
        ctx.engine, ctx.packing, ctx.parts, ctx.given = engine, packing, parts, (x, *more)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x)        # the tape reads its memory: torch watches that nobody writes to it
        return y, *final

    @staticmethod
    def backward(ctx, *gradients):
        return (backward_in_graph if torch.is_grad_enabled() else backward)(ctx, *gradients)


def apply(*arguments):
    """Function.apply without what it does first for transforms of torch.func, which a call has refused."""
    return super(torch.autograd.Function, Sequence).apply(*arguments)


def backward(ctx, dy, *dfinal):
    """The gradients of what `Sequence.apply` was given."""
    ctx.saved_tensors               # noqa: B018 (raises if x was written to, or the graph has been freed)
    (_, _, _, need_dx, *need), parts, keep = ctx.needs_input_grad, ctx.parts, keeps_graph()
    try:
        dy, dfinal = None if dy is None else dy.numpy(force=True), structure(dfinal)
    except RuntimeError as error:       # of tensors without memory
        raise RuntimeError("lstmc.torch: expected one gradient at a time, received a batch of them; use lstmc.torch.restore") from error
    dx, dstate, grads = ctx.engine.gradients(ctx.tape, ctx.packing, dy, dfinal, need_dx, need[:parts], need[parts:], keep)
    if not keep:
        ctx.tape = ctx.given = None
    found = [None if a is None else from_numpy(a) for a in (dx, *dstate, *grads)]
    return None, None, None, *found


def backward_in_graph(ctx, *gradients):
    """For a backward that records a graph of its own: its gradients have a node that raises when they are differentiated, by anything."""
    given = [t for t in (*ctx.given, *gradients) if t is not None]
    with torch.no_grad():
        found = backward(ctx, *gradients)
    there = [g for g in found if g is not None]
    once = iter(Once.apply(len(there), *there, *given))
    return tuple(None if g is None else next(once) for g in found)


class Once(torch.autograd.Function):
    """apply(n, *tensors) -> the first n, which depend on all, in a way that cannot be differentiated."""

    @staticmethod
    def forward(ctx, n, *tensors):
        return tensors[:n]

    @staticmethod
    def backward(ctx, *gradients):
        raise RuntimeError("lstmc.torch: expected no derivative of a gradient, for its layers cannot be differentiated twice; use lstmc.torch.restore")
