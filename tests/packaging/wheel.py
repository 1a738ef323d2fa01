"""What a Linux wheel must be: only lstmc, typed, extensions that export their PyInit alone and bear no trace of where they were built.

    python tests/packaging/wheel.py DIST/*.whl [--most BYTES] [--again FOLDER]

Reads with binutils (nm, readelf, objdump); `objects.py` looks at the instructions of each instruction set before they are linked together.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath

KINDS = {".py", ".pyi", ".so", ".typed", ".npz", ".txt", ".md"}
NEEDS = {"numpy", "safetensors"}
ELSEWHERE = re.compile(rb"/(?:home|root|tmp|Users|build|work|project)/[\w./-]{3,}")
BESIDE = "$ORIGIN/../../lstmc.libs"     # where auditwheel puts libgomp
WIDE = re.compile(r"%[yz]mm\d|\bvf(?:n?m(?:add|sub))\w*")


def said(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def wrong_contents(names):
    for name in (name for name in names if not name.endswith("/")):
        path = PurePosixPath(name)
        if path.parts[0].endswith((".dist-info", ".libs")):
            continue
        if path.parts[0] != "lstmc" or "".join(path.suffixes[-1:]) not in KINDS or "csrc" in path.parts:
            yield f"{name}: does not belong in a wheel"
    if "lstmc/py.typed" not in names:
        yield "lstmc/py.typed: missing"


def wrong_metadata(text):
    fields = [line.split(": ", 1) for line in text.split("\n\n")[0].splitlines() if ": " in line]
    needs = {re.match(r"[\w-]+", value)[0] for name, value in fields if name == "Requires-Dist" and "extra ==" not in value}
    if needs != NEEDS:
        yield f"METADATA: needs {', '.join(sorted(needs))}"
    if not {"License-Expression", "License-File"} <= {name for name, _ in fields} or any("License ::" in value for _, value in fields):
        yield "METADATA: a license is an expression and a file, and no classifier"


def wrong_extension(path):
    exported = {line.split()[-1] for line in said("nm", "-D", "--defined-only", str(path)).splitlines()}
    if exported != {f"PyInit_{path.name.split('.')[0]}"}:
        yield f"{path.name}: exports {', '.join(sorted(exported))}"
    dynamic = said("readelf", "-d", str(path))
    if "TEXTREL" in dynamic:        # an entry of its own, or one of (FLAGS)
        yield f"{path.name}: has text relocations"
    for searched in re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", dynamic):
        if searched != BESIDE:
            yield f"{path.name}: has libraries looked for in {searched}"
    for found in ELSEWHERE.findall(path.read_bytes()):
        yield f"{path.name}: names {found.decode()}"
    if not path.name.startswith("core.") and WIDE.search(said("objdump", "-d", "--no-show-raw-insn", str(path))):
        yield f"{path.name}: has instructions beyond the baseline"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel")
    parser.add_argument("--most", type=int, help="bytes that the wheel may take where it is installed")
    parser.add_argument("--again", type=Path, help="a folder with lstmc built once more, elsewhere: each extension must be the same bytes")
    args = parser.parse_args()
    with zipfile.ZipFile(args.wheel) as wheel, tempfile.TemporaryDirectory() as folder:
        wrong = list(wrong_contents(set(wheel.namelist())))
        wrong += wrong_metadata(wheel.read(next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))).decode())
        extensions = [Path(wheel.extract(name, folder)) for name in wheel.namelist() if name.startswith("lstmc/") and name.endswith(".so")]
        size = sum(file.file_size for file in wheel.infolist())
        if not extensions:
            wrong.append("no extension at all")
        for path in extensions:
            wrong += wrong_extension(path)
            if args.again and path.read_bytes() != (args.again / path.relative_to(folder)).read_bytes():
                wrong.append(f"{path.name}: other bytes than in {args.again}")
    if args.most and size > args.most:
        wrong.append(f"installed, the wheel takes {size} bytes, more than {args.most}")
    print(f"{Path(args.wheel).name}: {Path(args.wheel).stat().st_size} bytes, installed {size}, {len(extensions)} extensions")
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
