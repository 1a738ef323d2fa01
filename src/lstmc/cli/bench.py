"""`python -m lstmc bench`: recurrent networks of many shapes against the machine's own limits and against other libraries."""

import contextlib
import json
import sys

import lstmc
from lstmc.bench import compare, groups, peers, plot
from lstmc.bench.contenders import WrongResult
from lstmc.bench.run import Benchmark


def run(options):
    """Measure, or compare two files; returns the exit status."""
    if options.compare:
        return compare.run(*options.compare, options.tolerance, options.force)
    if options.plot:
        try:
            plot.library()
        except ImportError as error:
            return refuse(error)
    with lstmc.threads(options.threads or lstmc.get_num_threads()):
        return measure(options)


def measure(options):
    """Start the benchmark, and end its processes whatever happens."""
    try:
        benchmark = Benchmark(options.quick, options.filter, options.rounds, options.peers, options.isa_peers, options.crowded)
    except LookupError as error:
        return refuse(error.args[0])
    with contextlib.closing(benchmark):
        return follow(benchmark, options)


def follow(benchmark, options):
    """Run a benchmark that has started, say and write what the options ask for; whatever ends it, what it has measured is shown and kept."""
    if options.peers and benchmark.missing:
        return refuse("; ".join(f"--peers: {name}: {why}" for name, why in benchmark.missing.items())
                      + f'; pip install "lstmc[bench]" installs {", ".join(peers.QUICK)}')
    status = 0
    try:
        benchmark.run(lambda text: print(text, flush=True))
    except KeyboardInterrupt:
        print(f"\ninterrupted after {len(benchmark.measured)} of {len(benchmark.cases)} cases")
        status = 130
    except WrongResult as error:
        print(f"WRONG RESULT: {error}", file=sys.stderr)
        status = 1
    if text := groups.summary(benchmark.rows):
        print(f"\n{text}")
    if options.json:
        options.json.write_text(json.dumps(benchmark.facts(), indent=1) + "\n")
    if options.plot:
        try:
            plot.draw(benchmark.facts(), options.plot)
        except LookupError as error:
            return status or refuse(error.args[0])
    return status


def refuse(why):
    print(f"python -m lstmc bench: {why}", file=sys.stderr)
    return 2
