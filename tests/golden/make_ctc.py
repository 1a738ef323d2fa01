"""Writes `ctc_torch.npz` and `ctc_keras.npz`: CTC losses of PyTorch (float64) and Keras (float32), gradients with respect to logits, and what Keras decodes.

To regenerate, from the root of the repository, in an environment that has PyTorch 2.13, and in one that has Keras 3.15 and JAX::

    python tests/golden/make_ctc.py torch
    python tests/golden/make_ctc.py keras

Both files have "x" (B, T, C), "y" (B, L) with -1 behind the labels, "frames" (B,), and for some blanks "loss0", "dx0", ...; the last sequence has too few
frames for its labels, so that its loss is infinite in PyTorch (and no promise in Keras) and its gradient is not compared. Keras's file has also
"greedy0", "greedy_scores0", "beam0", "beam_scores0", ... for the blanks, of a search that keeps WIDTH.
"""

import os
import sys
from pathlib import Path

import numpy as np

os.environ |= {"KERAS_BACKEND": "jax", "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}

B, T, C, L = 7, 9, 5, 4
BLANKS = (0, 4, 2)
WIDTH, PATHS = 6, 3


def numbers():
    """Logits of various contrast; labels with and without repetitions, none, as many as fit."""
    rng = np.random.default_rng(12)
    x = np.round(rng.standard_normal((B, T, C)) * np.linspace(0.5, 6, B)[:, None, None] * 256) / 256
    y = np.array([[1, 3, 1, 3], [1, 1, 3, 3], [3, 1, 1, -1], [1, -1, -1, -1], [-1, -1, -1, -1], [3, 3, 3, 3], [1, 1, 1, 3]])
    return x, y, np.array([9, 7, 5, 1, 6, 7, 5])


def torch_results(x, y, frames, blank):
    import torch
    logits = torch.tensor(x, requires_grad=True)
    lengths = torch.tensor((y >= 0).sum(1))
    log_y = logits.log_softmax(-1).transpose(0, 1)
    loss = torch.nn.functional.ctc_loss(log_y, torch.tensor(np.maximum(y, 0)), torch.tensor(frames), lengths, blank=blank, reduction="none")
    loss[:-1].sum().backward()
    return {"loss": loss.detach().numpy(), "dx": logits.grad.numpy()}


def keras_results(x, y, frames, blank):
    import jax
    import keras
    lengths = (y >= 0).sum(1)

    def losses(logits):
        return keras.ops.ctc_loss(np.where(y < 0, blank, y), logits, lengths, frames, mask_index=blank)

    found = {"loss": losses(x), "dx": jax.grad(lambda logits: losses(logits)[:-1].sum())(x)}
    found["greedy"], found["greedy_scores"] = keras.ops.ctc_decode(x, frames, "greedy", mask_index=blank)
    found["beam"], found["beam_scores"] = keras.ops.ctc_decode(x, frames, "beam_search", WIDTH, PATHS, mask_index=blank)
    return {name: np.asarray(a) for name, a in found.items()}


def main(which):
    x, y, frames = numbers()
    arrays = {"x": x, "y": y, "frames": frames, "version": __import__(which).__version__}
    for blank in BLANKS:
        arrays |= {f"{name}{blank}": a for name, a in {"torch": torch_results, "keras": keras_results}[which](x, y, frames, blank).items()}
    np.savez_compressed(Path(__file__).parent / f"ctc_{which}.npz", **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
