"""`to_torch` of `Sequential` and `Model`: torch's own modules give the predictions of the model, masks and all; what torch has not is refused by name.

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
    ActivityRegularization,
    Add,
    AlphaDropout,
    Average,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv1D,
    Cropping1D,
    Dense,
    Dot,
    Dropout,
    Embedding,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    Input,
    LayerNormalization,
    LeakyReLU,
    Masking,
    Maximum,
    MaxPooling1D,
    Minimum,
    Multiply,
    Permute,
    PReLU,
    ReLU,
    RepeatVector,
    Reshape,
    SimpleRNN,
    Softmax,
    SpatialDropout1D,
    Subtract,
    TimeDistributed,
    UnitNormalization,
    UpSampling1D,
    ZeroPadding1D,
)
from lstmc.layers.activations import _BY_NAME

RNG = np.random.default_rng(0)
X = RNG.standard_normal((5, 7, 3))
HOLES = X * (RNG.random((5, 7)) < 0.6)[..., None]       # steps of zeros everywhere: before, between and after others
HOLES[3] = 0                                            # and a sequence of nothing else
WORDS = RNG.integers(0, 9, (5, 7)) * (np.arange(7) < [[7], [3], [1], [0], [5]])


def check(layers, x, dtype="float32"):
    """A model of the layers, with drawn weights, against its torch module; returns that."""
    return compared(lstmc.Sequential(layers), x, dtype)


def compared(model, x, dtype="float32", calls=1):
    """A model, with drawn weights, against its torch module, in so many calls one after the other; returns that."""
    model.predict(x, verbose=0)
    model.reset_states()
    for name, v in model.variables:
        a = 0.4 * RNG.standard_normal(v.get().shape)
        v.set(np.abs(a).astype(dtype) + 1 if name.endswith("variance") else a.astype(dtype))
    theirs = model.to_torch()
    assert not any(m.training for m in theirs.modules())
    tensors = [torch.from_numpy(a.astype(dtype) if a.dtype.kind == "f" else a) for a in (x if isinstance(x, list) else [x])]
    for _ in range(calls):
        wants = model.predict(x, verbose=0)
        with torch.no_grad():
            gots = theirs(*tensors)
        assert type(wants) is type(gots) or isinstance(gots, torch.Tensor)
        several = isinstance(wants, list)
        for want, got in zip(wants, gots, strict=True) if several else [(wants, gots)]:
            assert (got.shape, got.numpy().dtype) == (want.shape, np.dtype(dtype))
            assert np.abs(got.numpy() - want).max() <= TOLERANCE[dtype] * max(1, np.abs(want).max()), model
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
                  BatchNormalization(scale=False, center=False), LayerNormalization(epsilon=0.1), GlobalAveragePooling1D(), Reshape((-1, 7)),
                  BatchNormalization(axis=1, scale=False), BatchNormalization(center=False), LayerNormalization(axis=1), LayerNormalization(axis=[2, 1]),
                  LayerNormalization(scale=False), LayerNormalization(axis=[1, 2], center=False), LayerNormalization(scale=False, center=False),
                  LayerNormalization(axis=1, scale=False, center=False), ReLU(1.5, 0.2, 0.5), ReLU(threshold=0.3), Dropout(0.1, (None, 1, None)),
                  GaussianNoise(0.3), GaussianDropout(0.3), AlphaDropout(0.3), ActivityRegularization(0.1), UnitNormalization(), UnitNormalization([0, -1]),
                  Cropping1D((1, 2)), Cropping1D(0), ZeroPadding1D((0, 2)), UpSampling1D(3), Conv1D(4, 3, activation="relu"),
                  Conv1D(4, 4, 3, "same", use_bias=False), Conv1D(2, 3, padding="causal", dilation_rate=2), MaxPooling1D(3, 2, "same"), MaxPooling1D(),
                  AveragePooling1D(2), AveragePooling1D(4, 3, "same")):
        check([Input((7, 3)), layer], X)
        if layer.supports_masking and not isinstance(layer, GlobalAveragePooling1D):
            check([Input((7, 3)), Masking(), layer, SimpleRNN(2)], HOLES)
    for pooled in (GlobalAveragePooling1D(), GlobalAveragePooling1D(keepdims=True)):
        check([Input((None, 3)), Masking(), pooled, Dense(2)], HOLES)
    check([Input((4, 7)), Embedding(9, 3, mask_zero=True), TimeDistributed(LSTM(4))], np.stack([WORDS[:4], WORDS[1:]]))


@pytest.mark.parametrize(("layer", "message"), [
    (LSTM(3, recurrent_dropout=0.1), "recurrent_dropout: expected 0.0, all that torch.nn.LSTM has, received 0.1"),
    (LSTM(3, activation="relu"), "activations: expected .*, all that torch.nn.LSTM has"),
    (GRU(3, reset_after=False), "reset_after: expected True, all that torch.nn.GRU has, received False"),
    (SimpleRNN(3, activation="elu"), "nonlinearity: expected 'tanh', all that torch.nn.RNN has, received 'elu'"),
    (LayerNormalization(axis=[1, -1]), "axis: expected axes that all count from the front"),
    (AlphaDropout(0.1, noise_shape=(None, 1, None)), "noise_shape: expected None"),
])
def test_what_torch_has_not_is_named(layer, message):
    model = lstmc.Sequential([Input((7, 3)), layer])
    with pytest.raises(ValueError, match=f"{layer.name}: {message}"):
        model.to_torch()


# Models -----------------------------------------------------------------------------------------------------


def test_merging_layers_and_their_masks():
    a, b = Input((7, 3), name="a"), Input((7, 3), name="b")
    both = [HOLES, X * (RNG.random((5, 7)) < 0.5)[..., None]]
    for masked in product((False, True), repeat=2):
        parts = [Masking()(t) if m else t for t, m in zip((a, b), masked, strict=True)]
        for layer in (Add(), Average(), Subtract(), Multiply(), Maximum(), Minimum(), Concatenate(), Concatenate(1)):
            compared(lstmc.Model([a, b], GRU(4, return_sequences=True)(layer(parts))), both)
    third = Input((3,), name="third")       # of fewer axes
    for layer in (Add(), Multiply(), Maximum(), Minimum()):
        compared(lstmc.Model([a, b, third], layer([Masking()(a), Masking()(b), third])), [*both, X[:, 0]])
    for axes, normalize in product((2, (1, 1), (2, 2)), (False, True)):
        compared(lstmc.Model([a, b], Dot(axes, normalize)([a, b])), both)
    compared(lstmc.Model([a, third], Dot((2, 1))([a, third])), [X, X[:, 0]])


@pytest.mark.parametrize("kind", [LSTM, GRU, SimpleRNN])
def test_states_that_are_inputs_and_outputs(kind):
    parts = 2 if kind is LSTM else 1
    source, target = Input((None, 3), name="source"), Input((None, 3), name="target")
    for masked in (False, True):
        x, y = (Masking()(t) if masked else t for t in (source, target))
        _, *states = kind(4, return_state=True, go_backwards=True)(x)
        out = kind(4, return_sequences=True, return_state=True)(y, initial_state=states)
        compared(lstmc.Model([source, target], list(out)), [X, HOLES])
        _, *states = Bidirectional(kind(4, return_state=True))(x)
        out = Bidirectional(kind(4, return_sequences=True, return_state=True), None)(y, initial_state=states)
        assert len(out) == 2 + 2 * parts
        compared(lstmc.Model([source, target], list(out)), [HOLES, HOLES[::-1]])
        short = Bidirectional(kind(4), None)(x)
        compared(lstmc.Model(source, list(short)), HOLES)


def test_stateful_layers_go_on_and_begin_anew():
    for masked in (False, True):
        model = lstmc.Sequential([Input(batch_shape=(5, 7, 3)), *[Masking()] * masked, Bidirectional(LSTM(4, stateful=True, return_sequences=True)),
                                  GRU(3, stateful=True)])
        theirs = compared(model, HOLES, calls=3)
        model.reset_states()
        theirs.reset_states()
        x = torch.from_numpy(HOLES.astype(np.float32))
        first = theirs(x)
        assert np.abs(first.detach().numpy() - model.predict(HOLES, batch_size=5, verbose=0)).max() < 1e-6
        first.sum().backward()
        theirs(x).sum().backward()      # states are not a graph of the call before
        assert not torch.equal(copy.deepcopy(theirs)(x), first)


def test_shared_layers_models_within_and_names():
    word = lstmc.Sequential([Input((7,)), Embedding(9, 4, mask_zero=True), LSTM(5)], name="word")
    lines = Input((4, 7), name="lines")
    other = Input((7,), name="other")
    encoded = TimeDistributed(word)(lines)
    tags = Dense(3, activation="softmax")(GRU(4, return_sequences=True)(encoded))
    alone = word(other)
    model = lstmc.Model({"lines": lines, "other": other}, {"tags": tags, "alone": Dense(2)(alone)})
    x = {"lines": np.stack([WORDS[:4], WORDS[1:]]), "other": WORDS[:2]}
    want, theirs = model.predict(x, verbose=0), model.to_torch()
    tensors = {name: torch.from_numpy(a) for name, a in x.items()}
    for got in (theirs(tensors), theirs(**tensors), theirs(tensors["lines"], tensors["other"]), theirs([tensors["lines"], tensors["other"]])):
        assert got.keys() == want.keys()
        assert all(np.abs(got[name].detach().numpy() - a).max() < 1e-6 for name, a in want.items())
    for bad in (lambda: theirs(tensors["lines"]), lambda: theirs(lines=tensors["lines"]), lambda: theirs({"lines": 1}), lambda: theirs()):
        with pytest.raises(TypeError, match="expected a tensor for each of the inputs lines, other, received"):
            bad()
    twin = lstmc.Model(other, Add()([word(other), word(other)]))
    assert len(list(twin.to_torch().parameters())) == len(twin.variables) + 1       # a layer that is called twice is one module; torch has two biases


def test_layers_that_are_not_trained():
    frozen = BatchNormalization(trainable=False)
    model = lstmc.Sequential([Input((7, 3)), Dense(4, trainable=False), frozen, Dense(2)])
    theirs = compared(model, X)
    assert [name for name, p in theirs.named_parameters() if p.requires_grad] == [f"{model.layers[-1].name}.inner.0.{end}" for end in ("weight", "bias")]
    x, before = torch.from_numpy(X.astype(np.float32)), copy.deepcopy(theirs.state_dict())
    assert torch.equal(theirs.train()(x), theirs.eval()(x))
    assert all(torch.equal(a, before[name]) for name, a in theirs.state_dict().items())


def test_noise_is_noise_in_training():
    x = torch.ones(4, 200, 50)
    for layer, mean in ((GaussianNoise(0.5), 1), (GaussianDropout(0.2), 1), (AlphaDropout(0.2), None), (Dropout(0.5, (None, 1, None)), 1)):
        theirs = lstmc.Sequential([Input((200, 50)), layer]).to_torch().train()
        y = theirs(x)
        assert not torch.equal(y, theirs(x))
        assert mean is None or abs(y.mean() - mean) < 0.3
        assert (y[:, 0] == y[:, 1]).all() == (layer.get_config().get("noise_shape") is not None)


def test_names():
    class Own(Dense):
        pass

    with pytest.raises(ValueError, match=r"own: expected one of LSTM, .*Dot, which torch can express, received Own"):
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
