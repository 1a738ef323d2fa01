"""Whether every compiled module declares that it runs without the GIL: Cython writes the declaration for `freethreading_compatible`, which setup.py sets
for all, and a file that contradicts it would silently bring the GIL back for the whole process.

    python tests/packaging/declarations.py
"""

import ast
import re
import sys
import tempfile
from pathlib import Path

from Cython.Build import cythonize

ROOT = Path(__file__).parents[2]


def directives():
    for node in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "DIRECTIVES":
            return ast.literal_eval(node.value)
    sys.exit("setup.py no longer has DIRECTIVES")


def main():
    modules = sorted(ROOT.glob("src/lstmc/kernels/*.pyx"))
    wrong = [f"{path.name}: its own directive" for path in modules if "freethreading_compatible" in path.read_text(encoding="utf-8")]
    smallest = min(modules, key=lambda path: path.stat().st_size)
    with tempfile.TemporaryDirectory() as folder:
        cythonize([str(smallest)], include_path=[str(ROOT / "src")], build_dir=folder, compiler_directives=directives(), quiet=True, force=True)
        text = next(Path(folder).rglob("*.c")).read_text(encoding="utf-8")
    declared = re.search(r"#else\s+#define __Pyx_FREETHREADING_COMPATIBLE Py_MOD_GIL_NOT_USED\s+#endif", text)
    if not declared or "{Py_mod_gil, __Pyx_FREETHREADING_COMPATIBLE}" not in text:
        wrong.append(f"{smallest.name}: the C text does not declare Py_MOD_GIL_NOT_USED")
    print(f"{len(modules)} modules: {'declare that they run without the GIL' if not wrong else 'wrong'}")
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
