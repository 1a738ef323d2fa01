"""Whether the object of each instruction set has that set's instructions, and none that are wider.

    python tests/packaging/objects.py BUILD/temp.*/isa
"""

import re
import subprocess
import sys
from pathlib import Path

# of an object's folder: what its disassembly must have, and may not
SETS = {
    "dispatch": (None, r"%[yz]mm\d"),
    "baseline": (r"%xmm\d", r"%[yz]mm\d|\bvf"),
    "avx2": (r"\bvfn?madd\w+\s.*%ymm\d", r"%zmm\d|%k[0-7]|%[xy]mm(?:1[6-9]|2\d|3[01])\b|\{"),
    "avx512": (r"\bvfn?madd\w+\s.*%zmm\d", None),
}


def main(folder):
    wrong = []
    for name, (needs, forbids) in SETS.items():
        for path in (found := sorted(Path(folder, name).rglob("*.o"))):
            text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(path)], capture_output=True, text=True, check=True).stdout
            if needs and not re.search(needs, text):
                wrong.append(f"{path}: lacks {needs}")
            if forbids and (match := re.search(rf".*(?:{forbids}).*", text)):
                wrong.append(f"{path}: has {match[0].strip()}")
        if not found:
            wrong.append(f"{folder}: no object of {name}")
    print(f"{', '.join(SETS)}: {'as they should be' if not wrong else 'wrong'}")
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
