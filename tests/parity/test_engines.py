"""Prediction by real local clusters: examples/score_parquet.py by processes, by Dask and by Ray.

Needs dask, ray and pyarrow and is therefore collected only when named: python -m pytest tests/parity. Spark, which needs Java, is tried by hand:
python examples/score_parquet.py spark
"""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "score_parquet.py"


@pytest.mark.parametrize("engine", ["processes", "dask", "ray"])
def test_the_example_scores_what_the_model_alone_does(engine, tmp_path):
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
