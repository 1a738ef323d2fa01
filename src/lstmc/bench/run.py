"""The benchmark from options to report: what takes part, the header, the rows as they come, what is kept of them."""

import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime

import lstmc
from lstmc.bench import groups, peers, report
from lstmc.bench.cases import CASES, QUICK
from lstmc.bench.children import Child, Missing
from lstmc.bench.contenders import Unsupported
from lstmc.bench.machine import Machine
from lstmc.bench.rounds import measure
from lstmc.cli.info import cpu_name

FORMAT = 1              # of the JSON files
BUSY = "from lstmc.bench.worker import tie_to_parent; tie_to_parent()\nwhile True: pass"


class Benchmark:
    """One run of the command.

    Parameters
    ----------
    quick : bool
        The short list and short blocks.
    text : str
        Only cases whose name contains it.
    rounds : int or None
        None: 7, or 5 if quick. Everyone has as many threads as lstmc is set to.
    names : list of str or None
        Peers; None for all, or those that need no compilation if quick.
    held : str or None
        "avx2": peers that can be held to these instructions take part once more, held, for lstmc on the same ones.
    crowded : int
        So many processes keep a CPU busy each meanwhile; lstmc takes part once more on one thread, blocks are long, and figures are
        means, since what a late thread costs now and then is what is measured.

    Attributes
    ----------
    rows : list of dict
        As `report.rows` gives them, of the cases measured so far.
    missing : dict
        Peer that cannot be used -> why.
    left_out : dict
        Case that lstmc cannot run -> why.

    Notes
    -----
    Every contender has a process from here until `close`.
    """

    def __init__(self, quick=False, text="", rounds=None, names=None, held=None, crowded=0):
        self.cases = [case for case in CASES if text in case.id and (not quick or case.id in QUICK)]
        if not self.cases:
            raise LookupError(f"no case{' of the quick list' * quick} contains {text!r}; there are: "
                              f"{', '.join(case.id for case in CASES if not quick or case.id in QUICK)}")
        self.threads = lstmc.get_num_threads()
        self.rounds = rounds or (5 if quick else 7)
        self.crowded = crowded
        self.seconds = 1.0 if crowded else 0.02 if quick else 0.06
        info = lstmc.build_info()
        self.isas = {report.SELF: info["isa"]} | ({report.AVX2: "avx2"} if "avx2" in info["isas"] and info["isa"] != "avx2" else {})
        if held and held not in self.isas.values():
            raise LookupError(f"peers held to {held} have nothing to be compared with: lstmc has no {held} kernels for this machine")
        self.width = max(34, *(len(case.id) for case in self.cases))
        self.machine = Machine(list(self.isas.values()), self.threads)
        self.measured, self.finished, self.left_out = [], False, {}
        self.children, self.peers, self.missing, self.busy = [], {}, {}, []
        try:
            self._start((peers.QUICK if quick else peers.NAMES) if names is None else names, held)
        except BaseException:
            self.close()
            raise

    def _start(self, names, held):
        """All processes at once, then whatever each says of itself."""
        for name, isa in self.isas.items():
            self.children.append(Child(name, "lstmc.bench.contenders:Lstmc", self.threads, {"isa": isa}, own=True))
        if self.crowded:
            self.children.append(Child(report.ALONE, "lstmc.bench.contenders:Lstmc", 1, {"isa": self.isas[report.SELF]}, own=True))
        for name in names:
            self.children.append(Child(name, peers.NAMES[name], self.threads))
        for name, environment in peers.HELD[held].items() if held else ():
            if name in names:
                self.children.append(Child(f"{name}-{held}", peers.NAMES[name], self.threads, environment=environment))
        for child in list(self.children):
            try:
                about = child.hello()
                if not child.own:
                    self.peers[child.name] = about
            except Missing as error:
                if child.own:
                    raise
                self.missing[child.name] = str(error)
                child.close()
                self.children.remove(child)
        self.others = [child.name for child in self.children if child.name != report.SELF]

    def close(self):
        """End the processes."""
        for child in self.children:
            child.close()
        for process in self.busy:
            process.kill()
            process.wait()

    def run(self, say=print):
        """Measure all, saying a line for each."""
        start = time.perf_counter()
        load = load_text()
        self.machine.measure()
        self.busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(self.crowded)]
        self.about = self._about(load)
        say("\n".join(f"{name:<14} {value}" for name, value in self.about.items()))
        say(f"\n{report.columns(self.others, self.width)}")
        for case in self.cases:
            try:
                self.measured.append(measure(case, self.children, self.machine, self.rounds, self.seconds))
            except Unsupported as error:
                self.left_out[case.id] = str(error)
                say(f"{case.id:<{self.width}} {error}")
            else:
                say(report.line(report.row(self.measured[-1], self.machine, self.isas[report.SELF], self.average), self.others, self.width))
        best = self.machine.about()
        say("\nbest figures of the run:\n"
            + "\n".join(f"{name:<14} {value}" for name, value in best.items()))
        self.finished = True
        self.about |= best
        self.about["seconds"] = round(time.perf_counter() - start, 1)

    @property
    def rows(self):
        return report.rows(self.measured, self.machine, self.isas[report.SELF], self.average)

    @property
    def average(self):
        return statistics.fmean if self.crowded else statistics.median

    def _about(self, load):
        """What a reader must know to compare the figures with others."""
        info = lstmc.build_info()
        return {
            "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            "processor": f"{cpu_name() or 'unknown'}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}",
            "lstmc": f"{info['version']}, {info['compiler']}, OpenMP {'yes' if info['openmp'] else 'no'}",
            "isa": info["isa"],
            "threads": self.threads,
            "processes": "one each",
            "rounds": f"{self.rounds}, blocks of {self.seconds * 1e3:.0f} ms",
            "load": load,
            **({"busy": f"{self.crowded} processes; figures are means"} if self.crowded else {}),
            **self.peers,
            **self.missing,
            **self.machine.about(),
        }

    def facts(self):
        """Everything, each round included, JSON types only."""
        return {"format": FORMAT, "about": getattr(self, "about", {}), "finished": self.finished, "machine": self.machine.facts(),
                "groups": groups.groups(self.rows), "rows": self.rows, "left_out": self.left_out}


def load_text():
    """Processes that wanted a CPU in the last minute; a benchmark wants to be alone."""
    if not hasattr(os, "getloadavg"):
        return "unknown"
    one = os.getloadavg()[0]
    return f"{one:.2f}" + (" (other processes are running or have just been: figures may be too low and spread)" if one > 0.3 * os.cpu_count() else "")
