"""lstmc.torch against torch.nn, live: values and gradients over all options, memory and graphs, dropout.

Needs torch and is therefore collected only when named: python -m pytest tests/parity
"""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import lstmc.torch
from conftest import assert_close, assert_same_bits
from lstmc.torch.engine import Engine
from torch_twins import KINDS, arrays, assert_twins, pair, states, tensors

# What torch warns of inside of torch
pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN",
                                                           "ignore:.*torch.jit.script. is deprecated")]
every_kind = pytest.mark.parametrize(("cell", "more"), KINDS, ids=["LSTM", "LSTM-projected", "GRU", "RNN-tanh", "RNN-relu"])
LENGTHS = [3, 6, 1, 4]


# Values and gradients ----------------------------------------------------------------------------------------

# Some of all: every setting occurs with every other.
OPTIONS = list(itertools.product((1, 2), (True, False), (False, True), (False, True), ("padded", "packed", "sorted", "equal", "unbatched"), (False, True)))[::7]


@every_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_values_and_gradients(cell, more, dtype):
    for layers, bias, batch_first, both, form, with_state in OPTIONS:
        ours, theirs = pair(cell, 5, 7, layers, bias=bias, batch_first=batch_first, bidirectional=both, dtype=dtype, **more)
        batch = () if form == "unbatched" else (4,)
        shape = (6, 5) if form == "unbatched" else (4, 6, 5) if batch_first else (6, 4, 5)
        x = torch.randn(shape, dtype=dtype, requires_grad=True)
        lengths = {"packed": LENGTHS, "sorted": sorted(LENGTHS)[::-1], "equal": [6] * 4}.get(form)

        def how(x, lengths=lengths, form=form, batch_first=batch_first):
            return x if lengths is None else pack_padded_sequence(x, lengths, batch_first, enforce_sorted=form == "sorted")

        assert_twins(ours, theirs, x, states(ours, batch, dtype) if with_state else None, how)


@every_kind
def test_some_results_alone(cell, more):
    """Gradients of y alone, of one part of the state alone, of a stride-0 gradient, and from inputs with any strides."""
    ours, theirs = pair(cell, 5, 7, 2, bidirectional=True, **more)
    base = torch.randn(4, 10, 12)
    x = base[:, ::2, ::2][:, :, :5].transpose(0, 1).requires_grad_()
    hx = states(ours, (1,))
    wide = tuple(h.detach().expand(-1, 4, -1).requires_grad_() for h in tensors(hx))
    for part in range(1 + len(wide)):
        assert_twins(ours, theirs, x, wide if len(wide) > 1 else wide[0], only=slice(part, part + 1))
    dx = [torch.autograd.grad(m(x)[0].sum(), x)[0] for m in (ours, theirs)]
    assert_close(dx[0].numpy(), dx[1].numpy(), 2e-5)


