"""`to_onnx`: onnxruntime gives the numbers of modules and models, on the oldest and the newest opset.

Needs onnxruntime and is therefore collected only when named: python -m pytest tests/parity
"""

import warnings

import numpy as np
import onnxruntime
import pytest

import onnx_exported as models

CLOSE = 2e-5
onnxruntime.set_default_logger_severity(3)


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("opset", [14, 22])
def test_modules(tmp_path, opset):
    for cls, arguments in models.MODULES:
        m = models.module(cls, arguments)
        m.to_onnx(tmp_path / "m.onnx", opset=opset)
        run = session(tmp_path / "m.onnx")
        assert [i.name for i in run.get_inputs()] == ["x"]
        for feeds, wanted in models.calls(m):
            assert models.largest(run.run(None, feeds), wanted) < CLOSE, (cls, arguments, sorted(feeds))


@pytest.mark.parametrize("opset", [14, 22])
def test_layers(tmp_path, opset):
    worst = {}
    for case in models.names():
        model, feeds = models.layer_model(case, "float32")
        model.to_onnx(tmp_path / "m.onnx", opset=opset)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*the mask ends here")
            wanted = models.outputs(model, feeds)
        d = models.largest(session(tmp_path / "m.onnx").run(None, feeds)[:len(wanted)], wanted)
        if d > CLOSE:
            worst[case] = d
    assert not worst


def test_a_tagger_with_lengths(tmp_path):
    model = models.tagger("float32")
    model.to_onnx(tmp_path / "m.onnx")
    run, rng = session(tmp_path / "m.onnx"), np.random.default_rng(0)
    words, numbers, n = rng.integers(0, 3, (4, 6)), rng.normal(size=(4, 6, 3)).astype("float32"), np.array([6, 2, 1, 4], np.int32)
    tags, whole = model.predict([[a[:k] for a, k in zip(x, n, strict=True)] for x in (words, numbers)], verbose=0)
    got = run.run(None, {"words": words, "numbers": numbers, "words_lengths": n, "numbers_lengths": n})
    assert models.largest([a[:k] for a, k in zip(got[0], n, strict=True)], tags) < CLOSE
    assert models.largest([got[1]], [whole]) < CLOSE
