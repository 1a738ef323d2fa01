"""A contender's own process: `python -m lstmc.bench.worker MODULE:CLASS THREADS` answers one request after another.

Requests come on standard input and answers leave on standard output, both pickled; whatever a library prints goes to standard
error. A request is the name of a method of `Worker` and its arguments; an answer is a pair: "ok" and what the method
returned, or how it failed (unsupported, wrong, failed) and why. The first answer comes unasked: "ok" and a line about the
library, or "missing" and why it cannot be used. The process ends with its input.
"""

import gc
import importlib
import os
import pickle
import signal
import sys
import time
import warnings

from lstmc.bench.contenders import Unsupported, WrongResult
from lstmc.bench.machine import settle
from lstmc.bench.truth import verify

LONG = 0.05             # seconds of a call after which a call that is not counted would change nothing


class Worker:
    """One contender at a time, of one class."""

    def __init__(self, kind):
        self.kind, self.side = kind, None

    def build(self, case, options):
        """Take a case; `options` are keywords of the class."""
        self.drop()
        self.side = self.kind(case, **options)

    def verify(self, want):
        """Compare all results with `truth.expected`."""
        verify(self.side, want)

    def calls(self, seconds):
        """(calls in a block of about `seconds`, whether one before it is worth its time)."""
        side = self.side
        settle()
        with side.ready():
            side.run()
            start, n = time.perf_counter(), 0
            while n < 1 or time.perf_counter() - start < seconds / 4:
                side.run()
                n += 1
            each = (time.perf_counter() - start) / n
        return max(1, round(seconds / each)), each < LONG

    def block(self, calls, warm):
        """Seconds a call, from when the library's own threads have gone to sleep after the block before."""
        settle()
        run = self.side.run
        with self.side.ready():
            if warm:
                run()
            start = time.perf_counter()
            for _ in range(calls):
                run()
            return (time.perf_counter() - start) / calls

    def rest(self):
        """Answer only when this process uses no CPU."""
        settle()

    def drop(self):
        """Forget the case."""
        self.side = None
        gc.collect()


def load(spec):
    """The class that "module:Class" names."""
    name, _, kind = spec.partition(":")
    return getattr(importlib.import_module(name), kind)


def reason(error):
    """Why a library cannot be imported, in a few words."""
    return "not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be imported: {error}"


def serve(source, sink, spec, threads):
    """Answer until the source ends."""
    def answer(how, value=None):
        pickle.dump((how, value), sink)
        sink.flush()

    try:
        kind = load(spec)
        about = kind.use(threads)
    except ImportError as error:
        return answer("missing", reason(error))
    except Exception as error:
        return answer("missing", f"cannot be used: {type(error).__name__}: {error}")
    answer("ok", about)
    worker = Worker(kind)
    while True:
        try:
            request, *arguments = pickle.load(source)
        except EOFError:
            return None
        try:
            value = getattr(worker, request)(*arguments)
        except Unsupported as error:
            answer("unsupported", str(error))
        except WrongResult as error:
            answer("wrong", str(error))
        except Exception as error:      # whatever a library raises is its cell's text and nobody else's end
            answer("failed", f"{type(error).__name__}: {error}")
        else:
            answer("ok", value)


def tie_to_parent():
    """Let Linux end this process with the one that started it, even while it is stopped."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGKILL)      # PR_SET_PDEATHSIG


def main():
    tie_to_parent()
    warnings.simplefilter("ignore")     # they are for the users of a library, not for the readers of a table
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, sink, sys.argv[1], int(sys.argv[2]))


if __name__ == "__main__":
    main()
