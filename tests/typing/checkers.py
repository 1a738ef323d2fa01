"""Runs mypy --strict and pyright over the examples, and pyright over the client: `python tests/typing/checkers.py` in the root of the tree.

The examples have no errors, and the client has them in the lines marked so, once they are uncommented, and nowhere else. What mypy finds in the client
is in `tests/test_typing.py`. pyright is that of basedpyright, which brings its own Node.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

CLIENT = Path(__file__).parent / "client.py"


def pyright(*paths):
    """{(name of the file, line)} of the errors."""
    done = subprocess.run(["basedpyright", "--outputjson", "--level", "error", "--pythonpath", sys.executable, *map(str, paths)],
                          capture_output=True, text=True, timeout=600)
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] >= len(paths), report["summary"]
    for found in report["generalDiagnostics"]:
        yield Path(found["file"]).name, found["range"]["start"]["line"] + 1, found["message"]


def main():
    if subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, "examples"], timeout=600).returncode:
        sys.exit(1)
    text = CLIENT.read_text(encoding="utf-8")
    expected = {("bad.py", n) for n, line in enumerate(text.splitlines(), 1) if line.startswith("# error: ")}
    with tempfile.TemporaryDirectory() as folder:
        bad = Path(folder) / "bad.py"
        bad.write_text(re.sub(r"^# error: \S+ +", "", text, flags=re.MULTILINE), encoding="utf-8")
        found = list(pyright("examples", CLIENT, bad))
    lines = {(name, n) for name, n, _ in found}
    for name, n, message in found:
        if (name, n) not in expected:
            print(f"{name}:{n}: {message}")
    for name, n in sorted(expected - lines):
        print(f"{name}:{n}: pyright finds no error")
    print(f"pyright: {len(expected & lines)} of the {len(expected)} bad lines found, {len(lines - expected)} others")
    sys.exit(lines != expected)


if __name__ == "__main__":
    main()
