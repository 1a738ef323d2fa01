"""`lstmc.from_torch` and `to_torch` with live torch: modules, state_dicts, .pt files, good and bad, and torch's own results.

Needs torch and is therefore collected only when named: python -m pytest tests/parity
"""

import io
import os
import pickle
import resource
import runpy
import warnings
import zipfile
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.nn.utils import parametrizations, prune

import lstmc

KINDS = [(torch.nn.LSTM, {}), (torch.nn.LSTM, {"proj_size": 3}), (torch.nn.GRU, {}), (torch.nn.RNN, {}), (torch.nn.RNN, {"nonlinearity": "relu"})]
DTYPES = (torch.float32, torch.float64)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_modules_go_in_and_come_out(capsys):
    for (kind, more), L, bidirectional, bias, batch_first, dtype in product(KINDS, (1, 2), (False, True), (False, True), (False, True), DTYPES):
        theirs = kind(3, 7, L, bias=bias, bidirectional=bidirectional, batch_first=batch_first, dropout=0.25 * (L > 1), dtype=dtype, **more)
        ours = lstmc.from_torch(theirs, verify=L == 2 and batch_first == bias)
        assert theirs.training
        assert (ours.dropout, ours.batch_first, str(ours.dtype)) == (theirs.dropout, batch_first, str(dtype).removeprefix("torch."))
        back = ours.to_torch()
        assert str(back) == str(theirs)
        assert type(back) is kind
        assert not back.training
        for name, a in theirs.state_dict().items():
            assert torch.equal(a, back.state_dict()[name])
            assert a.data_ptr() != back.state_dict()[name].data_ptr()
        again = lstmc.from_torch(theirs.state_dict(), batch_first=batch_first, nonlinearity=more.get("nonlinearity"))
        assert all(np.array_equal(a, again.state_dict()[name]) for name, a in ours.state_dict().items())
    text = capsys.readouterr().out
    assert "torch.nn.LSTM against lstmc.nn.LSTM: 30 cases in float64, no difference is larger than rounding" in text
    assert text.count("no difference is larger") == 5 * 2 * 2 * 2


@pytest.mark.parametrize("kind", [torch.nn.LSTMCell, torch.nn.GRUCell, torch.nn.RNNCell])
def test_cells(kind, capsys):
    for bias, dtype in product((False, True), DTYPES):
        m = lstmc.from_torch(kind(3, 7, bias=bias, dtype=dtype), verify=True)
        assert repr(m).startswith(f"{kind.__name__.removesuffix('Cell')}(3, 7")
    assert "20 cases" in capsys.readouterr().out
    assert lstmc.from_torch(torch.nn.RNNCell(3, 7, nonlinearity="relu"), verify=True).nonlinearity == "relu"


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(9, 3)
        self.parts = torch.nn.ModuleDict({"rnn": torch.nn.LSTM(3, 5, 2, dropout=0.3, batch_first=True), "rnn2": torch.nn.GRU(5, 5)})


def test_a_module_in_a_model(tmp_path):
    model = Model()
    for prefix in ("parts.rnn", "parts.rnn."):
        assert repr(lstmc.from_torch(model, prefix=prefix)) == "LSTM(3, 5, num_layers=2, batch_first=True, dropout=0.3)"
    with pytest.raises(ValueError, match=r"prefix: expected one of 'parts\.rnn\.', 'parts\.rnn2\.', since there are 2 recurrent layers, received None"):
        lstmc.from_torch(model)
    assert repr(lstmc.from_torch(torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.GRU(3, 4)))) == "GRU(3, 4)"
    with pytest.raises(TypeError, match=r"obj: expected a torch.nn.LSTM, GRU, RNN or a model with one, received Linear"):
        lstmc.from_torch(torch.nn.Linear(3, 3))
    torch.save({"epoch": 3, "model": model.state_dict(), "optimizer": torch.optim.Adam(model.parameters()).state_dict()}, tmp_path / "m.pt")
    assert repr(lstmc.from_torch(tmp_path / "m.pt", prefix="model.parts.rnn2")) == "GRU(5, 5)"
    safetensors.torch.save_file(model.state_dict(), tmp_path / "m.safetensors")
    assert repr(lstmc.from_torch(tmp_path / "m.safetensors", prefix="parts.rnn2")) == "GRU(5, 5)"


