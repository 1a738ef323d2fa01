"""The Zen of Python by heart: a GRU that learns to write a text, character by character.

It learns the next character at every place of pieces of the text. To write, a second model of the same weights goes on by one character at
a time and keeps its state (stateful=True); the likeliest character is taken each time. The text is Python's own, in the module `this`.

Takes about 10 seconds on two cores; it recites all of it, given the first 20 characters. With `keras` in place of `lstmc` in the imports it
runs in Keras.
"""

import codecs
import contextlib
import io

import numpy as np

from lstmc import Input, Sequential, layers
from lstmc.optimizers import Adam
from lstmc.utils import set_random_seed

with contextlib.redirect_stdout(io.StringIO()):     # the module prints it
    import this

TEXT = codecs.decode(this.s, "rot13") + "\n"
CHARACTERS = sorted(set(TEXT))
PIECE = 60


def network(batch_shape: tuple[int | None, int], stateful: bool) -> Sequential:
    return Sequential([
        Input(batch_shape=batch_shape),
        layers.Embedding(len(CHARACTERS), 32),
        layers.GRU(128, return_sequences=True, stateful=stateful),
        layers.Dense(len(CHARACTERS), activation="softmax"),
    ])


def recite(weights: list[np.ndarray], beginning: str, length: int) -> str:
    """The text that follows, and begins with, `beginning`."""
    model = network((1, 1), stateful=True)
    model.set_weights(weights)
    text, likeliest = "", 0
    while len(text) < length:
        text += beginning[len(text)] if len(text) < len(beginning) else CHARACTERS[likeliest]
        likeliest = int(model.predict(np.array([[CHARACTERS.index(text[-1])]]), verbose=0).argmax())
    return text


def main(epochs: int = 50, step: int = 2, most: int | None = None) -> int:
    set_random_seed(0)
    text = TEXT[:most]
    numbers = np.array([CHARACTERS.index(c) for c in text])
    pieces = np.lib.stride_tricks.sliding_window_view(numbers, PIECE + 1)[::step]
    model = network((None, PIECE), stateful=False)
    model.compile(optimizer=Adam(0.005), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(pieces[:, :-1], pieces[:, 1:], batch_size=32, epochs=epochs, verbose=2)

    found = recite(model.get_weights(), text[:20], len(text))
    print(f"\n{found}\n")
    right = next((i for i, (a, b) in enumerate(zip(found, text, strict=True)) if a != b), len(text))
    print(f"given {text[:20]!r}, it recites {right} of {len(text)} characters without a mistake")
    return right


if __name__ == "__main__":
    main()