@every_kind
def test_gradcheck(cell, more):
    if "proj_size" in more:
        more = {"proj_size": 1}
    module = getattr(lstmc.torch, cell)(1, 2, 2, bidirectional=True, dtype=torch.float64, dropout=0.3, **more)
    x, hx = torch.randn(3, 2, 1, dtype=torch.float64, requires_grad=True), states(module, (2,), torch.float64)
    packed = pack_padded_sequence(x, [2, 3], enforce_sorted=False)

    def call(x, *rest, packing=None):
        torch.manual_seed(1)            # the same masks at every call
        state, weights = rest[: len(tensors(hx))], dict(zip(dict(module.named_parameters()), rest[len(tensors(hx)):], strict=True))
        x = x if packing is None else PackedSequence(x, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
        y, state = torch.func.functional_call(module, weights, (x, state if len(state) > 1 else state[0]))
        return (y if packing is None else y.data, *tensors(state))

    for first, packing in ((x, None), (packed.data.detach().requires_grad_(), packed)):
        assert torch.autograd.gradcheck(lambda *a, packing=packing: call(*a, packing=packing), (first, *tensors(hx), *module.parameters()),
                                        fast_mode=packing is not None)


def test_empty_batches_and_one_step():
    for T, B in ((1, 1), (3, 0)):
        ours, theirs = pair("LSTM", 5, 7)
        x = torch.randn(T, B, 5, requires_grad=True)
        for a, b in zip(ours(x)[1], theirs(x)[1], strict=True):
            assert a.shape == b.shape
        ours(x)[0].sum().backward()
        assert x.grad.shape == x.shape
        assert not ours.weight_hh_l0.grad.any()

# Memory and the graph ----------------------------------------------------------------------------------------

@pytest.fixture
def passes(monkeypatch):
    """What engines were given and gave, by call."""
    seen = []
    run, gradients = Engine.run, Engine.gradients

    def spied_run(self, x, state, packing, train):
        found = run(self, x, state, packing, train)
        seen.append({"train": train, "in": [x], "params": self._params.arrays, "out": [found[0], *tensors(found[1])]})
        return found

    def spied_gradients(self, tape, packing, dy, dstate, need_dx, *more):
        found = gradients(self, tape, packing, dy, dstate, need_dx, *more)
        seen.append({"need_dx": need_dx, "in": [dy], "dx": found[0], "params": dict(zip(self._params.arrays, found[2], strict=True))})
        return found

    monkeypatch.setattr(Engine, "run", spied_run)
    monkeypatch.setattr(Engine, "gradients", spied_gradients)
    return seen


@pytest.mark.parametrize("batch_first", [False, True])
def test_nothing_is_copied(passes, batch_first):
    module = lstmc.torch.LSTM(5, 7, 2, batch_first=batch_first)
    x, dy = torch.randn(4, 6, 5, requires_grad=True), torch.randn(4, 6, 7)
    y, state = module(x)
    y.backward(dy)
    there, back = passes
    assert y.is_contiguous()
    for array, tensor in [(there["in"][0], x), *zip(there["out"], (y, *state), strict=True), (back["in"][0], dy), (back["dx"], x.grad)]:
        assert np.shares_memory(array, tensor.detach().numpy())
    for name, p in module.named_parameters():
        assert np.shares_memory(there["params"][name], p.detach().numpy())
        assert np.shares_memory(back["params"][name], p.grad.numpy())


def test_what_needs_no_gradient_gets_none(passes):
    module = lstmc.torch.GRU(5, 7)
    module.weight_hh_l0.requires_grad_(False)
    module(torch.randn(4, 2, 5))[0].sum().backward()
    assert passes[1]["need_dx"] is False
    assert [p.grad is None for p in module.parameters()] == [False, True, False, False]


def test_inference_keeps_no_tape(passes):
    module, x = lstmc.torch.LSTM(5, 7), torch.randn(4, 2, 5)
    want = module(x)[0]
    assert want.requires_grad
    with torch.no_grad():
        a = module(x)[0]
    with torch.inference_mode():
        b = module(x)[0]
        assert b.is_inference()
    c = module.requires_grad_(False)(x)[0]
    assert [p["train"] for p in passes] == [True, False, False, False]
    for y in (a, b, c):
        assert not y.requires_grad
        assert_same_bits(y.numpy(), want.detach().numpy())


def test_the_graph_can_be_kept():
    module, x = lstmc.torch.LSTM(5, 7, 2, bidirectional=True), torch.randn(4, 3, 5, requires_grad=True)
    loss = module(x)[0].square().sum()
    wanted = (x, *module.parameters())
    first, second = (torch.autograd.grad(loss, wanted, retain_graph=keep) for keep in (True, False))
    assert_same_bits(arrays(second), arrays(first))
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(loss, wanted)


def test_what_may_be_written_to_before_backward():
    module, x = lstmc.torch.LSTM(5, 7), torch.randn(4, 3, 5, requires_grad=True)
    want = torch.autograd.grad(module(x)[0].mul(2).sum(), x)[0]
    y, _ = module(x)
    y.mul_(2)                           # of no use to backward
    with torch.no_grad():
        module.weight_hh_l0.add_(1)     # was packed
    assert_same_bits(torch.autograd.grad(y.sum(), x)[0].numpy(), want.numpy())
    leaf = x.detach().clone()
    y, _ = module(leaf)
    leaf.add_(1)                        # is read again
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_second_derivatives_raise():
    module, x = lstmc.torch.LSTM(5, 7), torch.randn(4, 3, 5, requires_grad=True)
    weights = list(module.parameters())
    for what in (lambda y: y.square().sum(), torch.sum):        # of the latter no incoming gradient depends on anything
        for inputs in ([x], weights):
            for again in (torch.Tensor.backward, lambda penalty: torch.autograd.grad(penalty, x), lambda penalty: torch.autograd.grad(penalty, weights)):
                found = torch.autograd.grad(what(module(x)[0]), inputs, create_graph=True)
                with pytest.raises(RuntimeError, match="cannot be differentiated twice"):
                    again(sum(g.square().sum() for g in found))
    with pytest.raises(RuntimeError, match="cannot be differentiated twice"):
        torch.autograd.functional.hessian(lambda x: module(x)[0].sum(), x.detach())
    found = torch.autograd.grad(module(x)[0].sum(), [x, *weights], create_graph=True)
    assert all(torch.equal(a, b) for a, b in zip(found, torch.autograd.grad(module(x)[0].sum(), [x, *weights]), strict=True))


def test_checkpoints_of_torch():
    module, x = lstmc.torch.LSTM(5, 7, 2, dropout=0.5), torch.randn(4, 3, 5, requires_grad=True)
    found = []
    for how in ({}, {"use_reentrant": False}, {"use_reentrant": True}):
        torch.manual_seed(3)
        y = torch.utils.checkpoint.checkpoint(module, x, **how)[0] if how else module(x)[0]
        found.append(torch.autograd.grad(y.sum(), x) if how != {"use_reentrant": True} else (y.sum().backward(), x.grad)[1:])
    for dx in found[1:]:
        assert_same_bits(arrays(dx), arrays(found[0]))

# Dropout -----------------------------------------------------------------------------------------------------

def test_dropout():
    module, x = lstmc.torch.LSTM(5, 400, 2, dropout=0.5), torch.randn(2, 3, 5)
    torch.manual_seed(1)
    a, b = module(x)[0], module(x)[0]
    torch.manual_seed(1)
    with torch.no_grad():
        c = module(x)[0]                # training without a tape draws too
    assert_same_bits(c.numpy(), a.detach().numpy())
    assert not a.equal(b)
    module.eval()
    state = torch.get_rng_state()
    d = module(x)[0]
    d.sum().backward()
    assert torch.get_rng_state().equal(state)
    plain = nn.LSTM(5, 400, 2)
    plain.load_state_dict(module.state_dict())
    want = plain(x)[0].detach().numpy()
    assert_close(d.detach().numpy(), want, 2e-5)
    module.train().dropout = 0.0        # may be set, as in torch
    assert_close(module(x)[0].detach().numpy(), want, 2e-5)
