"""lstmc.torch against torch.nn, live: what torch does to modules and to their parameters: copies, changes, training, processes.

Needs torch and is therefore collected only when named: python -m pytest tests/parity
"""

import copy
import io
import pickle
import threading
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, parametrize, prune

import lstmc.torch
from conftest import assert_close, assert_same_bits
from lstmc.torch import engine
from torch_twins import KINDS, arrays, assert_twins, pair, parametrized, results

# What torch warns of inside of torch
pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN",
                                                           "ignore:.*torch.jit.script. is deprecated")]


def test_modules_are_torchs():
    for cell, more in KINDS:
        ours, theirs = pair(cell, 5, 7, 2, **more)
        assert isinstance(ours, type(theirs))
        assert repr(ours) == repr(theirs)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        assert {name: getattr(ours, name) for name in theirs.__constants__} == {name: getattr(theirs, name) for name in theirs.__constants__}
        assert [len(some) for some in ours.all_weights] == [len(some) for some in theirs.all_weights]
        ours.flatten_parameters()
        torch.manual_seed(5)
        a = getattr(lstmc.torch, cell)(5, 7, 2, **more)
        torch.manual_seed(5)
        assert_same_bits(arrays(a.parameters()), arrays(getattr(nn, cell)(5, 7, 2, **more).parameters()))
    assert lstmc.torch.RNN(5, 7, 1, "relu").mode == "RNN_RELU"


def saved(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), saved], ids=["copy", "deepcopy", "pickle", "save"])
def test_copies(way):
    module, x = lstmc.torch.GRU(5, 7, 2, bidirectional=True, dropout=0.2).eval(), torch.randn(4, 3, 5)
    want = module(x)[0].detach().numpy()
    other = way(module)
    assert type(other) is lstmc.torch.GRU
    assert_same_bits(other(x)[0].detach().numpy(), want)
    with torch.no_grad():
        other.weight_ih_l0.add_(1)
    shared = way is copy.copy
    assert module(x)[0].equal(other(x)[0]) == shared
    assert np.array_equal(module(x)[0].detach().numpy(), want) != shared


def test_a_copy_of_what_is_parametrized_and_was_called():
    module, x = lstmc.torch.LSTM(5, 7), torch.randn(4, 3, 5)
    nn.utils.parametrizations.weight_norm(module, "weight_hh_l0")
    assert_same_bits(module(x)[0].detach().numpy(), copy.deepcopy(module)(x)[0].detach().numpy())


def test_storage_of_parameters_may_still_be_resized():
    """As fully_shard does; Tensor.numpy() would forbid it."""
    module = lstmc.torch.LSTM(5, 7)
    module(torch.randn(4, 3, 5))[0].sum().backward()
    assert all(p.untyped_storage().resizable() for p in module.parameters())


def test_state_dicts_in_files(tmp_path):
    ours, theirs = pair("LSTM", 5, 7)
    torch.save(ours.state_dict(), tmp_path / "ours.pt")
    other = nn.LSTM(5, 7)
    other.load_state_dict(torch.load(tmp_path / "ours.pt", weights_only=True))
    assert_same_bits(arrays(other.parameters()), arrays(theirs.parameters()))


def new_data(m):
    m.weight_hh_l0.data = m.weight_hh_l0.data * 2


def same_address(m):
    w = m.weight_hh_l0
    w.data = w.data.view(w.shape[::-1]).t()


def through_numpy(m):
    m.bias_hh_l0.detach().numpy()[:] += 0.5


def another_parameter(m):
    m.weight_hh_l1 = nn.Parameter(m.weight_hh_l0.detach() + 1)


def tied(m):
    m.weight_hh_l1 = m.weight_hh_l0


def loaded(m):
    m.load_state_dict({name: w + 0.1 for name, w in m.state_dict().items()})


def assigned(m):
    m.load_state_dict({name: w + 0.1 for name, w in m.state_dict().items()}, assign=True)


def shared(m):
    m.share_memory()


def one_buffer(m):
    flat = torch.cat([p.detach().flatten() for p in m.parameters()])
    at = 0
    for p in m.parameters():
        p.data = flat[at:at + p.numel()].view(p.shape)
        at += p.numel()


def normed(m):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        nn.utils.weight_norm(m, "weight_hh_l0")


def negated(m):
    m.weight_hh_l0.data = torch._neg_view(m.weight_hh_l0.data)      # of the same address and layout


def pruned(m):
    prune.l1_unstructured(m, "weight_ih_l0", 0.5)


UNCHANGED = (shared, one_buffer, normed, parametrized)      # the same values elsewhere


@pytest.mark.parametrize("change", [*UNCHANGED, new_data, same_address, through_numpy, another_parameter, tied, loaded, assigned, pruned, negated,
                                    nn.Module.double], ids=lambda f: f.__name__)
