"""A text in the manner of the manual of Python: an LSTM over characters that writes.

At every place of pieces of 80 characters it learns which one comes next. To write, it is given the last 80 again and again, and the next is
drawn from what it says, cautiously (temperature 0.3) or less so (0.8). The text is the one that `help("topics")` shows, in `pydoc_data`.

Takes about 30 seconds on two cores; it guesses 61 % of the characters, and writes words that look like English, with little sense. With
`keras` in place of `lstmc` in the imports it runs in Keras.
"""

import re
from pydoc_data.topics import topics

import numpy as np

from lstmc import Input, Sequential, layers
from lstmc.optimizers import Adam
from lstmc.utils import set_random_seed

PIECE = 80


def load(most: int) -> str:
    """The paragraphs of the manual as one text, without tables and code."""
    paragraphs = "\n\n".join(topics[name] for name in sorted(topics)).split("\n\n")
    prose = [" ".join(p.split()) for p in paragraphs if re.match(r"[A-Z][a-z ]", p) and p.endswith(".") and p.isascii()]
    return "\n".join(prose)[:most]


def write(model: Sequential, characters: list[str], beginning: str, length: int, temperature: float) -> str:
    """The text that goes on from `beginning`."""
    rng, text = np.random.default_rng(0), beginning
    for _ in range(length):
        seen = np.array([[characters.index(c) for c in text[-PIECE:]]])
        logits = np.log(model.predict(seen, verbose=0)[0, -1].astype(float) + 1e-9) / temperature
        text += characters[np.argmax(logits + rng.gumbel(size=len(characters)))]        # which draws with these odds
    return text


def main(epochs: int = 12, most: int = 150000, units: int = 128, length: int = 300) -> float:
    set_random_seed(0)
    text = load(most)
    characters = sorted(set(text))
    numbers = np.array([characters.index(c) for c in text])
    pieces = np.lib.stride_tricks.sliding_window_view(numbers, PIECE + 1)[::PIECE // 2]
    print(f"{len(text)} characters, {len(characters)} different ones")
    model = Sequential([
        Input((None,)),
        layers.Embedding(len(characters), 32),
        layers.LSTM(units, return_sequences=True),
        layers.Dense(len(characters), activation="softmax"),
    ])
    model.compile(optimizer=Adam(0.005), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(pieces[:, :-1], pieces[:, 1:], batch_size=32, epochs=epochs, verbose=2).history
    beginning = text[:PIECE]
    for temperature in (0.3, 0.8):
        print(f"\nAt temperature {temperature}: ...{write(model, characters, beginning, length, temperature)[PIECE:]}")
    print(f"\nit guesses {history['accuracy'][-1]:.0%} of the characters of the manual")
    return float(history["accuracy"][-1])


if __name__ == "__main__":
    main()
