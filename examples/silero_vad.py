"""A model of others: silero-vad, which tells speech from other sounds, from its own ONNX file, on lstmc and on onnxruntime.

The package ships its network as an ONNX file: a short-time Fourier transform made of a convolution, four convolutions, an LSTM, and branches (If) for
8 and 16 kHz. lstmc runs the whole file. It also takes the LSTM alone out of it, by name, and calls it between onnxruntime's runs of the rest: that is
the way for models with operators that lstmc has not. Sounds are made here: hum, noise and vowels. Each way must give the package's own output
within 1e-5, and the same decision in every frame. It takes about 2 seconds.

    python -m pip install "lstmc[onnx]" onnxruntime
    python -m pip install --no-deps silero-vad      # its model files; its Python code would need torch
    python examples/silero_vad.py
"""

from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

import lstmc

Run = Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]
FRAME = 512             # samples at 16 kHz, 32 ms; half as many at 8 kHz
CONTEXT = 64            # samples of the frame before that go before each


def vowels(rate: int, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Pulses of a voice that goes up and down, through resonances that move, loud and soft by syllables."""
    t = np.arange(int(rate * seconds)) / rate
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.7 * t) + 3 * np.sin(2 * np.pi * 5 * t)
    phase = np.cumsum(pitch) / rate
    sound = np.zeros_like(t)
    for n in range(1, int(rate / 2 / 160)):
        gain = sum(a / (1 + ((n * pitch - f) / 90) ** 2) for a, f in ((1.0, 600 + 200 * np.sin(4 * t)), (0.5, 1300 + 500 * np.sin(5 * t)), (0.25, 2600)))
        sound += gain / n**0.3 * np.sin(2 * np.pi * n * phase)
    syllables = np.clip(np.sin(2 * np.pi * 3.5 * t), 0.05, 1)
    voice: np.ndarray = 0.1 * sound * syllables + 0.002 * rng.standard_normal(len(t))
    return voice


def scene(rate: int, rng: np.random.Generator) -> np.ndarray:
    """A second and a half each of hum, vowels, noise and vowels, float32."""
    n = int(1.5 * rate)
    hum = 0.05 * np.sin(2 * np.pi * 100 * np.arange(n) / rate)
    parts = [hum, vowels(rate, 1.5, rng), 0.02 * rng.standard_normal(n), vowels(rate, 1.5, rng)]
    return np.concatenate(parts).astype(np.float32)


def frames(sound: np.ndarray, size: int, context: int) -> np.ndarray:
    """(frames, context + size): each with the end of the one before it."""
    whole = sound[: len(sound) // size * size].reshape(-1, size)
    before = np.vstack([np.zeros((1, context), np.float32), whole[:-1, -context:]])
    return np.hstack([before, whole])


def stream(run: Run, rate: int, chunks: np.ndarray) -> np.ndarray:
    """The probability of speech in each frame; the state goes from frame to frame."""
    state, found = np.zeros((2, 1, 128), np.float32), []
    for chunk in chunks:
        outputs = run({"input": chunk[None], "state": state, "sr": np.array(rate)})
        state = outputs["stateN"]
        found.append(outputs["output"][0, 0])
    return np.array(found)


def session(model: Path | onnx.ModelProto) -> Run:
    """onnxruntime's session of a file or a ModelProto, as a function from dict to dict."""
    made = onnxruntime.InferenceSession(str(model) if isinstance(model, Path) else model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in made.get_outputs()]
    return lambda inputs: dict(zip(names, made.run(names, inputs), strict=True))


def report(name: str, got: np.ndarray, want: np.ndarray) -> float:
    """The largest difference, printed; the decisions must be the same."""
    difference = float(np.abs(got - want).max())
    assert np.array_equal(got > 0.5, want > 0.5)
    print(f"{name}: {len(want)} frames, speech in {np.mean(want > 0.5):.0%} of them, largest difference {difference:.1e}")
    return difference


def main() -> float:
    """Run all ways; the largest difference of any."""
    folder = Path(str(distribution("silero-vad").locate_file("silero_vad/data")))
    rng = np.random.default_rng(0)
    onnxruntime.set_default_logger_severity(3)
    differences = []

    ours, theirs = lstmc.from_onnx(folder / "silero_vad.onnx"), session(folder / "silero_vad.onnx")
    for rate in (8000, 16000):
        part = rate // 8000
        chunks = frames(scene(rate, rng), FRAME * part // 2, CONTEXT * part // 2)
        differences.append(report(f"the whole model, {rate // 1000} kHz", stream(ours, rate, chunks), stream(theirs, rate, chunks)))

    # The variant that takes a whole recording has its LSTM in the open: its own part before it, our LSTM, its own part after it.
    path = folder / "silero_vad_16k_sequence.onnx"
    (name, cell), = lstmc.from_onnx(path, partial=True).items()
    cut = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(onnx.load(path)))
    x, h, c = cell.inputs
    y = next(iter(cell.outputs))
    before, after = session(cut.extract_model(["input"], [x])), session(cut.extract_model([y], ["speech_probs"]))
    zeros = np.zeros((1, 1, 128), np.float32)
    inside = cell({**before({"input": chunks}), h: zeros, c: zeros})
    want = session(path)({"input": chunks, "h": zeros, "c": zeros})
    got = after({y: inside[y]})["speech_probs"]
    differences.append(report(f"its node {name} between two sessions, 16 kHz", got, want["speech_probs"]))
    return max(differences)


if __name__ == "__main__":
    assert main() < 1e-5
