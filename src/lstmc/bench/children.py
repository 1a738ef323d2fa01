"""The directing side of a contender's process: started once, asked in turns, and stopped in between.

A library's thread pool looks for work for a while after each call, some for 40 ms and more and on every core, and would take
the core from whoever is timed next. A child therefore runs only while it is asked: SIGSTOP halts all of its threads as soon
as it has answered, and SIGCONT wakes them for its next turn, which begins when they have gone to sleep by themselves. Where
there are no such signals, a child is asked to come to rest before anyone else has a turn.

A child is in a process group of its own, so that an interrupt reaches the directing process alone. If that dies, its
children end: those that run find their input closed, those that are stopped get the SIGHUP of an orphaned group, and on Linux
all are killed. A child that dies is its own cell's error and is started anew for the next case.
"""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading

LIMIT = 900             # seconds after which a child that has not answered is ended
STOPS = hasattr(signal, "SIGSTOP")


class Missing(Exception):
    """The library cannot be used here; the text says why."""


class Failed(Exception):
    """A child did not do what it was asked; the text begins with unsupported, wrong or failed."""


class Child:
    """One contender's process for the whole benchmark.

    Parameters
    ----------
    name : str
        Of its column.
    spec : str
        "module:Class" of a Contender.
    threads : int
    options : dict, optional
        Keywords of the class beyond the case.
    environment : dict, optional
        Variables that differ from this process's.
    own : bool
        Whether it is lstmc itself, whose failure ends the benchmark.
    """

    def __init__(self, name, spec, threads, options=None, environment=None, own=False):
        self.name, self.spec, self.threads, self.own = name, spec, threads, own
        self.options, self.environment = options or {}, environment or {}
        self.start()

    def start(self):
        """Begin to import the library, without waiting for it: `hello` does."""
        path = os.pathsep.join(entry for entry in sys.path if entry)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lstmc.bench.worker", self.spec, str(self.threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": path} | self.environment, **({"process_group": 0} if STOPS else {}))

    def hello(self):
        """A line about the library.

        Raises
        ------
        Missing
            It cannot be used.
        """
        try:
            how, value = self._receive()
        except Failed as error:
            raise Missing(str(error)) from None
        if how != "ok":
            raise Missing(value)
        self._rest()
        return value

    def build(self, case):
        """Take a case, in a process that is started anew if it has died."""
        if self.process.poll() is not None:
            self.close()
            self.start()
            try:
                self.hello()
            except Missing as error:
                raise Failed(f"failed: {error}") from None
        self.ask("build", case, self.options)

    def ask(self, request, *arguments):
        """One turn: what the method of `worker.Worker` returns.

        Raises
        ------
        Failed
            It raised something, or the process died.
        """
        if STOPS:
            self.process.send_signal(signal.SIGCONT)
        self._send(request, *arguments)
        how, value = self._receive()
        self._rest()
        if how != "ok":
            raise Failed(f"{how}: {value}")
        return value

    def _rest(self):
        if STOPS:
            self.process.send_signal(signal.SIGSTOP)
        else:
            self._send("rest")
            self._receive()

    def _send(self, *request):
        try:
            pickle.dump(request, self.process.stdin)
            self.process.stdin.flush()
        except OSError:
            raise self._dead() from None

    def _receive(self):
        timer = threading.Timer(LIMIT, self.process.kill)
        timer.daemon = True
        timer.start()
        try:
            return pickle.load(self.process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            raise self._dead(late=not timer.is_alive()) from None
        finally:
            timer.cancel()

    def _dead(self, late=False):
        try:
            status = self.process.wait(10)
        except subprocess.TimeoutExpired:       # it closed its pipes and lives
            self.process.kill()
            status = self.process.wait()
        return Failed(f"failed: no answer in {LIMIT} seconds" if late else f"failed: exit status {status}")

    def close(self):
        """End the process, which has nothing to save."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):      # what a dead process has not read is lost
                pipe.close()