def test_changes_of_parameters_are_noticed(change):
    for cell in ("LSTM", "GRU"):
        ours, theirs = pair(cell, 5, 7, 2)
        x = torch.randn(4, 3, 5, requires_grad=True)
        before = results(ours, x)["y"]
        for m in (ours, theirs):
            change(m)
        x = x.detach().to(ours.weight_ih_l1.dtype).requires_grad_()
        assert_twins(ours, theirs, x)
        assert change in UNCHANGED or not np.array_equal(results(ours, x)["y"], before)


def test_a_torch_without_its_guard(monkeypatch):
    monkeypatch.setattr(engine, "Guard", None)
    ours, theirs = pair("LSTM", 5, 7)
    for change in (lambda m: m, new_data):
        for m in (ours, theirs):
            change(m)
        assert_twins(ours, theirs, torch.randn(4, 3, 5, requires_grad=True))


def test_a_parametrization_is_removed_again():
    ours, theirs = pair("LSTM", 5, 7, 2)
    x = torch.randn(4, 3, 5, requires_grad=True)
    for m in (ours, theirs):
        parametrized(m)
        parametrize.remove_parametrizations(m, "weight_hh_l0")
    assert type(ours) is lstmc.torch.LSTM
    assert_twins(ours, theirs, x)


def test_settings_may_be_set_as_in_torch():
    ours, theirs = pair("LSTM", 5, 7, 2)
    x = torch.randn(4, 3, 5, requires_grad=True)
    for value in (True, False):
        for m in (ours, theirs):
            m.batch_first = value
        assert_twins(ours, theirs, x)


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.SGD, torch.optim.RMSprop, torch.optim.LBFGS], ids=lambda o: o.__name__)
def test_training(optimizer):
    x, target = torch.randn(6, 4, 5), torch.randn(6, 4, 7)
    found = []
    for m in pair("LSTM", 5, 7, 2, bidirectional=True, dtype=torch.float64, proj_size=0):
        head = nn.Linear(14, 7, dtype=torch.float64)
        with torch.no_grad():
            for p in head.parameters():
                p.fill_(0.1)
        model = nn.ModuleList([m, head])
        step = optimizer(model.parameters(), lr=0.01)

        def closure(model=model, step=step):
            step.zero_grad()
            loss = nn.functional.mse_loss(model[1](model[0](x.double())[0]), target.double())
            loss.backward()
            clip_grad_norm_(model.parameters(), 0.5)
            return loss

        found.append([step.step(closure).item() for _ in range(6)])
    assert found[0][-1] < found[0][0]
    assert np.allclose(*found, rtol=1e-9)


def test_gradients_add_up():
    ours, theirs = pair("GRU", 5, 7)
    for m in (ours, theirs):
        for n in range(3):
            torch.manual_seed(n)
            m(torch.randn(4, 3, 5))[0].sum().backward()
    assert_close({n: p.grad.numpy() for n, p in ours.named_parameters()}, {n: p.grad.numpy() for n, p in theirs.named_parameters()}, 2e-5)


def test_a_module_called_twice_in_one_graph():
    ours, theirs = pair("LSTM", 5, 5)
    x = torch.randn(4, 3, 5, requires_grad=True)
    found = []
    for m in (ours, theirs):
        y, state = m(x)
        m.zero_grad()
        x.grad = None
        m(y, state)[0].square().sum().backward()
        found.append({"x": x.grad.numpy().copy()} | {n: p.grad.numpy() for n, p in m.named_parameters()})
    assert_close(*found, 2e-5)


def test_threads_train_one_module():
    module, found = lstmc.torch.GRU(8, 16, 2), {}
    xs = [torch.randn(20, 3, 8) for _ in range(4)]

    def train(n):
        for _ in range(10):
            found[n] = torch.autograd.grad(module(xs[n])[0].sum(), list(module.parameters()))

    threads = [threading.Thread(target=train, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    together = dict(found)
    for n in range(4):
        train(n)
        assert_same_bits(arrays(together[n]), arrays(found[n]))


def test_distributed_data_parallel():
    module, x = lstmc.torch.LSTM(5, 7), torch.randn(4, 3, 5)
    want = torch.autograd.grad(module(x)[0].sum(), list(module.parameters()))
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        nn.parallel.DistributedDataParallel(module)(x)[0].sum().backward()
    finally:
        torch.distributed.destroy_process_group()
    for p, g in zip(module.parameters(), want, strict=True):
        assert_same_bits(p.grad.numpy(), g.numpy())
    with pytest.raises(RuntimeError, match=r"lstmc\.torch\.LSTM: .* torch\.nn\.DataParallel.* use torch\.nn\.parallel\.DistributedDataParallel"):
        module._replicate_for_data_parallel()
