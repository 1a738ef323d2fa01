"""`Sequential.to_torch`: torch's own modules give the predictions of the model, masks and all; what torch has not is refused by name.

Needs torch and is therefore collected only when named: python -m pytest tests/parity
"""

import copy
import io
import pickle
from itertools import product

import numpy as np
import pytest
import torch

import lstmc
from conftest import DTYPES, TOLERANCE
from lstmc.layers import (
    ELU,
    GRU,
    LSTM,
    Activation,
    BatchNormalization,
    Bidirectional,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    LayerNormalization,
    LeakyReLU,
    Masking,
    Permute,
    PReLU,
    ReLU,
    RepeatVector,
    Reshape,
    SimpleRNN,
    Softmax,
    SpatialDropout1D,
    TimeDistributed,
)
from lstmc.layers.activations import _BY_NAME

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 7, 3))
HOLES = X * (RNG.random((5, 7)) < 0.6)[..., None]       # steps of zeros everywhere: before, between and after others
HOLES[3] = 0                                            # and a sequence of nothing else
WORDS = RNG.integers(0, 9, (5, 7)) * (np.arange(7) < [[7], [3], [1], [0], [5]])


def check(layers, x, dtype="float32"):
    """A model of the layers, with drawn weights, against its torch module; returns that."""
    model = lstmc.Sequential(layers)
    model.compile("sgd", "mse")
    model.predict(x, verbose=0)
    for name, v in model.variables:
        a = 0.4 * RNG.standard_normal(v.get().shape)
        v.set(np.abs(a).astype(dtype) + 1 if name.endswith("variance") else a.astype(dtype))
    want, theirs = model.predict(x, verbose=0), model.to_torch()
    assert not theirs.training
    with torch.no_grad():
        got = theirs(torch.from_numpy(x.astype(dtype) if x.dtype.kind == "f" else x)).numpy()
    assert (got.shape, got.dtype) == (want.shape, np.dtype(dtype))
    assert np.abs(got - want).max() <= TOLERANCE[dtype] * max(1, np.abs(want).max()), model
    return theirs


@pytest.mark.parametrize("kind", [LSTM, GRU, SimpleRNN])
@pytest.mark.parametrize("dtype", DTYPES)
def test_recurrent_layers_and_masks(kind, dtype):
    d = {"dtype": dtype}
    for x, masked, sequences in ((X, False, False), (X, False, True), (HOLES, True, False), (HOLES, True, True)):
        start = [Input((None, 3)), *[Masking(**d)] * masked]
        for backwards, zero, bias in product((False, True), repeat=3):
            layer = kind(4, return_sequences=sequences, go_backwards=backwards, zero_output_for_mask=zero, use_bias=bias, **d)
            check([*start[:1], *[Masking(**d)] * masked, layer, Dense(2, **d)], x, dtype)
        for merge in ("concat", "sum", "mul", "ave"):
            inner = Bidirectional(kind(4, return_sequences=sequences, **d), merge)
            check([*start[:1], *[Masking(**d)] * masked, inner, *[kind(3, **d)] * sequences], x, dtype)


def test_a_tagger_and_its_training_mode():
    layers = [Embedding(9, 4, mask_zero=True), Bidirectional(LSTM(5, return_sequences=True, dropout=0.3)), GRU(4, return_sequences=True),
              LayerNormalization(), SpatialDropout1D(0.2), TimeDistributed(Dense(3, activation="gelu")), Dropout(0.2), Dense(4, activation="softmax")]
    theirs = check(layers, WORDS)
    for other in (copy.deepcopy(theirs), pickle.loads(pickle.dumps(theirs))):
        assert torch.equal(other(torch.from_numpy(WORDS)), theirs(torch.from_numpy(WORDS)))
    f = io.BytesIO()
    torch.save(theirs.state_dict(), f)
    f.seek(0)
    theirs.load_state_dict(torch.load(f, weights_only=True))
    before = theirs(torch.from_numpy(WORDS))
    theirs.train()
    one, two = (theirs(torch.from_numpy(WORDS)) for _ in range(2))
    assert not torch.equal(one, two)
    one.log().mean().backward()
    assert all(p.grad is not None for p in theirs.parameters())
    torch.optim.SGD(theirs.parameters(), 0.1).step()
    assert not torch.equal(theirs.eval()(torch.from_numpy(WORDS)), before)


