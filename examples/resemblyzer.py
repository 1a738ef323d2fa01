"""A model of others: resemblyzer, which tells voices apart, from its own checkpoint, its LSTM on lstmc.

The package ships its network as a file of torch: three layers of an LSTM, a linear layer, and the optimizer's state with which its training went on. From
it come the LSTM, by `lstmc.from_torch`, and the linear layer; relu and the division by the norm are two lines of NumPy. Sounds are made here: three voices
and noise, as the mel spectrograms that the network takes, also ragged. Embeddings must be the package's own within 1e-5, and who sounds most like whom the
same. It takes about 5 seconds.

    python -m pip install "lstmc[torch]"
    python -m pip install --no-deps resemblyzer     # its network and weights; reading sound files would need librosa and webrtcvad
    python examples/resemblyzer.py
"""

import importlib
import sys
import types
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import numpy as np
import torch

import lstmc

RATE, FRAME, STEP, MELS = 16000, 400, 160, 40       # samples in a second, in a frame, from frame to frame; and bands: those of the package


def voice(seconds: float, pitch: float, formants: tuple[float, ...], rng: np.random.Generator) -> np.ndarray:
    """Pulses of a pitch that wavers, through resonances that move, loud and soft by syllables, float64."""
    t = np.arange(int(RATE * seconds)) / RATE
    wavering = pitch * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * t) + 0.02 * np.sin(2 * np.pi * 5 * t))
    phase, sound = np.cumsum(wavering) / RATE, np.zeros_like(t)
    for n in range(1, int(RATE / 2 / pitch / 1.2)):
        gain = sum(1 / (1 + ((n * wavering - f * (1 + 0.2 * np.sin(4 * t))) / 90) ** 2) / (k + 1) for k, f in enumerate(formants))
        sound += gain * np.sin(2 * np.pi * n * phase)
    heard: np.ndarray = 0.1 * sound * np.clip(np.sin(2 * np.pi * 3.5 * t), 0.05, 1) + 0.002 * rng.standard_normal(len(t))
    return heard


def spectrogram(sound: np.ndarray) -> np.ndarray:
    """(frames, MELS) energies in bands as wide as the ear's, float32."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::STEP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME))) ** 2
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), MELS + 2) / 2595) - 1)
    low, middle, high, f = edges[:-2, None], edges[1:-1, None], edges[2:, None], np.fft.rfftfreq(FRAME, 1 / RATE)
    bands = np.clip(np.minimum((f - low) / (middle - low), (high - f) / (high - middle)), 0, None)
    return (power @ (bands * 2 / (high - low)).T).astype(np.float32)


def encoder(folder: Path) -> Any:
    """The package's own VoiceEncoder, without its part for sound files."""
    package = types.ModuleType("resemblyzer")
    vars(package).update(__path__=[str(folder)], audio=None)
    before = sys.modules.get("resemblyzer")
    sys.modules["resemblyzer"] = package
    try:
        return importlib.import_module("resemblyzer.voice_encoder").VoiceEncoder("cpu", verbose=False)
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "resemblyzer"]:
            del sys.modules[name]
        if before is not None:
            sys.modules["resemblyzer"] = before


def embedded(lstm: lstmc.nn.LSTM, weight: np.ndarray, bias: np.ndarray, mels: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
    """Embeddings (batch, 256) of spectrograms (batch, frames, MELS): what VoiceEncoder.forward computes."""
    _, (h_n, _) = lstm(mels, lengths=lengths)
    raw = np.maximum(h_n[-1] @ weight.T + bias, 0)
    scaled: np.ndarray = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    return scaled


def main() -> float:
    """Compare with the package; the largest difference of any embedding."""
    folder = Path(str(distribution("resemblyzer").locate_file("resemblyzer")))
    path = folder / "pretrained.pt"
    lstm = lstmc.from_torch(path, prefix="model_state.lstm", batch_first=True)
    linear = {name: torch.load(path, map_location="cpu", weights_only=True)["model_state"][f"linear.{name}"].numpy() for name in ("weight", "bias")}
    theirs = encoder(folder)

    rng = np.random.default_rng(0)
    who = {"low": (95, (500, 1100, 2400)), "middle": (150, (620, 1400, 2600)), "high": (230, (750, 1700, 2900))}
    sounds = [voice(1.6, *who[name], rng) for name in who for _ in range(2)] + [0.02 * rng.standard_normal(int(1.6 * RATE))]
    mels = np.stack([spectrogram(sound) for sound in sounds])
    with torch.inference_mode():
        want = theirs(torch.from_numpy(mels)).numpy()
        lengths = np.array([len(m) - 20 * n for n, m in enumerate(mels)])
        alone = np.concatenate([theirs(torch.from_numpy(m[None, :n])).numpy() for m, n in zip(mels, lengths, strict=True)])
    differences = []
    for what, expected, n in (("all of one length", want, None), ("ragged, in one batch", alone, lengths)):
        got = embedded(lstm, **linear, mels=mels, lengths=n)
        alike, as_theirs = (e @ e.T - 2 * np.eye(len(e)) for e in (got, expected))
        assert np.array_equal(alike.argmax(1), as_theirs.argmax(1))
        differences.append(float(np.abs(got - expected).max()))
        print(f"{len(got)} sounds, {what}: largest difference {differences[-1]:.1e}; first voice most like number {alike[0].argmax() + 1}, "
              f"{alike[0].max():.2f}")
    return max(differences)


if __name__ == "__main__":
    assert main() < 1e-5
