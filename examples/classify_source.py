"""Words to vectors to a class: from which of ten packages of Python's standard library is a piece of source code?

Embedding, LSTM and a softmax over 80 words, as integers, of a vocabulary of 10000. The data are the packages themselves, as they are
installed.

Takes about 10 seconds on two cores; 90 % of new pieces are recognised, against 11 % of who always says the same. With `keras` in place of
`lstmc` in the imports it runs in Keras.
"""

import re
import sysconfig
from collections import Counter
from pathlib import Path

import numpy as np

from lstmc import Input, Sequential, layers
from lstmc.utils import set_random_seed

PACKAGES = ["asyncio", "_pydecimal", "email", "http", "importlib", "logging", "multiprocessing", "unittest", "urllib", "xml"]
WORDS, STEPS = 10000, 80


def words_of(package: str) -> list[str]:
    """The words of the source of a package, or of a module that is one file."""
    at = Path(sysconfig.get_path("stdlib")) / package
    files = sorted(at.rglob("*.py")) if at.is_dir() else [at.with_suffix(".py")]
    return re.findall(r"[^\W\d_]+", " ".join(file.read_text("utf-8") for file in files))


def load(blocks: int) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], list[str]]:
    """(pieces to learn from, their labels), the same to be judged by, and the vocabulary, most common words first.

    Of every 400 words of a package, 320 are learned from, in pieces that overlap, and 80 are to judge.
    """
    learn, judge = [], []
    for label, package in enumerate(PACKAGES):
        words = words_of(package)
        for at in range(0, len(words) - 5 * STEPS + 1, 5 * STEPS)[:blocks]:
            judge.append((words[at:at + STEPS], label))
            learn += [(words[i:i + STEPS], label) for i in range(at + STEPS, at + 4 * STEPS + 1, STEPS // 2)]
    counts = Counter(word for text, _ in learn for word in text)
    vocabulary = {word: n for n, (word, _) in enumerate(counts.most_common(WORDS - 1), 1)}      # 0: any other word
    found = [(np.array([[vocabulary.get(word, 0) for word in text] for text, _ in some]), np.array([label for _, label in some]))
             for some in (learn, judge)]
    return found[0], found[1], list(vocabulary)


def main(epochs: int = 10, blocks: int = 70) -> float:
    set_random_seed(0)
    (x_train, y_train), (x_test, y_test), vocabulary = load(blocks)
    print(f"{len(x_train)} pieces to learn from, {len(x_test)} to be judged by, {len(vocabulary)} words")
    model = Sequential([
        Input((STEPS,)),
        layers.Embedding(WORDS, 64),
        layers.LSTM(64),
        layers.Dense(10, activation="softmax"),
    ])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x_train, y_train, batch_size=128, epochs=epochs, verbose=2)

    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    some = np.random.default_rng(0).permutation(len(x_test))[:8]
    for text, p in zip(x_test[some], model.predict(x_test[some], verbose=0), strict=True):
        print(f"  {PACKAGES[p.argmax()]:16}{p.max():4.0%}  {' '.join(vocabulary[i - 1] if i else '...' for i in text[:14])}")
    most_common = np.bincount(y_test).max() / len(y_test)
    print(f"accuracy on pieces it has not seen: {accuracy:.1%} (who always says the most common package has {most_common:.1%})")
    return float(accuracy)


if __name__ == "__main__":
    main()
