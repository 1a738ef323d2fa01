"""lstmc.torch: swapping modules and back, what is around a call (compiler, autocast, threads), errors.

Needs torch and is therefore collected only when named: python -m pytest tests/parity
"""

import copy
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import lstmc.torch
from conftest import assert_same_bits
from lstmc.torch import accelerate, calls, engine, restore
from torch_twins import parametrized, tagger

# What torch warns of inside of torch
pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN",
                                                           "ignore:.*torch.jit.script. is deprecated")]
ROOT = Path(__file__).parents[2]


# Swapping ----------------------------------------------------------------------------------------------------

def test_accelerate_and_restore():
    words, tags = torch.randint(0, 20, (5, 9)), torch.randint(0, 3, (5, 9))
    model, plain = tagger(), tagger()
    plain.load_state_dict(model.state_dict())
    found = []
    for m in (model, plain):
        adam = torch.optim.Adam(m.parameters(), 0.01)
        parameters, module, calls_of_hook = list(m.parameters()), m[1].lstm, []
        module.register_forward_hook(lambda *a, seen=calls_of_hook: seen.append(1))
        if m is model:
            swaps = accelerate(m)
            assert swaps == ({"1.lstm": lstmc.torch.LSTM}, {})
            assert str(swaps) == "1.lstm: now lstmc.torch.LSTM"
            assert m[1].lstm is module
            assert str(accelerate(m)) == "1.lstm: kept, it runs on lstmc already"
        assert all(a is b for a, b in zip(parameters, m.parameters(), strict=True))
        losses = []
        for _ in range(8):
            adam.zero_grad()
            loss = nn.functional.cross_entropy(m(words).flatten(0, 1), tags.flatten())
            loss.backward()
            adam.step()
            losses.append(loss.item())
        assert len(calls_of_hook) == 8
        found.append(losses)
    assert found[0][-1] < found[0][0]
    assert np.allclose(*found, rtol=1e-4)
    assert str(restore(model)) == "1.lstm: now torch.nn.LSTM"
    assert type(model[1].lstm) is nn.LSTM
    assert "_engines" not in vars(model[1].lstm)
    assert str(restore(model)) == "no recurrent modules to swap"
    assert np.allclose(model(words).detach(), plain(words).detach(), atol=1e-3)


def test_what_accelerate_keeps_and_why():
    class Mine(nn.LSTM):
        def forward(self, x):
            return super().forward(x)[0]

    replaced = nn.GRU(5, 7)
    replaced.forward = lambda x: x
    changed = nn.LSTM(5, 7)
    parametrized(changed)
    shared = nn.RNN(5, 7)
    model = nn.ModuleDict({
        "gru": nn.GRU(5, 7), "a": shared, "b": shared, "mine": Mine(5, 7), "short": nn.LSTM(5, 7).bfloat16(), "there": nn.LSTM(5, 7, device="meta"),
        "replaced": replaced, "changed": changed, "drops": nn.LSTM(5, 7, 2, dropout=1.0), "line": nn.Linear(5, 7), "rest": nn.LSTMCell(5, 7)})
    before = {name: type(m) for name, m in model.items()}
    swaps = accelerate(model)
    assert swaps.swapped == {"gru": lstmc.torch.GRU, "a": lstmc.torch.RNN}
    reasons = {"mine": "its class is Mine, a subclass", "short": r"weight_ih_l0 is torch\.bfloat16", "there": "weight_ih_l0 is .* on meta",
               "replaced": "its forward was replaced", "changed": "it is parametrized", "drops": r"dropout is 1\.0"}
    assert swaps.kept.keys() == reasons.keys()
    for name, reason in reasons.items():
        assert re.search(reason, swaps.kept[name])
    assert type(model["b"]) is lstmc.torch.RNN
    restore(model)
    assert {name: type(m) for name, m in model.items()} == before


def test_a_model_that_is_one_is_swapped_itself():
    model = nn.LSTM(5, 7)
    assert str(accelerate(model)) == "the model: now lstmc.torch.LSTM"
    assert type(model) is lstmc.torch.LSTM
    for call in (accelerate, restore):
        with pytest.raises(TypeError, match=r"model: expected a torch\.nn\.Module, received dict"):
            call({})

# Around a call -----------------------------------------------------------------------------------------------