def old_weight_norm(m):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.nn.utils.weight_norm(m, "weight_hh_l0")
    with torch.no_grad():
        m.weight_hh_l0_g.mul_(3)        # weight_hh_l0 is what it was, until the next call


def new_weight_norm(m):
    parametrizations.weight_norm(m, "weight_hh_l0")
    with torch.no_grad():
        m.parametrizations.weight_hh_l0.original0.mul_(3)


def old_spectral_norm(m):
    torch.nn.utils.spectral_norm(m, "weight_hh_l0")


def pruned(m):
    prune.l1_unstructured(m, "weight_hh_l0", 0.5)


def tied(m):
    m.weight_hh_l0_reverse = m.weight_hh_l0


@pytest.mark.parametrize("change", [old_weight_norm, new_weight_norm, old_spectral_norm, pruned, tied])
def test_weights_that_are_computed_of_others(change):
    m = torch.nn.LSTM(3, 5, bidirectional=True)
    change(m)
    state = {name: a.clone() for name, a in m.state_dict().items()}
    m.train(change is not old_spectral_norm)        # which changes its weights in training
    modes = [part.training for part in m.modules()]
    lstmc.from_torch(m, verify=True)
    assert [part.training for part in m.modules()] == modes
    assert all(torch.equal(a, state[name]) for name, a in m.state_dict().items())
    if change is not tied:
        with pytest.raises(ValueError, match=r"'.*weight_hh_l0.*' is part of a weight that torch computes of others: pass the module"):
            lstmc.from_torch(m.state_dict())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype, tmp_path):
    m = torch.nn.GRU(3, 5).to(dtype)
    torch.save(m.state_dict(), tmp_path / "m.pt")
    safetensors.torch.save_file(m.state_dict(), tmp_path / "m.safetensors")
    for source in (m, m.state_dict(), tmp_path / "m.pt", tmp_path / "m.safetensors"):
        with pytest.warns(UserWarning, match=f"weights of {dtype} are widened to float32".replace("torch.", "")):
            found = lstmc.from_torch(source, verify=True)
        for name, a in found.state_dict().items():
            assert np.array_equal(a, m.state_dict()[name].float().numpy())


def test_subclasses_scripts_and_where_there_are_no_values():
    class Mine(torch.nn.LSTM):
        pass

    assert repr(lstmc.from_torch(Mine(3, 4), verify=True)) == "LSTM(3, 4)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = torch.jit.script(torch.nn.LSTM(3, 4))
    assert repr(lstmc.from_torch(script)) == "LSTM(3, 4)"
    with pytest.raises(TypeError, match="weight_ih_l0: expected a dense tensor with values, received one without"):
        lstmc.from_torch(torch.nn.GRU(3, 4, device="meta"))
    with pytest.raises(TypeError, match=r"weight_ih_l0: expected a dense tensor with values, received torch\.sparse_coo"):
        lstmc.from_torch({**torch.nn.GRU(3, 4).state_dict(), "weight_ih_l0": torch.zeros(12, 3).to_sparse()})


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")     # torch's own
def test_programs_and_quantized_modules(tmp_path):
    model = torch.nn.Sequential(torch.nn.LSTM(3, 4)).eval()
    program = torch.export.export(model, (torch.zeros(5, 2, 3),))
    found = lstmc.from_torch(program)
    assert all(np.array_equal(a, model.state_dict()[f"0.{name}"]) for name, a in found.state_dict().items())
    torch.export.save(program, tmp_path / "p.pt2")
    (tmp_path / "p.pt").write_bytes((tmp_path / "p.pt2").read_bytes())
    quantized = torch.ao.quantization.quantize_dynamic(model, {torch.nn.LSTM})
    for obj, kind, message in ((tmp_path / "p.pt2", ValueError, r"torch.export.load, whose result from_torch takes, reads \.pt2 files"),
                               (tmp_path / "p.pt", lstmc.FormatError, r"received a program that torch.export saved; give torch.export.load\(path\)"),
                               (quantized, TypeError, "expected weights of floats, received the quantized LSTM '0'; give the model as it was before")):
        with pytest.raises(kind, match=message):
            lstmc.from_torch(obj)


