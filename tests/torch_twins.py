"""What the tests of lstmc.torch share: a module of it and one of torch.nn with the same weights, and what both compute, by name."""

import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

import lstmc.torch
from conftest import TOLERANCE, assert_close

KINDS = [("LSTM", {}), ("LSTM", {"proj_size": 3}), ("GRU", {}), ("RNN", {}), ("RNN", {"nonlinearity": "relu"})]


def pair(cell, *sizes, **more):
    """One of lstmc.torch's modules and torch's own, with the same weights."""
    ours, theirs = getattr(lstmc.torch, cell)(*sizes, **more), getattr(nn, cell)(*sizes, **more)
    assert ours.load_state_dict(theirs.state_dict()) == theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def states(module, batch, dtype=torch.float32):
    """A random initial state that wants its gradients."""
    LD, widths = module.num_layers * (1 + module.bidirectional), (module.proj_size or module.hidden_size, module.hidden_size)
    parts = [torch.randn(LD, *batch, width, dtype=dtype, requires_grad=True) for width in widths[: 1 + (module.mode == "LSTM")]]
    return tuple(parts) if len(parts) > 1 else parts[0]


def tensors(state):
    return state if isinstance(state, tuple) else (state,)


def arrays(tensors):
    """Tensors for the comparisons of arrays by name."""
    return {n: t.detach().numpy() for n, t in enumerate(tensors)}


def results(module, x, hx=None, how=lambda x: x, only=slice(None)):
    """y, state and all gradients of a weighted sum of them, by name, as arrays; `how` makes of x what the module gets."""
    leaves = [x] + ([] if hx is None else list(tensors(hx)))
    for t in [*leaves, *module.parameters()]:
        t.grad = None
    y, state = module(how(x), hx)
    if isinstance(y, PackedSequence):
        assert y.batch_sizes.equal(how(x).batch_sizes)
        y = pad_packed_sequence(y, module.batch_first)[0]
    found = [y, *tensors(state)]
    sum((t * torch.linspace(-1, 2, t.numel(), dtype=t.dtype).view(t.shape)).sum() for t in found[only]).backward()
    names = ["y", "h_n", "c_n"][: len(found)]
    gradients = {f"d{n}": t.grad for n, t in zip(("x", "h0", "c0"), leaves, strict=False)} | {f"d{n}": p.grad for n, p in module.named_parameters()}
    return {n: t.detach().numpy().copy() for n, t in (dict(zip(names, found, strict=True)) | gradients).items() if t is not None}


def assert_twins(ours, theirs, x, hx=None, how=lambda x: x, only=slice(None)):
    assert_close(results(ours, x, hx, how, only), results(theirs, x, hx, how, only), TOLERANCE[str(x.dtype)[6:]])


def parametrized(m):
    parametrizations.weight_norm(m, "weight_hh_l0")


class Tags(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.lstm, self.head = kind(8, 10, batch_first=True, bidirectional=True), nn.Linear(20, 3)

    def forward(self, x):
        return self.head(self.lstm(x.tanh())[0])


def tagger(kind=nn.LSTM):
    return nn.Sequential(nn.Embedding(20, 8), Tags(kind))
