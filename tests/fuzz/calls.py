"""The fuzzer: rounds of calls (rounds.py) in a process for every instruction set and number of threads, whose digests must be one.

    python tests/fuzz/calls.py --seconds 60 --seed 0
    python tests/fuzz/calls.py --seed 0 --round 123         one round again, in this process
    python tests/fuzz/calls.py --guarded                    on workspaces of exact size, full of NaN, between forbidden pages

A process that crashes or does not answer, a result that is not the reference's, bits that differ between two ways or two processes, and a wrong
call that is not refused end the run with the seed and the round. The baseline has bits of its own.
"""

import argparse
import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1])]

from fuzz import rounds  # noqa: E402
from guarded import guarded  # noqa: E402
from lstmc import build_info  # noqa: E402

THREADS = (1, 4)        # of processes on one instruction set; calls draw numbers of their own besides
PATIENCE = 300          # seconds that a round may take, however busy the machine is


class Worker:
    """A process that answers the number of a round with its digest."""

    def __init__(self, isa, threads, seed, compare, guard):
        self.isa, self.threads = isa, threads
        command = [sys.executable, "-W", "error", __file__, "--worker", "--seed", str(seed)] + ["--compare"] * compare + ["--guarded"] * guard
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=os.environ | {"LSTMC_ISA": isa, "LSTMC_NUM_THREADS": str(threads)})

    @property
    def name(self):
        return f"{self.isa} on {self.threads} thread{'s' * (self.threads > 1)}"

    def ask(self, number):
        with contextlib.suppress(BrokenPipeError):      # `answer` tells what became of it
            print(number, file=self.process.stdin, flush=True)

    def answer(self):
        """The digest, or None from a process that has ended."""
        return self.process.stdout.readline().strip() or None

    def end(self):
        """Its exit status, as a text."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        code = self.process.wait()
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def played(seed, number, compare, guard):
    """The digest of a round."""
    with guarded() if guard else contextlib.nullcontext():
        return rounds.run(seed, number, compare)


def work(seed, compare, guard):
    """What a worker does: rounds whose numbers come on standard input, until one goes wrong."""
    for line in sys.stdin:
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        try:
            print(played(seed, int(line), compare, guard), flush=True)
        except Exception:
            traceback.print_exc()
            sys.exit(1)
    faulthandler.cancel_dump_traceback_later()


def disagreement(digests):
    """What is wrong with the digests of a round, by (instruction set, threads); None if nothing is."""
    for promise in (lambda isa: isa != "baseline", lambda isa: isa == "baseline"):
        found = {key: d for key, d in digests.items() if promise(key[0])}
        if len(set(found.values())) > 1:
            return "; ".join(f"{isa} on {threads}: {d}" for (isa, threads), d in found.items())
    return None


def play(seed, first, last, seconds, isas, guard):
    """Rounds first .. last-1, or until the time is over; returns how many, and what went wrong, if anything did."""
    workers = [Worker(isa, threads, seed, not i and not j, guard) for i, isa in enumerate(isas) for j, threads in enumerate(THREADS)]
    end, number, wrong = time.monotonic() + seconds, first, []
    while number != last and time.monotonic() < end and not wrong:
        for w in workers:
            w.ask(number)
        digests = {(w.isa, w.threads): w.answer() for w in workers}
        if None in digests.values():
            wrong += [f"{w.name} ended ({w.end()})" for w in workers if digests[w.isa, w.threads] is None]
        elif text := disagreement(digests):
            wrong.append(f"digests differ: {text}")
        number += not wrong
    for w in workers:
        w.end()
    return number - first, [f"seed {seed}, round {number}: {text}" for text in wrong]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (%(default)s)")
    parser.add_argument("--rounds", type=int, help="at most so many rounds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first round")
    parser.add_argument("--isas", help="comma-separated; all usable ones by default")
    parser.add_argument("--round", type=int, help="this one round, in this process")
    parser.add_argument("--guarded", action="store_true", help="on workspaces of exact size, full of NaN, between forbidden pages")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--compare", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        work(given.seed, given.compare, given.guarded)
        return 0
    if given.round is not None:
        print(rounds.draw(given.seed, given.round), played(given.seed, given.round, True, given.guarded), sep="\n")
        return 0
    isas = given.isas.split(",") if given.isas else build_info()["isas"]
    last = None if given.rounds is None else given.first + given.rounds
    start = time.monotonic()
    done, wrong = play(given.seed, given.first, last, given.seconds, isas, given.guarded)
    print(f"{done} rounds of seed {given.seed} in {time.monotonic() - start:.0f} s on {', '.join(isas)}, on {' and '.join(map(str, THREADS))} threads: "
          f"{'as they must be' if not wrong else 'then:'}", *wrong, sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
