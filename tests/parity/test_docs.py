"""The pages: each Python block that needs torch, Keras, onnxruntime, MPI, Dask or Ray runs as written, and that of Spark where there is Java.

They are therefore collected only when named: python -m pytest tests/parity
"""

import os
import shutil
import warnings

import pytest

import docs_blocks

os.environ.setdefault("KERAS_BACKEND", "torch")
BLOCKS = docs_blocks.blocks(True)
if shutil.which("java") is None:       # of which test_engines.py warns
    BLOCKS = {name: text for name, text in BLOCKS.items() if "pyspark" not in text}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_runs_as_written(name, tmp_path, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")     # those of other packages
        docs_blocks.run(name, BLOCKS[name], tmp_path, monkeypatch)
