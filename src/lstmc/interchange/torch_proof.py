"""The proof of `lstmc.from_torch(..., verify=True)`: torch's own module and ours on the same inputs."""

import contextlib
import warnings

import numpy as np

from lstmc.interchange import verify
from lstmc.interchange.torch_weights import imported
from lstmc.interchange.verify import Spec


def prove(m, arrays, module=None):
    """Run torch and an `lstmc.nn` module m; print the table, raise ValueError where they differ; returns the Report.

    arrays: torch's weights by the names of m. module: the torch module that they came from, or None. One is made of the arrays if there is none, or
    one of lstmc.torch, or on another device, whose products may have fewer digits.
    """
    torch = imported("verify=True, which runs torch's own module")
    if module is None or any(c.__module__.startswith("lstmc.") for c in type(module).__mro__) or any(p.device.type != "cpu" for p in module.parameters()):
        from lstmc.interchange import to_torch

        module = to_torch.empty(m, torch)
        module.load_state_dict({name: torch.from_numpy(np.array(a)) for name, a in arrays.items()})
    cell = isinstance(module, torch.nn.RNNCellBase)
    LD = m.num_layers * m.num_directions
    specs = {"x": Spec(("B", "T", m.input_size) if m.batch_first else ("T", "B", m.input_size)), "h_0": Spec((LD, "B", m.output_size), optional=True)}
    if m.cell == "lstm":
        specs["c_0"] = Spec((LD, "B", m.hidden_size), optional=True)
    if not cell:
        specs["lengths"] = Spec(("B",), lengths=True)

    def ours(inputs):
        return named(*m(inputs["x"], state_of(inputs, lambda a: a), inputs.get("lengths")))

    def theirs(inputs):
        with quiet(module, torch):
            x, hx = torch.from_numpy(inputs["x"]), state_of(inputs, torch.from_numpy)
            y, state = by_cell(module, x, hx, m.batch_first, torch) if cell else by_layer(module, x, hx, inputs.get("lengths"), torch)
            return {name: a.numpy() for name, a in named(y, state).items()}

    kind = type(module).__mro__[-4].__name__     # before RNNBase or RNNCellBase, Module and object: that of torch, of a subclass too
    return verify.verify(theirs, ours, specs, m.dtype, what=f"torch.nn.{kind} against lstmc.nn.{type(m).__name__}")


def named(y, state):
    """Outputs by name."""
    return {"y": y, **dict(zip(("h_n", "c_n"), state if isinstance(state, tuple) else (state,), strict=False))}


def state_of(inputs, turned):
    """The initial state among the inputs, as both take it: a pair, one, or None."""
    parts = [turned(inputs[name]) for name in ("h_0", "c_0") if name in inputs]
    return None if not parts else parts[0] if len(parts) == 1 else tuple(parts)


@contextlib.contextmanager
def quiet(module, torch):
    """Inference without dropout, gradients and warnings of torch; the module is as it was afterwards."""
    training = {m: m.training for m in module.modules()}
    module.eval()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for m, was in training.items():
            m.training = was


def by_layer(module, x, hx, lengths, torch):
    """(y, state) of torch.nn.LSTM, GRU or RNN, with lengths as a PackedSequence."""
    if lengths is None:
        return module(x, hx)
    T = x.shape[1 if module.batch_first else 0]
    rnn = torch.nn.utils.rnn
    packed, state = module(rnn.pack_padded_sequence(x, torch.from_numpy(lengths), module.batch_first, enforce_sorted=False), hx)
    return rnn.pad_packed_sequence(packed, module.batch_first, total_length=T)[0], state


def by_cell(cell, x, hx, batch_first, torch):
    """(y, state) of a cell, step by step, as a layer gives them."""
    h = None if hx is None else tuple(a[0] for a in hx) if isinstance(hx, tuple) else hx[0]
    found = []
    for x_t in x.unbind(1 if batch_first else 0):
        h = cell(x_t, h)
        found.append(h[0] if isinstance(h, tuple) else h)
    return torch.stack(found, 1 if batch_first else 0), tuple(a[None] for a in h) if isinstance(h, tuple) else h[None]
