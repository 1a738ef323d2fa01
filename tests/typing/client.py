"""A program as users write it: `mypy --strict` accepts the whole, and refuses the lines marked with an error once they are uncommented.

`tests/test_typing.py` does both.
"""

import numpy as np

import lstmc
from lstmc import nn
from lstmc.callbacks import EarlyStopping, History, LambdaCallback
from lstmc.layers import LSTM, Bidirectional, Dense, Embedding, Input, Layer, TimeDistributed
from lstmc.optimizers import Adam

x = np.zeros((8, 5, 3), np.float32)
y = np.arange(8) % 2


def build(units: int) -> lstmc.Sequential:
    """A model of layers in a row."""
    lstmc.utils.set_random_seed(0)
    model = lstmc.Sequential([Input((None, 3)), Bidirectional(LSTM(units, return_sequences=True, dropout=0.1)), LSTM(units), Dense(2, activation="softmax")])
    model.compile(Adam(0.01, clipnorm=1.0), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(model: lstmc.Model) -> History:
    """A training with callbacks."""
    stop = EarlyStopping("loss", patience=2, restore_best_weights=True)
    history = model.fit(x, y, batch_size=4, epochs=2, verbose=0, callbacks=[stop, LambdaCallback(on_epoch_end=lambda epoch, logs: None)])
    losses: list[float] = history.history["loss"]
    assert len(losses) == len(history.epoch)
    loss, accuracy = model.evaluate(x, y, verbose=0)
    assert 0 <= accuracy <= 1 < loss + 2
    p = model.predict(x, verbose=0)
    assert p.shape == (8, 2)
    return history


def functional() -> lstmc.Model:
    """A graph of layers."""
    words = Input((None,), dtype="int32", name="words")
    tagged = TimeDistributed(Dense(3, activation="softmax"))(LSTM(4, return_sequences=True)(Embedding(20, 4, mask_zero=True)(words)))
    return lstmc.Model(words, tagged)


def modules() -> float:
    """PyTorch's layers."""
    lstm = nn.LSTM(3, 4, num_layers=2, dtype="float64", seed=0)
    a = np.zeros((5, 2, 3))
    out, _, tape = lstm.forward(a, lengths=[5, 3])
    gradients = lstm.backward(tape, dy=np.ones_like(out))
    assert set(gradients.params) == set(lstm.state_dict())
    stream = lstm.session(batch_size=2)
    return float(stream.step(a[0]).sum())


if __name__ == "__main__":
    made = build(4)
    trained = train(made)
    layers: list[Layer] = made.layers
    weights = sum(w.size for w in made.get_weights())
    assert weights == made.count_params()
    assert functional().count_params() > 0
    print(modules(), lstmc.build_info()["isa"], lstmc.get_num_threads(), trained.epoch, len(layers))

# error: arg-type          made.fit(x, y, epochs="two")
# error: call-arg          made.fit(x, y, batch_sice=3)
# error: arg-type          made.fit(x, y, batch_size="32")
# error: list-item         made.fit(x, y, callbacks=[print])
# error: attr-defined      made.fitt(x, y)
# error: attr-defined      lstmc.Sequental()
# error: call-arg          LSTM(4, return_sequence=True)
# error: arg-type          LSTM("4")
# error: call-arg          LSTM()
# error: arg-type          Dense(3, use_bias="no")
# error: call-arg          Adam(lr=0.1)
# error: arg-type          EarlyStopping(patience="3")
# error: call-arg          nn.LSTM(3)
# error: arg-type          nn.GRU(3, 4, bidirectional="yes")
# error: call-arg          nn.GRU(3, 4, proj_size=2)
# error: attr-defined      nn.LSTM(3, 4).hidden
# error: arg-type          lstmc.set_num_threads("all")
# error: arg-type          made.get_layer(3)