@pytest.mark.parametrize("name", sorted(_BY_NAME))
def test_activations(name):
    for dtype in DTYPES:
        check([Input((7, 3)), Activation(name, dtype=dtype)], 6 * X, dtype)
        check([Input((7, 3)), Dense(4, activation=name, dtype=dtype)], X, dtype)


def test_the_other_layers():
    check([Input((7, 3)), Flatten(), Dense(6, use_bias=False), RepeatVector(3), SimpleRNN(4, return_sequences=True, activation="relu"), Permute((2, 1)),
           Reshape((6, 2)), GlobalMaxPooling1D(keepdims=True), Flatten()], X)
    for layer in (ReLU(), ReLU(negative_slope=0.1), LeakyReLU(), ELU(0.5), Softmax(), Softmax(1), PReLU(), PReLU(shared_axes=1), BatchNormalization(),
                  BatchNormalization(scale=False, center=False), LayerNormalization(epsilon=0.1), GlobalAveragePooling1D(), Reshape((-1, 7))):
        check([Input((7, 3)), layer], X)
    for pooled in (GlobalAveragePooling1D(), GlobalAveragePooling1D(keepdims=True)):
        check([Input((None, 3)), Masking(), pooled, Dense(2)], HOLES)
    check([Input((4, 7)), Embedding(9, 3, mask_zero=True), TimeDistributed(LSTM(4))], np.stack([WORDS[:4], WORDS[1:]]))


@pytest.mark.parametrize(("layer", "message"), [
    (LSTM(3, recurrent_dropout=0.1), "recurrent_dropout: expected 0.0, all that torch.nn.LSTM has, received 0.1"),
    (LSTM(3, activation="relu"), "activations: expected .*, all that torch.nn.LSTM has"),
    (GRU(3, reset_after=False), "reset_after: expected True, all that torch.nn.GRU has, received False"),
    (SimpleRNN(3, activation="elu"), "nonlinearity: expected 'tanh', all that torch.nn.RNN has, received 'elu'"),
    (SimpleRNN(3, stateful=True), "stateful: expected False"),
    (LayerNormalization(axis=1), "axis: expected -1, all that torch.nn.LayerNorm has, received 1"),
    (LayerNormalization(scale=False), "expected weights, and scale and center both True or both False"),
    (ReLU(max_value=2), "expected max_value=None and threshold=0"),
    (Dropout(0.1, noise_shape=(None, 1, None)), "noise_shape: expected None"),
])
def test_what_torch_has_not_is_named(layer, message):
    model = lstmc.Sequential([Input((7, 3)), layer])
    with pytest.raises(ValueError, match=f"{layer.name}: {message}"):
        model.to_torch()


def test_names():
    class Own(Dense):
        pass

    with pytest.raises(ValueError, match=r"own: expected one of LSTM, .*, which torch can express, received Own"):
        lstmc.Sequential([Input((3,)), Own(3)]).to_torch()
    with pytest.raises(ValueError, match="input_shape: expected"):
        lstmc.Sequential([Dense(3)]).to_torch()
    model = lstmc.Sequential([Input((3,)), Dense(3, name="a.b"), Dense(3, name="a_b"), Dense(3, name="forward"), Dense(2, name="training")])
    x = np.ones((2, 3), np.float32)
    theirs = model.to_torch()
    assert [name for name, _ in theirs.named_children()] == ["a_b", "a_b_", "forward_", "training_"]
    assert np.allclose(theirs(torch.from_numpy(x)).detach().numpy(), model.predict(x, verbose=0), atol=1e-6)
    before = torch.get_rng_state()
    model.to_torch()
    assert torch.equal(before, torch.get_rng_state())
