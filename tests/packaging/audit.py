"""A Linux wheel repaired and audited by the commands that pyproject.toml gives cibuildwheel, which itself needs Docker.

    python tests/packaging/audit.py DIST/*.whl
"""

import shlex
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

settings = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["cibuildwheel"]
with tempfile.TemporaryDirectory() as folder:
    subprocess.run(shlex.split(settings["linux"]["repair-wheel-command"].format(dest_dir=folder, wheel=Path(sys.argv[1]).resolve())), check=True)
    [repaired] = Path(folder).iterdir()
    for command in settings["audit-command"]:
        subprocess.run(shlex.split(command.format(wheel=repaired)), check=True, cwd=folder)
