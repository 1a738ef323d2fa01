"""lstmc against torch in one process: every case is verified, then timed in turns.

    python benchmarks/run.py [--quick] [--filter train] [--threads N] [--dtype float64] [--json FILE]

Method. A contender's results are compared with the float64 reference first. Then each round gives lstmc, torch and the
multiply-add probe a block of calls each, the first of which is not counted; a block lasts long enough that the clock does
not matter. Before a block there is a pause in which the thread pool of the block before goes to sleep. Figures are medians
over rounds; the spread is that of lstmc's rounds, largest minus smallest over the median. The percentage is of the best that
the probe reached so far on as many threads: measured anew in every round, since clock rates drift, and never the lower one.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import contenders
import lstmc
from cases import CASES
from lstmc.cli.info import cpu_name
from peak import NoCompiler, Peak

PAUSE = 0.02            # seconds for a pool to fall asleep
COLUMNS = f"{'case':<28} {'lstmc us':>10} {'spread':>7} {'GF/s':>6} {'% peak':>7} {'torch us':>10} {'ratio':>6}"


def main():
    options = arguments()
    cases = [case for case in CASES if options.filter in case.id and not (options.quick and case.flops > 2e10)]
    if not cases:
        sys.exit(f"no case matches {options.filter!r}; there are: {', '.join(case.id for case in CASES)}")
    lstmc.set_num_threads(options.threads)
    torch = contenders.use_torch(options.threads)
    peak = probe(options.dtype)
    about = header(options, torch, peak)
    print("\n".join(f"{name:<13} {value}" for name, value in about.items()))
    print(f"\n{COLUMNS}")
    rows = []
    for case in cases:
        rows.append(measure(case, options, torch, peak))
        print(line(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"about": about, "rows": rows}, indent=2) + "\n")


def arguments():
    parser = argparse.ArgumentParser(description="lstmc against torch: verified, then timed in turns.")
    parser.add_argument("--quick", action="store_true", help="leave out the largest cases and use short blocks")
    parser.add_argument("--filter", default="", metavar="TEXT", help="only cases whose name contains TEXT")
    parser.add_argument("--threads", type=int, default=lstmc.get_num_threads(), metavar="N")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--rounds", type=int, default=None, metavar="N", help="default: 7, with --quick 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured, each round included")
    options = parser.parse_args()
    options.rounds = options.rounds or (5 if options.quick else 7)
    return options


def probe(dtype):
    """A Peak for the best instruction set here, or None where there is no compiler."""
    try:
        return Peak(lstmc.build_info()["isas"][0], dtype)
    except NoCompiler as error:
        print(f"the peak cannot be measured, so there are no percentages: {error}\n")
        return None


def header(options, torch, peak):
    """What a reader must know to compare the figures with others."""
    info = lstmc.build_info()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{cpu_name()}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}",
        "lstmc": f"{info['version']}, {info['isa']}, {info['compiler']}, OpenMP {'yes' if info['openmp'] else 'no'}",
        "torch": f"{torch.__version__}, {torch.backends.cpu.get_cpu_capability()}" if torch else "not installed: no ratios",
        "threads": options.threads,
        "dtype": options.dtype,
        "rounds": options.rounds,
        "peak": peak_text(peak, options.threads),
        "load": load(),
    }


def peak_text(peak, threads):
    if peak is None:
        return "not measured"
    rates = [f"{max(peak.measure(n, 0.1) for _ in range(3)):.0f} GF/s on {n}" for n in sorted({1, threads})]
    return f"{', '.join(rates)} ({peak.isa})"


def load():
    """Processes that wanted a CPU in the minute before the benchmark, which wants to be alone."""
    if not hasattr(os, "getloadavg"):
        return "unknown"
    one = os.getloadavg()[0]
    return f"{one:.2f}" + (" (other processes are running: figures are too low and spread)" if one > 0.3 * os.cpu_count() else "")


def measure(case, options, torch, peak):
    """One row: verify, then time in turns."""
    sides = {"lstmc": contenders.Lstmc(case, options.dtype)}
    if torch:
        sides["torch"] = contenders.Torch(case, options.dtype, torch)
    for name, side in sides.items():
        contenders.verify(name, side, case, options.dtype)
    calls = {name: calls_per_block(side, 0.02 if options.quick else 0.1) for name, side in sides.items()}
    rounds = {name: [] for name in sides}
    peaks = []
    for _ in range(options.rounds):
        for name, side in sides.items():
            rounds[name].append(block(side, calls[name]))
        if peak:
            time.sleep(PAUSE)
            peaks.append(peak.measure(options.threads, 0.01))
    median = {name: statistics.median(times) for name, times in rounds.items()}
    rate = case.flops / median["lstmc"] / 1e9
    return {
        "case": case.id,
        "lstmc_us": median["lstmc"] * 1e6,
        "spread": (max(rounds["lstmc"]) - min(rounds["lstmc"])) / median["lstmc"],
        "gflops": rate,
        "of_peak": rate / peak.best[options.threads] if peak else None,
        "torch_us": median["torch"] * 1e6 if torch else None,
        "ratio": median["torch"] / median["lstmc"] if torch else None,
        "rounds_us": {name: [t * 1e6 for t in times] for name, times in rounds.items()},
        "peak_gflops": peaks,
    }


def calls_per_block(side, seconds):
    """How many calls last about `seconds`; at least 2."""
    side.run()
    start, n = time.perf_counter(), 0
    while n < 3 or time.perf_counter() - start < seconds / 4:
        side.run()
        n += 1
    return max(2, round(seconds * n / (time.perf_counter() - start)))


def block(side, calls):
    """Seconds per call, over `calls` calls after one that wakes threads and caches up."""
    time.sleep(PAUSE)
    side.run()
    start = time.perf_counter()
    for _ in range(calls):
        side.run()
    return (time.perf_counter() - start) / calls


def line(row):
    """A row of the table."""
    percent, torch_us, ratio = row["of_peak"], row["torch_us"], row["ratio"]
    return (f"{row['case']:<28} {row['lstmc_us']:>10.1f} {row['spread']:>7.0%} {row['gflops']:>6.0f} "
            f"{'-' if percent is None else f'{percent:.0%}':>7} {'-' if torch_us is None else f'{torch_us:.1f}':>10} "
            f"{'-' if ratio is None else f'{ratio:.2f}':>6}")


if __name__ == "__main__":
    main()