@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize(("allowed", "parts"), [(False, 0), (True, 2)])
def test_compile_breaks_the_graph_once(allowed, parts):
    """torch takes no frame with one of its recurrent modules in it, unless told to; then it compiles what is before and after."""
    import torch._dynamo

    model, graphs = tagger(lstmc.torch.LSTM), []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    words = torch.randint(0, 20, (3, 6))
    want = model(words)
    torch._dynamo.reset()
    with torch._dynamo.config.patch(allow_rnn=allowed):
        compiled = torch.compile(model, backend=backend)
        for _ in range(2):
            got = compiled(words)
            assert_same_bits(got.detach().numpy(), want.detach().numpy())
    assert len(graphs) == parts
    got.sum().backward()
    assert model[1].lstm.weight_hh_l0.grad.any()


def test_what_torch_writes_down_is_its_own_layer():
    model, x = torch.nn.Sequential(torch.nn.LSTM(5, 7, 2, batch_first=True, bidirectional=True)).eval(), torch.randn(3, 4, 5)
    accelerate(model)
    want = model(x)[0]
    def exported(m, strict=False):
        return torch.export.export(m, (x,), strict=strict).module()

    for write in (lambda m: torch.jit.script(copy.deepcopy(m)), lambda m: torch.jit.trace(m, (x,)), exported, lambda m: exported(m, True),
                  lambda m: make_fx(m)(x)):
        with warnings.catch_warnings():         # torch's own
            warnings.simplefilter("ignore")
            again = write(model)
        for one in (x, x + 1):
            assert torch.allclose(again(one)[0], model(one)[0], rtol=0, atol=2e-5)
    assert type(model[0]) is lstmc.torch.LSTM
    assert torch.equal(model(x)[0], want)
    with FakeTensorMode(allow_non_fake_inputs=True):
        assert model(torch.empty(3, 4, 5))[0].shape == (3, 4, 14)


def test_scripts_of_subclasses():
    class Sized(lstmc.torch.GRU):
        def __init__(self, n):
            super().__init__(n, n)

    class Doubled(lstmc.torch.GRU):
        def forward(self, x, hx=None):
            return 2 * super().forward(x, hx)[0]

    module, x = nn.Sequential(Sized(5)), torch.randn(4, 3, 5)
    assert torch.allclose(torch.jit.script(module)(x)[0], module(x)[0], rtol=0, atol=2e-5)
    with pytest.raises(RuntimeError, match="return 2"):         # torch's error, not a layer that doubles nothing
        torch.jit.script(nn.Sequential(Doubled(5, 5)))


def test_a_symbolic_trace_has_the_layer_as_a_leaf():
    model, x = torch.nn.Sequential(lstmc.torch.LSTM(5, 7)), torch.randn(4, 3, 5)
    traced = torch.fx.symbolic_trace(model)
    assert [node.op for node in traced.graph.nodes] == ["placeholder", "call_module", "output"]
    assert torch.equal(traced(x)[0], model(x)[0])


