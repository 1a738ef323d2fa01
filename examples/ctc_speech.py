"""Words from sounds: CTC on synthetic speech.

Every letter of a small alphabet sounds like a vowel: two formants, that is, two peaks over 12 frequency bands. A letter lasts 2 to 5 frames, the
frequencies glide from one letter to the next, pauses come where they like, voices are higher or lower, and there is noise on top. Nobody tells the
network which frame belongs to which letter: CTC learns that from the words alone.

With Keras, only the import lines differ; `ctc_decode` is in `keras.ops` there.

    python examples/ctc_speech.py

Expect 3 letters of 100 to be wrong where the words are said again, with other voices, pauses and noise; a little less with the beam than
greedily. It takes about 10 seconds.
"""

import numpy as np

from lstmc import Sequential
from lstmc.layers import LSTM, Bidirectional, Dense, Input
from lstmc.losses import CTC
from lstmc.optimizers import Adam
from lstmc.utils import ctc_decode, set_random_seed

LETTERS = "aeioulmn"
LEXICON = """
    alone animal aluminium line lemon loan linen million melon menu mail mile moon mine mole moan main memo lemma lull llama manna noon none nine noun nail
    name mane mean lane lime limo loom lion lean ill ale elm one oil ion union onion email enamel ennui illume alien anneal
"""
WORDS = LEXICON.split()
BANDS = np.linspace(0, 1, 12)
FORMANTS = np.array([[0.45, 0.7], [0.3, 0.85], [0.15, 0.95], [0.35, 0.5], [0.2, 0.4], [0.1, 0.6], [0.05, 0.3], [0.55, 0.9]])


def sound(word: str, rng: np.random.Generator) -> np.ndarray:
    """(frames, 12): a word as one voice says it."""
    targets: list[np.ndarray] = []
    loud: list[float] = []
    before = None
    for letter in word:
        if targets and (rng.random() < 0.2 or letter == before):    # a pause, and always one between equal letters
            n = rng.integers(1, 3)
            targets += [targets[-1]] * n
            loud += [0.05] * n
        n = rng.integers(2, 6)
        targets += [FORMANTS[LETTERS.index(letter)]] * n
        loud += [1.0] * n
        before = letter
    formants = np.array(targets)
    formants[1:-1] = (formants[:-2] + 2 * formants[1:-1] + formants[2:]) / 4
    formants = formants * rng.uniform(0.95, 1.05)
    peaks = np.exp(-0.5 * ((BANDS - formants[:, :, None]) / 0.06) ** 2).sum(1)
    heard: np.ndarray = peaks * np.array(loud)[:, None] + rng.normal(0, 0.3, (len(formants), len(BANDS)))
    return heard


def speech(n: int, frames: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """n words: sounds (n, frames, 12) with silence behind them, labels (n, L) from 1, with 0 behind them, and the words."""
    words = [WORDS[i] for i in rng.integers(0, len(WORDS), n)]
    x, y = rng.normal(0, 0.3, (n, frames, len(BANDS))), np.zeros((n, max(map(len, WORDS))), "int32")
    for i, word in enumerate(words):
        heard = sound(word, rng)[:frames]
        x[i, :len(heard)] = heard
        y[i, :len(word)] = [LETTERS.index(letter) + 1 for letter in word]
    return x.astype("float32"), y, words


def text(labels: np.ndarray) -> str:
    """The word of labels, which end at -1."""
    return "".join(LETTERS[c - 1] for c in labels if c > 0)


def distance(a: str, b: str) -> int:
    """Letters to insert, delete or replace to get from a to b."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        above, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (x != y))
    return row[-1]


def error(found: list[str], words: list[str]) -> float:
    """Letters wrong, per letter."""
    return sum(map(distance, found, words)) / sum(map(len, words))


def main(n: int = 2000, tests: int = 200, epochs: int = 10, units: int = 48, frames: int = 50) -> tuple[float, float]:
    """Train, decode, print; returns the letter error rates of greedy and of beam search decoding."""
    set_random_seed(7)
    rng = np.random.default_rng(7)
    x, y, _ = speech(n, frames, rng)
    x_test, _, words = speech(tests, frames, rng)
    model = Sequential([
        Input((frames, len(BANDS))),
        Bidirectional(LSTM(units, return_sequences=True)),
        Dense(len(LETTERS) + 1),                    # logits; class 0 is the blank
    ])
    model.compile(Adam(0.01), loss=CTC())
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=2)
    logits = model.predict(x_test, verbose=0)
    lengths = np.full(tests, frames)
    greedy = [text(labels) for labels in np.asarray(ctc_decode(logits, lengths, strategy="greedy")[0][0])]
    decoded, scores = ctc_decode(logits, lengths, strategy="beam_search", beam_width=10, top_paths=2)
    beam = [text(labels) for labels in np.asarray(decoded[0])]
    print(f"{'said':<12} {'greedy':<12} {'beam':<12} {'second':<12} probability")
    for i in range(min(tests, 12)):
        print(f"{words[i]:<12} {greedy[i]:<12} {beam[i]:<12} {text(np.asarray(decoded[1][i])):<12} {np.exp(float(scores[i][0])):.2f}")
    rates = error(greedy, words), error(beam, words)
    print(f"letter error rate: greedy {rates[0]:.1%}, beam {rates[1]:.1%}; words right: {np.mean([a == b for a, b in zip(beam, words, strict=True)]):.0%}")
    return rates


if __name__ == "__main__":
    main()
