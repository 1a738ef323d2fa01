"""`python -m lstmc info`: what was built, what is in use, and what the machine offers.

Facts that a platform does not tell are None, in JSON null.
"""

import json
import os
import platform
import subprocess
from pathlib import Path

import numpy as np

from lstmc.kernels.core import available_cpus
from lstmc.runtime import build_info

ENVIRONMENT = ("LSTMC_ISA", "LSTMC_NUM_THREADS", "OMP_NUM_THREADS")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


def run(options):
    """Print the facts."""
    found = facts()
    print(json.dumps(found, indent=2) if options.json else table(found))


def facts():
    """Everything `info` prints, JSON types only: the entries of `lstmc.build_info` and those of the machine."""
    return {
        **build_info(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cpus": os.cpu_count(),
        "cpus_usable": available_cpus(),
        "caches": caches(),
        "memory": memory(),
        "environment": {name: os.environ.get(name) for name in ENVIRONMENT},
    }


def table(found):
    """`facts` as lines for people."""
    rows = {
        "lstmc": found["version"],
        "instruction set": f"{found['isa']} (usable here: {', '.join(found['isas'])})",
        "threads": f"up to {found['threads']}",
        "OpenMP": "yes" if found["openmp"] else "no: kernels run on one thread",
        "compiler": found["compiler"],
        "Python": found["python"],
        "NumPy": found["numpy"],
        "platform": found["platform"],
        "processor": found["cpu"] or "unknown",
        "CPUs": f"{found['cpus_usable']} usable of {found['cpus']}",
        "caches": ", ".join(f"{name} {size_text(size)}" for name, size in found["caches"].items()) or "unknown",
        "memory": size_text(found["memory"]) if found["memory"] else "unknown",
        **{name: value for name, value in found["environment"].items() if value is not None},
    }
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())


def size_text(size):
    """1048576 -> '1 MiB'."""
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} GiB"


def cpu_name():
    """The processor's name, or None."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "Model", "cpu model") and value.strip():
                return value.strip()
    except OSError:
        return sysctl("machdep.cpu.brand_string") or platform.processor() or None
    return platform.processor() or platform.machine() or None


def caches():
    """Bytes of the data caches that the first CPU sees, by name from L1d outwards."""
    found = {}
    for level in sorted(CACHES.glob("index*")):
        try:
            number, kind, size = ((level / name).read_text().strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        if kind != "Instruction" and size[:-1].isdigit():
            found[f"L{number}" + "d" * (kind == "Data")] = int(size[:-1]) * {"K": 2**10, "M": 2**20, "G": 2**30}[size[-1]]
    if not found:
        for name, key in (("L1d", "hw.l1dcachesize"), ("L2", "hw.l2cachesize"), ("L3", "hw.l3cachesize")):
            size = sysctl(key)
            if size and size.isdigit() and int(size):
                found[name] = int(size)
    return found


def memory():
    """Bytes of memory of the machine, or of the control group if it grants less; None if unknown."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total


def sysctl(key):
    """A value of macOS' sysctl, or None."""
    if platform.system() != "Darwin":
        return None
    try:
        done = subprocess.run(["sysctl", "-n", key], capture_output=True, text=True, check=False, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