def test_autocast_computes_in_the_precision_of_the_weights(monkeypatch):
    monkeypatch.setattr(calls, "_told", set())
    module, x = lstmc.torch.LSTM(5, 7), torch.randn(4, 3, 5)
    want = module(x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.warns(UserWarning, match="computes in torch.float32 under autocast") as told:
            y, _ = module(x)
        assert told[0].filename == __file__
        assert_same_bits(y.detach().numpy(), want.detach().numpy())
        half = nn.Linear(5, 5)(x)
        assert half.dtype is torch.bfloat16
        y, (h, _) = module(half, (torch.zeros(1, 3, 7, dtype=torch.bfloat16),) * 2)       # and does not say it again
        assert (y.dtype, h.dtype) == (torch.float32, torch.float32)
        y.sum().backward()


def test_one_thread_of_torch_is_one_thread():
    assert engine.threads() == 1
    torch.set_num_threads(2)
    assert engine.threads() is None

# Errors ------------------------------------------------------------------------------------------------------

X = torch.zeros(4, 3, 5)
H = torch.zeros(1, 3, 7)
def several(m, x):
    with torch.enable_grad():
        y = m(x)[0]
    torch.autograd.grad(y, x, torch.ones(2, *y.shape), is_grads_batched=True)


ERRORS = {
    "device": (lambda m: m(X.to("meta")), TypeError, r"input: expected torch\.float32 on the CPU, .* received torch\.float32 on meta"),
    "dtype": (lambda m: m(X.double()), TypeError, r"input: expected torch\.float32 on the CPU, .* received torch\.float64 on cpu"),
    "no tensor": (lambda m: m(X.numpy()), TypeError, "input: expected a tensor, received ndarray"),
    "features": (lambda m: m(X[..., :4]), ValueError, r"x: expected shape \(T, B, I\)"),
    "axes": (lambda m: m(X[0, 0]), ValueError, r"x: expected shape \(T, B, I\)"),
    "packed features": (lambda m: m(pack_padded_sequence(X[..., :4], [4, 2, 1])), ValueError, r"input: expected packed data of shape \(N, I\) with I = 5"),
    "packed axes": (lambda m: m(pack_padded_sequence(X[..., None], [4, 2, 1])), ValueError, r"input: expected packed data of shape \(N, I\)"),
    "batch sizes": (lambda m: m(PackedSequence(X[:, 0], torch.tensor([1, 3]))), ValueError, r"input: expected batch_sizes from the largest"),
    "sum of batch sizes": (lambda m: m(PackedSequence(X[:, 0], torch.tensor([3, 2]))), ValueError, r"input: expected batch_sizes .* that sum to N = 4"),
    "no pair": (lambda m: m(X, H), ValueError, r"hx: expected a pair \(h_0, c_0\), received a tensor"),
    "state": (lambda m: m(X, (H, H[:, :2])), ValueError, r"hx: c_0: expected shape \(L\*D, B, H\) = \(1, 3, 7\), received \(1, 2, 7\)"),
    "packed state": (lambda m: m(pack_padded_sequence(X, [2, 4, 1], enforce_sorted=False), (H[:, :2], H)), ValueError, r"hx: h_0: expected shape"),
    "large packed state": (lambda m: m(pack_padded_sequence(X, [2, 4, 1], enforce_sorted=False), (H, torch.zeros(1, 4, 7))), ValueError,
                           r"hx: c_0: expected shape"),
    "state dtype": (lambda m: m(X, (H, H.double())), TypeError, r"hx: c_0: expected torch\.float32"),
    "half weights": (lambda m: m.bfloat16()(X.bfloat16()), TypeError,
                     r"weight_ih_l0: expected torch\.float32 or torch\.float64 on the CPU, received torch\.bfloat16"),
    "weights elsewhere": (lambda m: m.to("meta")(X), TypeError, r"weight_ih_l0: expected torch\.float32 on the CPU, received torch\.float32 on meta"),
    "weights of another shape": (lambda m: setattr(m.weight_hh_l0, "data", H[0]) or m(X), ValueError,
                                 r"weight_hh_l0: expected shape \(28, 7\), received \(3, 7\)"),
    "weights of two types": (lambda m: setattr(m.weight_hh_l0, "data", m.weight_hh_l0.data.double()) or m(X), TypeError,
                             r"weight_hh_l0: expected torch\.float32 on the CPU, received torch\.float64"),
    "several gradients at once": (lambda m: several(m, X.clone().requires_grad_()), RuntimeError, "expected one gradient at a time"),
    "vmap": (lambda m: torch.func.vmap(m)(X[None]), TypeError, r"lstmc\.torch\.LSTM: expected a call outside of torch\.func's transforms"),
    "grad": (lambda m: torch.func.grad(lambda x: m(x)[0].sum())(X), TypeError, r"lstmc\.torch\.LSTM: expected a call outside of torch\.func's transforms"),
}


def dual(m):
    with torch.autograd.forward_ad.dual_level():
        m(torch.autograd.forward_ad.make_dual(X, X))


ERRORS["forward mode"] = dual, TypeError, r"lstmc\.torch\.LSTM: expected a call outside of .* forward-mode"


@pytest.mark.parametrize(("call", "kind", "text"), ERRORS.values(), ids=ERRORS)
def test_errors(call, kind, text):
    module = lstmc.torch.LSTM(5, 7)
    for grad in (True, False):
        with torch.set_grad_enabled(grad), pytest.raises(kind, match=text):
            call(copy.deepcopy(module))

# Files of the project ----------------------------------------------------------------------------------------

def test_the_stub_is_what_the_module_is():
    import make_stubs  # which imports all of the package

    (path, text), = [(path, text) for path, text in make_stubs.stubs().items() if path.parent.name == "torch"]
    assert path.read_text() == text


def test_the_readmes_example(capsys):
    block, = [b for b in re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S) if "lstmc.torch" in b]
    names = {"__name__": "readme"}
    exec(compile(block, "README.md", "exec"), names)
    assert capsys.readouterr().out == "lstm: now lstmc.torch.LSTM\n"
    assert type(names["tagger"].lstm) is torch.nn.LSTM
    assert all(p.grad is not None for p in names["tagger"].parameters())
