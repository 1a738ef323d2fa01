"""Prediction by real local clusters: examples/score_parquet.py by processes, Dask, Ray and Spark.

Needs dask, ray, pyspark and pyarrow and is therefore collected only when named: python -m pytest tests/parity. Where there is no Java, Spark is not
started: a warning in pytest's summary says so, and that the import alone was tried.
"""

import importlib
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "score_parquet.py"


@pytest.mark.parametrize("engine", ["processes", "dask", "ray", "spark"])
@pytest.mark.filterwarnings("default:Spark was NOT run")
def test_the_example_scores_what_the_model_alone_does(engine, tmp_path):
    if engine == "spark" and shutil.which("java") is None:
        warnings.warn("Spark was NOT run: no java here", stacklevel=1)
        assert importlib.import_module("pyspark").__version__
        return
    program = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("score_parquet", {str(EXAMPLE)!r})
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)
if __name__ == "__main__":
    assert example.main({engine!r}, 400, 2, {str(tmp_path)!r}) == (400, 40, 40)
"""
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    done = subprocess.run([sys.executable, str(tmp_path / "program.py")], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{engine}: 400 rows scored" in done.stdout
