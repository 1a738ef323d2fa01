"""How many CPUs the host leaves to this process: affinity and the quotas of control groups, of both versions."""

import os
from pathlib import Path

PROC = Path("/proc")


def available_cpus(counted=0):
    """CPUs that affinity and quota leave; at least 1. counted: as of `affinity_cpus`.

    A quota of 1.5 CPUs counts as 1: threads that wait for each other use the quota up as well, and a group that has used it up
    stands still for the rest of its period.
    """
    quota = quota_cpus()
    n = affinity_cpus(counted)
    return n if quota is None else max(1, min(n, int(quota)))


def affinity_cpus(counted=0):
    """CPUs that any thread of this process may run on. counted: those that the OpenMP library found when it was loaded.

    OMP_PROC_BIND and OMP_PLACES bind the first thread to one place of many as soon as such a library is loaded, so that thread's own
    affinity says little then: other threads, and the library's count from before it bound anything, say more.
    """
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cpus = set(os.sched_getaffinity(0))
    for thread in _threads():
        try:
            cpus |= os.sched_getaffinity(thread)
        except OSError:                 # it has ended meanwhile
            continue
    return max(len(cpus), counted if _binds() else 0)


def _threads():
    try:
        return [int(name) for name in os.listdir(PROC / "self" / "task")]
    except (OSError, ValueError):
        return []


def _binds():
    return os.environ.get("OMP_PROC_BIND", "false").strip().lower() not in ("", "false") or bool(os.environ.get("OMP_PLACES"))


def quota_cpus(proc=PROC):
    """CPUs that control groups grant, a fraction perhaps, or None: the least of the process's group and those above it.

    Parameters
    ----------
    proc : Path
        Where procfs is mounted.
    """
    grants = []
    try:
        groups = [line.rstrip("\n").split(":", 2) for line in (proc / "self" / "cgroup").read_text().splitlines()]
        mounts = [_mount(line) for line in (proc / "self" / "mountinfo").read_text().splitlines()]
    except (OSError, ValueError):
        return None
    for _, controllers, path in (group for group in groups if len(group) == 3):
        for root, point, kind, options in (mount for mount in mounts if mount):
            if not controllers and kind == "cgroup2":
                grants += _grants(point, root, path, _quota_v2)
            elif kind == "cgroup" and "cpu" in controllers.split(",") and "cpu" in options.split(","):
                grants += _grants(point, root, path, _quota_v1)
    return min(grants, default=None)


def _mount(line):
    """(root, mount point, file system, its options) of a line of mountinfo, or None."""
    before, separator, after = line.partition(" - ")
    fields, end = before.split(), after.split()
    if not separator or len(fields) < 5 or len(end) < 3:
        return None
    return _plain(fields[3]), Path(_plain(fields[4])), end[0], end[2]


def _plain(text):
    """A path of mountinfo, in which blanks are written as octal numbers."""
    return text.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")


def _grants(point, root, path, quota):
    """Quotas of the group at `path` and of all above it, as far as the mount shows them: a container may see its own group only."""
    inside = os.path.relpath(path, root)
    parts = [] if inside == "." or inside.startswith("..") else inside.split("/")
    found = (quota(point.joinpath(*parts[:n])) for n in range(len(parts) + 1))
    return [cpus for cpus in found if cpus is not None]


def _quota_v2(group):
    try:
        quota, period = (group / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _quota_v1(group):
    try:
        quota, period = (int((group / f"cpu.cfs_{name}_us").read_text()) for name in ("quota", "period"))
        return quota / period if quota > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None
