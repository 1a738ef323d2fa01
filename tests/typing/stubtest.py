"""Whether mypy's stubtest accepts the stubs of the lstmc that Python imports: `python tests/typing/stubtest.py`, where mypy is.

The stubs alone are laid out in a folder of their own: stubtest would take the modules that have none for stubs of themselves, and check their types.
"""

import importlib.util
import os
import pkgutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import BuiltinFunctionType

import lstmc
from lstmc import kernels

# --ignore-missing-stub: what no stub names is not public. --ignore-disjoint-bases: nobody inherits from a compiled class.
COMMAND = [sys.executable, "-m", "mypy.stubtest", "lstmc", "--concise", "--ignore-missing-stub", "--ignore-disjoint-bases",
           "--ignore-unused-allowlist"]


def without_arguments():
    """Compiled functions of which CPython says, from 3.13 on, that they take `self`, for it knows no better signature."""
    for found in pkgutil.iter_modules(kernels.__path__, "lstmc.kernels."):
        for name, thing in vars(importlib.import_module(found.name)).items():
            if isinstance(thing, BuiltinFunctionType) and thing.__text_signature__ == "($self, /)":
                yield f"{found.name}.{name}"


def main():
    package = Path(lstmc.__file__).parent
    stubs = sorted(package.rglob("*.pyi"))
    with tempfile.TemporaryDirectory() as folder:
        for path in stubs:
            copy = Path(folder, "lstmc", path.relative_to(package))
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
        allowed = Path(folder, "allowed")
        torch = [] if importlib.util.find_spec("torch") else ["lstmc.torch"]     # which cannot be imported without
        allowed.write_text("\n".join([*torch, *without_arguments()]), encoding="utf-8")
        code = subprocess.run([*COMMAND, "--allowlist", str(allowed)], env=os.environ | {"MYPYPATH": folder}, cwd=folder, timeout=600).returncode
    print(f"stubtest: {len(stubs)} stubs {'accepted' if code == 0 else 'are not what the modules are'}")
    sys.exit(code or len(stubs) < 30)


if __name__ == "__main__":
    main()
