"""The Python blocks of docs/*.md, and how one runs: as written, in an empty folder; a fresh namespace is its own, or a process if it is a program."""

import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

PAGES = Path(__file__).parents[1] / "docs"
PEERS = re.compile(r"^(?:import|from) (?:torch|keras|onnxruntime|lstmc\.torch|distributed|ray|pyspark)\b|distributed\.MPI\(\d+\)$", re.M)
RANKS = 3


def blocks(with_peers):
    """name -> text of the blocks that import another engine, or of those that do not."""
    found = {}
    for page in sorted(PAGES.glob("*.md")):
        for n, text in enumerate(re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S), 1):
            if bool(PEERS.search(text)) == with_peers:
                found[f"{page.stem}{n}"] = text
    return found


def run(name, text, folder, monkeypatch):
    monkeypatch.chdir(folder)
    if "__main__" in text:
        run_program(text, folder)
    else:
        with warnings.catch_warnings():
            exec(compile(text, f"docs: {name}", "exec"), {"__name__": "docs"})


def run_program(text, folder):
    """A program with workers or ranks, which import it, is a file under the name that its first line says."""
    path = folder / re.match(r"# (\w+\.py)\n", text)[1]
    path.write_text(text, encoding="utf-8")
    command = [*mpiexec(RANKS), sys.executable, str(path)] if "distributed.MPI(" in text else [sys.executable, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=os.environ | MPI_SETTINGS)
    assert done.returncode == 0, done.stderr


# Open MPI refuses to start more ranks than cores, or as root, unless told.
MPI_SETTINGS = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMPI_MCA_rmaps_base_oversubscribe": "1"}


def mpiexec(ranks):
    """The beginning of a command that starts ranks: by the mpiexec beside this Python, or else on the path."""
    beside = Path(sys.executable).parent / "mpiexec"
    return [str(beside) if beside.exists() else shutil.which("mpiexec"), "-n", str(ranks)]
