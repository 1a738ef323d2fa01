"""Whether mypy's stubtest accepts the stubs of the lstmc that Python imports: `python tests/typing/stubtest.py`, where mypy is.

The stubs alone are laid out in a folder of their own: stubtest would take the modules that have none for stubs of themselves, and check their types.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import lstmc

# --ignore-missing-stub: what no stub names is not public. --ignore-disjoint-bases: nobody inherits from a compiled class.
COMMAND = [sys.executable, "-m", "mypy.stubtest", "lstmc", "--concise", "--ignore-missing-stub", "--ignore-disjoint-bases"]


def main():
    package = Path(lstmc.__file__).parent
    stubs = sorted(package.rglob("*.pyi"))
    with tempfile.TemporaryDirectory() as folder:
        for path in stubs:
            copy = Path(folder, "lstmc", path.relative_to(package))
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
        allowed = Path(folder, "allowed")
        allowed.write_text("" if importlib.util.find_spec("torch") else r"lstmc\.torch", encoding="utf-8")     # which cannot be imported without
        code = subprocess.run([*COMMAND, "--allowlist", str(allowed)], env=os.environ | {"MYPYPATH": folder}, cwd=folder, timeout=600).returncode
    print(f"stubtest: {len(stubs)} stubs {'accepted' if code == 0 else 'are not what the modules are'}")
    sys.exit(code or len(stubs) < 30)


if __name__ == "__main__":
    main()
