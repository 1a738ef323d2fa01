"""What torch's autograd sees: one function from x, initial state and weights to y and final state.

Arrays and tensors are two views of the same memory: inputs and incoming gradients are read where torch has them, results and gradients are
NumPy's memory that torch takes over.
"""

import torch
from torch.autograd.function import once_differentiable

# Whether the backward in progress may be followed by another through the same graph. Where a version of torch does not say, it may.
keeps_graph = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True)


def threads():
    """One thread where torch was told to use one; else lstmc decides, by its own number and the work."""
    return 1 if torch.get_num_threads() == 1 else None


def array(tensor):
    """A tensor's memory."""
    return None if tensor is None else tensor.numpy(force=True)


def structure(parts):
    """The parts of a state as `lstmc.nn` takes them: a pair, one, or None for none."""
    return None if not parts or all(p is None for p in parts) else parts if len(parts) > 1 else parts[0]


def run(engine, packing, x, state, weights, train):
    """y, the parts of the final state, and a tape if `train`, of tensors that are known to fit but for their shapes."""
    engine.borrow(weights)
    lengths = None
    if packing is not None:
        x = packing.pad(x)
        lengths = packing.lengths if packing.lengths is None else packing.lengths.numpy()
    y, final, tape = engine.forward(array(x), structure([array(s) for s in state]), lengths, train, threads=threads())
    y = torch.from_numpy(y)
    if packing is not None:
        y = packing.pack(y)
    return y, [torch.from_numpy(s) for s in (final if isinstance(final, tuple) else (final,))], tape


class Sequence(torch.autograd.Function):
    """apply(engine, packing, parts, x, *state, *weights) -> (y, *state), `parts` being the number of tensors in state."""

    @staticmethod
    def forward(ctx, engine, packing, parts, x, *more):
        y, final, ctx.tape = run(engine, packing, x, more[:parts], more[parts:], True)
        ctx.engine, ctx.packing, ctx.parts = engine, packing, parts
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x)        # the tape reads its memory: torch watches that nobody writes to it
        return y, *final

    @staticmethod
    def backward(ctx, *gradients):
        return (backward_once if torch.is_grad_enabled() else backward)(ctx, *gradients)


def backward(ctx, dy, *dfinal):
    """The gradients of what `Sequence.apply` was given."""
    ctx.saved_tensors               # noqa: B018 (raises if x was written to, or the graph has been freed)
    need, parts, packing, keep = ctx.needs_input_grad, ctx.parts, ctx.packing, keeps_graph()
    if dy is not None and packing is not None:
        dy = packing.pad(dy)
    g = ctx.engine.gradients(ctx.tape, array(dy), structure([array(d) for d in dfinal]), need[3], threads(), keep)
    if not keep:
        ctx.tape = None
    dx = None
    if need[3]:
        dx = torch.from_numpy(g.x)
        if packing is not None:
            dx = packing.pack(dx)
    dstate = (g.hx if isinstance(g.hx, tuple) else (g.hx,))[:parts]
    found = [torch.from_numpy(d) if wanted else None for d, wanted in zip((*dstate, *g.params.values()), need[4:], strict=True)]
    return None, None, None, dx, *found


# For a backward that records a graph of its own: its gradients have a node that raises when they are differentiated.
backward_once = once_differentiable(backward)