def test_another_engine_is_found_out():
    class Wrong(torch.nn.GRU):
        def forward(self, x, hx=None):
            y, h = super().forward(x, hx)
            return y, h * 1.001

    with pytest.raises(ValueError, match=r"torch\.nn\.GRU against lstmc\.nn\.GRU: expected output 'h_n' within 2e-05 of the source's"):
        lstmc.from_torch(Wrong(3, 4), verify=True)


@pytest.mark.parametrize(("m", "name"), [
    (lstmc.nn.LSTM(3, 4, peephole=True), "peephole"), (lstmc.nn.LSTM(3, 4, clip=1.0), "clip"), (lstmc.nn.LSTM(3, 4, layer_norm="tfa"), "layer_norm"),
    (lstmc.nn.LSTM(3, 4, zoneout=0.1), "zoneout"), (lstmc.nn.LSTM(3, 4, recurrent_dropout=0.1), "recurrent_dropout"),
    (lstmc.nn.LSTM(3, 4, activations=("hard_sigmoid", "tanh", "tanh")), "activations"), (lstmc.nn.GRU(3, 4, reset_after=False), "reset_after"),
    (lstmc.nn.RNN(3, 4, nonlinearity="elu"), "nonlinearity"),
])
def test_what_torch_has_not_is_named(m, name):
    with pytest.raises(ValueError, match=rf"{name}: expected .*, all that torch\.nn\.{type(m).__name__} has, received"):
        m.to_torch()


def test_torchs_random_numbers_are_left_alone():
    m = lstmc.nn.LSTM(3, 4)
    before = torch.get_rng_state()
    m.to_torch()
    assert torch.equal(before, torch.get_rng_state())


