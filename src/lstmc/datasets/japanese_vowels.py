"""Japanese Vowels: which of nine speakers said /ae/? Short recordings as sequences of cepstrum coefficients.

The file holds the utterances of a part one after the other, with their lengths; this module pads them to one length. The
published numbers have six decimals: a frame is stored as its difference from the one before in millionths, plus `OFFSET`, as
three planes of bytes, the lowest first. That takes two thirds of what float32 takes.
"""

from importlib.resources import files
from typing import NamedTuple

import numpy as np

STEPS = 29      # T: the longest utterance of both parts
OFFSET = 1 << 22    # no stored difference is negative


class JapaneseVowels(NamedTuple):
    """The set, in the original split into training and test part.

    B is 270 in the training part and 370 in the test part, T = 29, I = 12.

    Attributes
    ----------
    x_train, x_test : (B, T, I) float32 array
        LPC cepstrum coefficients, without a unit, as published (not standardised); 0 from the end of an utterance on.
        A frame is an analysis window of 25.6 ms; the next one starts 6.4 ms later.
    y_train, y_test : (B,) int64 array
        Speaker, 0 to 8.
    length_train, length_test : (B,) int64 array
        Frames of each utterance, 7 to 29.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    length_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    length_test: np.ndarray

    def sequences(self, part):
        """The utterances of one part without padding.

        Parameters
        ----------
        part : {"train", "test"}

        Returns
        -------
        list of (length, I) float32 arrays
            Views of x.
        """
        if part not in ("train", "test"):
            raise ValueError(f"part: expected 'train' or 'test', received {part!r}")
        x, lengths = (self.x_train, self.length_train) if part == "train" else (self.x_test, self.length_test)
        return [utterance[:length] for utterance, length in zip(x, lengths.tolist(), strict=True)]


def load_japanese_vowels():
    """Load the Japanese Vowels set, which ships with the package.

    Nine men said /ae/ several times; 12 linear-prediction cepstrum coefficients describe each frame. The test part was
    recorded apart from the training part and has a different number of utterances per speaker (24 to 88, against 30).

    Returns
    -------
    JapaneseVowels
        Fresh arrays, which may be changed.

    Notes
    -----
    Logistic regression on the mean and the standard deviation of each coefficient reaches a test accuracy of 0.962, so a
    model of sequences should do better.

    Source: M. Kudo, J. Toyama, M. Shimbo, "Multidimensional Curve Classification Using Passing-Through Regions", Pattern
    Recognition Letters 20, 1999; UCI Machine Learning Repository, CC BY 4.0.

    Examples
    --------
    >>> from lstmc.datasets import load_japanese_vowels
    >>> data = load_japanese_vowels()
    >>> data.x_train.shape, data.x_test.shape
    ((270, 29, 12), (370, 29, 12))
    >>> data.sequences("train")[0].shape
    (20, 12)
    """
    with files("lstmc.datasets").joinpath("japanese_vowels.npz").open("rb") as file, np.load(file, allow_pickle=False) as stored:
        parts = []
        for part in ("train", "test"):
            lengths = stored[f"length_{part}"].astype(np.int64)
            x = np.zeros((len(lengths), STEPS, 12), np.float32)
            differences = np.tensordot([1, 1 << 8, 1 << 16], stored[f"x_{part}"], 1) - OFFSET
            x[np.arange(STEPS) < lengths[:, None]] = np.cumsum(differences, axis=0) / 1e6
            parts += [x, stored[f"y_{part}"].astype(np.int64), lengths]
    return JapaneseVowels(*parts)
