"""Make onnx.npz: what onnxruntime computes for recurrent nodes with many options. Inputs are drawn again from seeds: only outputs are kept.

    python tests/golden/make_onnx.py        # needs onnxruntime; made with onnxruntime 1.32 and onnx 1.23
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from onnx_models import configuration, drawn, model_of  # noqa: E402

NUMBERS = range(1000, 1036)


def main():
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    found = {}
    for number in NUMBERS:
        op, attributes, sizes, more = configuration(number)
        weights, inputs = drawn(op, attributes, sizes, more, number)
        session = onnxruntime.InferenceSession(model_of(op, attributes, weights, inputs, more["opset"]).SerializeToString(), options)
        for output, a in zip(session.get_outputs(), session.run(None, inputs), strict=True):
            found[f"{number}/{output.name}"] = a
    np.savez_compressed(HERE / "onnx.npz", **found)
    print(f"{len(NUMBERS)} nodes, {(HERE / 'onnx.npz').stat().st_size} bytes")


if __name__ == "__main__":
    main()
