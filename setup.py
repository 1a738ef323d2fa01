"""How the compiled part is built; every static fact about the package is in pyproject.toml.

One kernel text is compiled once per instruction set (`ISAS` below). Each object keeps its flags to itself, exports one table,
and is linked into `lstmc.kernels.core` only; dispatch.c picks a table at import. The other extensions reach the kernels through
core, so they are compiled for the baseline like any Cython module. GCC or Clang compiles; on Windows that is clang-cl, which LLVM's
installer and Visual Studio's component of that name provide, with Visual Studio's headers and linker, and there is no OpenMP.

Environment, read at build time:
    LSTMC_NO_OPENMP=1           build without OpenMP even if the compiler has it
    SOURCE_DATE_EPOCH=seconds   sdist and wheel with this time: those of the same sources and tools are the same bytes, wherever they are built
    LSTMC_SANITIZE=address,...  compile and link with -fsanitize=..., keeping debug information (GCC, Clang)
"""

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist
from setuptools.errors import CompileError
from setuptools.modified import newer_group

CSRC = "src/lstmc/csrc"
CORE = "lstmc.kernels.core"
X86 = ("x86_64", "amd64")
ARM = ("aarch64", "arm64")


@dataclass(frozen=True)
class ISA:
    """One row: `machines` the processors it is compiled for (empty: all), `flags` those that no other file gets."""

    name: str
    machines: tuple = ()
    flags: tuple = ()

    @property
    def source(self):
        return f"{CSRC}/isa_{self.name}.c"


