"""CPUs that the host leaves to a process: quotas of control groups as Linux writes them, affinity, threads that cannot be had."""

import os

import pytest

from lstmc.kernels import core, cpus
from processes import printed

V1 = "7:memory:/pod/me\n4:cpuacct,cpu:/pod/me\n"
V2 = "0::/pod/me\n"
NEEDS = pytest.mark.parametrize("version", [1, 2])


def host(tmp_path, version, quotas, root="/"):
    """A procfs and control groups under tmp_path: quotas by group, in CPUs of a period of 100 ms."""
    mount = tmp_path / "groups"
    for group, quota in quotas.items():
        folder = mount / os.path.relpath(group, root)
        folder.mkdir(parents=True, exist_ok=True)
        text = "max" if quota is None else str(int(quota * 100_000))
        if version == 2:
            (folder / "cpu.max").write_text(f"{text} 100000\n")
        else:
            (folder / "cpu.cfs_quota_us").write_text(f"{'-1' if quota is None else text}\n")
            (folder / "cpu.cfs_period_us").write_text("100000\n")
    me = tmp_path / "proc" / "self"
    me.mkdir(parents=True)
    (me / "cgroup").write_text(V2 if version == 2 else V1)
    kind = "cgroup2 cgroup2 rw" if version == 2 else "cgroup cgroup rw,cpuacct,cpu"
    (me / "mountinfo").write_text(f"22 1 0:21 / /proc rw - proc proc rw\n31 22 0:27 {root} {mount} rw,nosuid - {kind}\n")
    return tmp_path / "proc"


@NEEDS
@pytest.mark.parametrize("quota", [0.5, 1, 1.5, 3])
def test_the_quota_of_the_own_group(tmp_path, version, quota):
    assert cpus.quota_cpus(host(tmp_path, version, {"/pod/me": quota})) == quota


@NEEDS
def test_the_least_quota_of_all_groups_above_counts(tmp_path, version):
    assert cpus.quota_cpus(host(tmp_path, version, {"/": None, "/pod": 2.5, "/pod/me": 4})) == 2.5


@NEEDS
def test_no_quota(tmp_path, version):
    assert cpus.quota_cpus(host(tmp_path, version, {"/": None, "/pod/me": None})) is None


@NEEDS
def test_a_container_that_sees_its_own_group_only(tmp_path, version):
    """The path is the host's, and what is mounted begins at that group."""
    assert cpus.quota_cpus(host(tmp_path, version, {"/pod/me": 1.25}, root="/pod/me")) == 1.25


@NEEDS
def test_a_container_whose_path_is_not_mounted(tmp_path, version):
    assert cpus.quota_cpus(host(tmp_path, version, {"/other": 1.25}, root="/other")) == 1.25


@pytest.mark.parametrize("text", ["", "0::", "nonsense", "4:cpu:/pod/me\n"])
def test_what_cannot_be_read_is_no_quota(tmp_path, text):
    proc = host(tmp_path, 2, {"/pod/me": 1})
    (proc / "self" / "cgroup").write_text(text)
    (proc / "self" / "mountinfo").write_text("31 22 0:27\nnonsense - cgroup2\n")
    assert cpus.quota_cpus(proc) is None
    assert cpus.quota_cpus(tmp_path / "nowhere") is None


@pytest.mark.parametrize(("quota", "n"), [(0.3, 1), (1, 1), (1.9, 1), (2, 2), (None, 5), (64, 5)])
def test_threads_under_a_quota(monkeypatch, quota, n):
    monkeypatch.setattr(cpus, "quota_cpus", lambda: quota)
    monkeypatch.setattr(cpus, "affinity_cpus", lambda counted: 5)
    assert cpus.available_cpus() == n


@pytest.mark.parametrize("names", [{"OMP_PROC_BIND": "true"}, {"OMP_PLACES": "cores"}, {"OMP_PROC_BIND": "spread", "OMP_PLACES": "threads"}],
                         ids=lambda names: "-".join(names))
def test_binding_hides_no_cpu(names):
    code = "import lstmc; print(lstmc.get_num_threads())"
    assert printed(code, **names) == printed(code)


ONE_CPU = """
import os
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
import lstmc
print(lstmc.get_num_threads())
"""


def test_affinity_counts():
    assert printed(ONE_CPU) == ("1" if hasattr(os, "sched_setaffinity") else str(core.max_threads()))


NONE_LEFT = """
import os, resource, sys, threading
import numpy as np
from lstmc import nn
from lstmc.kernels import contention, core
from lstmc.kernels.linear import linear_bwd
m, x = nn.LSTM(64, 256, seed=0), np.ones((20, 32, 64), "float32")
want = m(x, threads=1)[0]
{before}
linux = sys.platform.startswith("linux")        # elsewhere the limit counts no threads
if linux:
    if os.getuid() == 0:                        # nothing limits root
        os.setgid(65534), os.setuid(65534)
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
    try:
        threading.Thread(target=print).start()
    except RuntimeError:
        linux = False
print(not linux and np.array_equal(m(x, threads=4)[0], want))
"""


def test_where_no_thread_can_be_started_a_call_runs_on_one():
    assert printed(NONE_LEFT.replace("{before}", "")) == "True"


# Six tiles of features in parts of two, so that the OpenMP library lets the fourth thread go.
THREE = """
contention.start_with(3600.0)
m(x, threads=4)
a, w, dy = (np.ones(shape, "float32") for shape in ((64, 6 * core.tile_rows()), (6 * core.tile_rows(), 32), (64, 32)))
linear_bwd(a, w, dy, None, np.empty_like(w), None, 4)
"""


def test_threads_that_the_library_has_let_go_are_tried_again():
    assert printed(NONE_LEFT.replace("{before}", THREE)) == "True"