# Files ------------------------------------------------------------------------------------------------------


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def bad_files(good, old, folder):
    """name -> bytes; none may be read, and none may run code."""
    def saved(thing, **how):
        f = io.BytesIO()
        torch.save(thing, f, **how)
        return f.getvalue()

    def archive(change, how=zipfile.ZIP_STORED):
        """The good file with its entries, name -> bytes, changed."""
        f = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(good)) as z:
            entries = {name: z.read(name) for name in z.namelist()}
        change(entries)
        with zipfile.ZipFile(f, "w", how) as z:
            for name, content in entries.items():
                z.writestr(name, content)
        return f.getvalue()

    rnn = torch.nn.LSTM(3, 5)
    state = rnn.state_dict()
    root = zipfile.ZipFile(io.BytesIO(good)).namelist()[0].partition("/")[0]
    pkl = f"{root}/data.pkl"
    one = torch.zeros(1)
    huge = {name: one.expand([2**20 * n for n in a.shape]) for name, a in state.items()}
    for n in range(0, len(good), 97):
        yield f"first {n} bytes", good[:n]
    for n in range(0, len(old), 61):
        yield f"first {n} bytes of an old file", old[:n]
    yield "a module", saved(rnn)
    yield "an old module", saved(rnn, _use_new_zipfile_serialization=False)
    yield "code", saved({**state, "weight_hh_l0": Evil(str(folder / "evil"))})
    yield "code in an old file", saved({**state, "x": Evil(str(folder / "evil"))}, _use_new_zipfile_serialization=False)
    yield "a plain pickle", pickle.dumps({"weight_hh_l0": Evil(str(folder / "evil"))})
    yield "a list", saved([1])
    yield "a tensor", saved(torch.zeros(3))
    yield "no weights", saved({"x": torch.zeros(3)})
    yield "whole numbers", saved({name: a.int() for name, a in state.items()})
    yield "huge views of one number", saved(huge)
    yield "a missing layer", saved({name: a for name, a in torch.nn.LSTM(3, 5, 3).state_dict().items() if "_l1" not in name})
    yield "compressed", archive(lambda e: None, zipfile.ZIP_DEFLATED)
    yield "a bomb", archive(lambda e: e.update({f"{root}/data/0": bytes(10**7)}), zipfile.ZIP_DEFLATED)
    yield "no pickle", archive(lambda e: e.pop(pkl))
    yield "no data", archive(lambda e: e.pop(f"{root}/data/1"))
    yield "short data", archive(lambda e: e.update({f"{root}/data/1": bytes(4)}))
    yield "long data", archive(lambda e: e.update({f"{root}/data/1": bytes(4000)}))
    yield "code in an archive", archive(lambda e: e.update({pkl: pickle.dumps(Evil(str(folder / "evil")), 2)}))
    yield "TorchScript", archive(lambda e: e.update({f"{root}/constants.pkl": b"x"}))
    yield "tar", b"x" * 257 + b"ustar\x0000" + bytes(500)
    with zipfile.ZipFile(io.BytesIO(good)) as z:
        text = z.read(pkl)
    for was in (b"K<", b"K\x14K\x03\x86", b"K\x14K\x05\x86"):      # numbers in a storage and sizes of tensors
        assert was in text, was
        for now in (b"M\xff\xff", b"J\x00\x00\x00\x40", b"J\xff\xff\xff\xff", b"\x8a\x08" + bytes(7) + b"\x40", b"N", b"(lK\x01"):
            yield f"{was} as {now}", archive(lambda e, was=was, now=now: e.update({pkl: text.replace(was[:2], now, 1)}))
            yield f"{was} as {now} in an old file", old.replace(was[:2], now, 1)
    rng = np.random.default_rng(0)
    for n in range(150):
        changed = bytearray(text)
        for at in rng.integers(0, len(text), 2):
            changed[at] = rng.integers(0, 256)
        yield f"changed at random {n}", archive(lambda e, changed=changed: e.update({pkl: bytes(changed)}))


def test_bad_files_are_format_errors_and_run_no_code(tmp_path):
    path, state, read, said = tmp_path / "m.pt", torch.nn.LSTM(3, 5).state_dict(), [], []
    torch.save(state, path, _use_new_zipfile_serialization=False)
    old = path.read_bytes()
    assert repr(lstmc.from_torch(path)) == "LSTM(3, 5)"
    torch.save(state, path)
    good = path.read_bytes()
    assert repr(lstmc.from_torch(path)) == "LSTM(3, 5)"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, content in bad_files(good, old, tmp_path):
            path.write_bytes(content)
            try:
                read.append((name, repr(lstmc.from_torch(path))))
            except ValueError as error:
                good_message = str(error).startswith(f"{path}: " if isinstance(error, lstmc.FormatError) else "prefix: ") and len(str(error)) < 1000
                said += [] if good_message else [(name, repr(error))]
    assert not (tmp_path / "evil").exists()
    assert not said
    assert all(name.startswith("changed at random") and shown == "LSTM(3, 5)" for name, shown in read), read
    assert len(read) < 75
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < memory + 100_000      # KiB; some say that they have 4 GiB


def test_resemblyzer(capsys):
    """A real checkpoint, saved on a GPU with the optimizer's state beside the weights, by the example."""
    assert runpy.run_path(str(Path(__file__).parents[2] / "examples/resemblyzer.py"))["main"]() < 1e-5
    assert capsys.readouterr().out.count("7 sounds, ") == 2
