"""The package for another system: its Python files, and its compiled modules as a compiler makes them that runs here but for there. The flags, the
instruction sets and the list of modules are setup.py's; there is no OpenMP unless --compiler asks for it. FOLDER must be new; with it in PYTHONPATH a
Python of that system imports lstmc, under an emulator too.

    python tests/kernels/cross.py FOLDER --machine amd64 --suffix .cp313-win_amd64.pyd \\
        --compiler "python -m ziglang cc -target x86_64-windows-gnu -IPYTHON/include" PYTHON/libs/python313.lib

What follows the options is given to the compiler where it links a module.
"""

import argparse
import os
import runpy
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import setuptools

ROOT = Path(__file__).parents[2]


def build_script():
    """(what setup.py defines, the extensions it would build), their C texts made."""
    given = {}
    setuptools.setup = lambda **keywords: given.update(keywords)
    defined = runpy.run_path("setup.py")
    defined["translate"](given["ext_modules"])
    return defined, given["ext_modules"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--machine", required=True)
    parser.add_argument("--suffix", required=True)
    parser.add_argument("--compiler", required=True, type=shlex.split)
    args, link = parser.parse_known_args()
    folder = args.folder.absolute()
    os.chdir(ROOT)
    defined, extensions = build_script()
    isas = [isa for isa in defined["ISAS"] if not isa.machines or args.machine in isa.machines]
    objects = folder / "objects"
    objects.mkdir(parents=True)

    def compiled(source, name, flags):
        path = objects / f"{name}.o"
        subprocess.run([*args.compiler, *defined["FLAGS"], *flags, f"-I{defined['CSRC']}", "-c", source, "-o", str(path)], check=True)
        return str(path)

    def module(ext):
        name = ext.name.rpartition(".")[2]
        return compiled(ext.sources[0], name, defined["SMALL_MODULE_FLAGS" if name in defined["SMALL"] else "MODULE_FLAGS"])

    have = [f"-DLSTMC_HAVE_{isa.name.upper()}" for isa in isas]
    package = folder / "lstmc"
    shutil.copytree(ROOT / "src/lstmc", package, ignore=shutil.ignore_patterns("*.so", "*.pyx", "*.pxd", "*.c", "*.h", "__pycache__"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        kernels = [pool.submit(compiled, f"{defined['CSRC']}/dispatch.c", "dispatch", have)]
        kernels += [pool.submit(compiled, isa.source, f"isa_{isa.name}", isa.flags) for isa in isas]
        modules = list(pool.map(module, extensions))
        kernels = [job.result() for job in kernels]

        def linked(ext, path):
            parts = [path, *(kernels if ext.name == defined["CORE"] else ())]
            target = package.parent.joinpath(*ext.name.split(".")).with_suffix(args.suffix)
            subprocess.run([*args.compiler, "-shared", *parts, *link, "-o", str(target)], check=True)

        list(pool.map(linked, extensions, modules))
    print(f"{args.machine}: {len(modules)} modules, kernels of {', '.join(isa.name for isa in isas)}, in {folder}")


if __name__ == "__main__":
    main()