ISAS = (
    ISA("baseline", (), ("-Os",)),      # a third less code for the few machines that need it
    ISA("avx2", X86, ("-mavx2", "-mfma")),
    ISA("avx512", X86, ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma", "-mprefer-vector-width=512")),
    ISA("neon", ARM),
)

# Results must not depend on what a compiler finds profitable: no contraction into FMA (the kernels write every FMA out), no
# reassociation, nothing tuned to the building machine. errno and traps are never read, so they may be ignored.
FLAGS = (
    "-O3",
    "-std=c11",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=off",
    "-fvisibility=hidden",
    "-g0",
)
# The Cython modules hold no arithmetic: half the code of -O3 and the same speed. Those that have little to do at every step: a sixth less
# code again.
MODULE_FLAGS = ("-O2",)
SMALL_MODULE_FLAGS = ("-Os",)
SMALL = ("arena", "backward", "cells", "contention", "core", "linear", "options", "parts", "plan", "probe", "random", "rows", "schedule", "sums", "tape",
         "team", "train", "weights")
# No unwind tables, which in C serve debuggers only: 4 % of the whole, none of the code.
LINUX = ("-fno-asynchronous-unwind-tables", "-fno-unwind-tables")
# No symbol table, no padding between segments: a tenth of each module. Functions of others are found at once, as Python asks for anyway, and their
# addresses are read-only from then on.
LINUX_LINK = ("-Wl,-s", "-Wl,-z,noseparate-code", "-Wl,--gc-sections", "-Wl,-z,now")
# Calls of others' functions through these addresses: no stub for each. On other machines a call would be longer than a stub saves.
LINUX_X86 = ("-fno-plt",)

DIRECTIVES = {
    "auto_pickle": False,
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "binding": False,       # plain built-in functions: a fifth less code in every module, and cheaper to call
    "embedsignature": True,
    "freethreading_compatible": True,
}

# clang-cl compiles for the machine it runs on unless told; setuptools names the one it builds for.
WINDOWS_TARGETS = {"amd64": "x86_64-pc-windows-msvc", "arm64": "arm64-pc-windows-msvc", "win32": "i686-pc-windows-msvc"}

OPENMP_PROBE = "#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }\n"


def machine_of(plat_name):
    """'linux-x86_64' -> 'x86_64'. A universal macOS build names no single machine and so gets the baseline alone."""
    return plat_name.lower().rsplit("-", 1)[-1]


def sanitize_flags():
    names = os.environ.get("LSTMC_SANITIZE", "")
    return (f"-fsanitize={names}", "-fno-omit-frame-pointer", "-g") if names else ()


class BuildKernels(build_ext):
    """build_ext that compiles one object per ISA, each in its own folder, and hands them to `CORE`."""

    def finalize_options(self):
        super().finalize_options()
        if self.parallel is None:
            self.parallel = os.cpu_count() or 1

    def build_extensions(self):
        translate(self.extensions)
        machine = machine_of(self.plat_name)
        windows = self.compiler.compiler_type == "msvc"
        if windows:
            self.use_clang_cl()
        else:       # some interpreters have every extension look for libraries where they themselves were installed
            self.compiler.linker_so = [flag for flag in self.compiler.linker_so if not flag.startswith("-Wl,-rpath")]
        isas = [isa for isa in ISAS if not isa.machines or machine in isa.machines]
        compile_flags, link_flags = self.common_flags(windows)
        print(f"lstmc: building {', '.join(isa.name for isa in isas)} for {machine}", flush=True)

        stamp = self.stamp(repr((isas, compile_flags, MODULE_FLAGS, SMALL_MODULE_FLAGS, SMALL, link_flags, DIRECTIVES)))
        for ext in self.extensions:
            small = ext.name.rpartition(".")[2] in SMALL
            ext.extra_compile_args = self.spelled([*compile_flags, *(SMALL_MODULE_FLAGS if small else MODULE_FLAGS)])
            ext.extra_link_args = link_flags
            ext.depends = [*ext.depends, stamp]
            if ext.name == CORE:
                ext.extra_objects = self.kernel_objects(ext, isas, compile_flags)
        super().build_extensions()

    def use_clang_cl(self):
        """Have setuptools call clang-cl where it would call cl: its options, Visual Studio's headers and linker."""
        if not self.compiler.initialized:
            self.compiler.initialize(self.plat_name)
        folders = [os.environ.get("PATH", ""), os.path.join(os.environ.get("PROGRAMFILES", ""), "LLVM", "bin")]
        found = shutil.which("clang-cl", path=os.pathsep.join(folders))
        if not found:
            raise CompileError("lstmc: clang-cl was not found; it comes with LLVM (https://llvm.org) and as a component of Visual Studio")
        self.compiler.cc = found

    def spelled(self, flags):
        """Flags as the compiler takes them."""
        return [f"/clang:{flag}" for flag in flags] if self.compiler.compiler_type == "msvc" else [*flags]

    def common_flags(self, windows):
        """Flags of every file: (compile, link)."""
        if windows:
            return [f"--target={WINDOWS_TARGETS[machine_of(self.plat_name)]}", *FLAGS], []
        extra = sanitize_flags()
        openmp = self.openmp_flags()
        small = sys.platform == "linux" and not extra
        lean = (*LINUX, *(LINUX_X86 if machine_of(self.plat_name) in X86 else ())) if small else ()
        return [*FLAGS, *openmp, *extra, *lean], [*openmp, *extra, *(LINUX_LINK if small else ())]

    def openmp_flags(self):
        if os.environ.get("LSTMC_NO_OPENMP", "0") not in ("", "0"):
            print("lstmc: building without OpenMP, as LSTMC_NO_OPENMP asks: kernels run on one thread", flush=True)
            return ()
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text(OPENMP_PROBE)
            command = [*self.compiler.linker_exe, "-fopenmp", str(source), "-o", str(Path(folder, "probe"))]
            works = subprocess.run(command, capture_output=True, check=False).returncode == 0
        if works:
            return ("-fopenmp",)
        print("lstmc: this compiler cannot build with -fopenmp: kernels run on one thread", flush=True)
        return ()

    def stamp(self, text):
        """A file that is newer than the last build exactly when the flags have changed since; every extension depends on it."""
        path = Path(self.build_temp, "lstmc-flags.txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
        return str(path)

    def kernel_objects(self, ext, isas, compile_flags):
        """Compile dispatch.c and each ISA file, unless `ext` is up to date; the object files in a fixed order."""
        if not self.force and not newer_group(ext.sources + ext.depends, self.get_ext_fullpath(ext.name), "newer"):
            return []
        have = [(f"LSTMC_HAVE_{isa.name.upper()}", "1") for isa in isas]
        jobs = [("dispatch", f"{CSRC}/dispatch.c", (), have)]
        jobs += [(isa.name, isa.source, isa.flags, []) for isa in isas]

        def compile_one(job):
            name, source, flags, macros = job
            return self.compiler.compile(
                [source],
                output_dir=os.path.join(self.build_temp, "isa", name),
                macros=macros,
                include_dirs=[CSRC],
                extra_postargs=self.spelled([*compile_flags, *flags]),
                depends=ext.depends,
            )

        with ThreadPoolExecutor(max_workers=int(self.parallel)) as pool:
            return [path for objects in pool.map(compile_one, jobs) for path in objects]


def extensions():
    """One extension per .pyx in kernels/. All depend on the whole of csrc/, so that a header edit rebuilds every object."""
    csrc = sorted(glob(f"{CSRC}/**/*.[ch]", recursive=True))
    return [
        Extension(
            f"lstmc.kernels.{Path(path).stem}",
            [path],
            include_dirs=[CSRC],
            libraries=[] if os.name == "nt" else ["m"],
            depends=csrc,
        )
        for path in sorted(glob("src/lstmc/kernels/*.pyx"))
    ]


def translate(found):
    """Give extensions C texts in place of Cython's; for sdists and metadata nobody needs them."""
    made = cythonize(found, include_path=["src"], build_dir="build/cython", compiler_directives=DIRECTIVES)
    for ext, translated in zip(found, made, strict=True):
        ext.sources = translated.sources


class Sdist(sdist):
    """sdist whose archive has nothing of the time and the machine it was made at, where SOURCE_DATE_EPOCH gives a time."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, owner=None, group=None):
        epoch = os.environ.get("SOURCE_DATE_EPOCH")
        if epoch is None or format != "gztar":
            return super().make_archive(base_name, format, root_dir, base_dir, owner, group)

        def plain(member):
            member.mtime, member.uid, member.gid, member.uname, member.gname = int(epoch), 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            return member

        name = f"{base_name}.tar.gz"
        with open(name, "wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=int(epoch)) as packed, tarfile.open(name, "w", fileobj=packed) as archive:
            archive.add(base_dir, filter=plain)     # in the order of names
        return name


os.umask(0o022)     # the files of a wheel have the same modes whoever builds it
setup(ext_modules=extensions(), cmdclass={"build_ext": BuildKernels, "sdist": Sdist})
