"""Modules of `lstmc.nn` as torch.nn.LSTM, GRU and RNN with the same weights; what torch has not is refused by the name of the setting."""

import numpy as np

from lstmc.interchange.torch_weights import imported

CLASSES = {"lstm": "LSTM", "gru": "GRU", "gru_before": "GRU", "rnn": "RNN"}


def module(m, carried=()):
    """The torch module of an `lstmc.nn` module, in eval mode; settings in `carried` are the caller's matter."""
    torch = imported("to_torch")
    made = empty(m, torch, carried)
    made.load_state_dict({name: torch.from_numpy(np.array(a)) for name, a in m.named_parameters()})
    return made.eval()


def empty(m, torch, carried=()):
    """The same without values, so that torch's random numbers are not touched."""
    check(m, carried)
    more = {"proj_size": m.proj_size} if m.proj_size else {"nonlinearity": m.nonlinearity} if m.cell == "rnn" else {}
    made = getattr(torch.nn, CLASSES[m.cell])(m.input_size, m.hidden_size, m.num_layers, bias=m.bias, batch_first=m.batch_first,
                                              dropout=m.dropout if m.num_layers > 1 else 0.0, bidirectional=m.bidirectional, device="meta",
                                              dtype=getattr(torch, str(m.dtype)), **more)
    return made.to_empty(device="cpu")


def check(m, carried=()):
    """Raise ValueError if a setting of m is one that torch's module has not."""
    for name, default in m._settings().items():
        value = getattr(m, name)
        if name in carried or name == "proj_size" or (name == "nonlinearity" and value in ("tanh", "relu")):
            continue
        if value != default:
            raise ValueError(f"{name}: expected {default!r}, all that torch.nn.{CLASSES[m.cell]} has, received {value!r}")
