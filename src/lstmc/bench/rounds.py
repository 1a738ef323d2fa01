"""How contenders are timed: verified first, then in turns.

In each round every contender gets a block of calls, in an order of the round's own, so that none always follows the same
other. A block lasts long enough that the clock does not matter, begins when the thread pool of the block before has gone
to sleep, and its first call, which wakes threads and caches up, is not counted. Then the machine's probes run. Figures are
medians over rounds.
"""

import gc
import random
import time

from lstmc.bench.contenders import Lstmc, Unsupported, WrongResult, expected, verify
from lstmc.bench.machine import settle

LONG = 0.05             # seconds of a call after which a call that is not counted would change nothing


class Measured:
    """Of one case: seconds a call by contender and round, flop/s of the probe by round, and who failed why."""

    def __init__(self, case):
        self.case, self.rounds, self.peak, self.errors = case, {}, [], {}


def measure(case, isas, peers, machine, rounds, seconds):
    """Verify and time one case.

    Parameters
    ----------
    case : Case
    isas : dict
        Name of a contender of lstmc's own -> its instruction set; the first is the one that others are compared with.
    peers : list of Peer
    machine : Machine
    rounds : int
    seconds : float
        About how long a block lasts.

    Returns
    -------
    Measured

    Raises
    ------
    WrongResult
        lstmc's own results are wrong.
    """
    found = Measured(case)
    sides = _sides(case, isas, peers, found.errors)
    isa = next(iter(isas.values()))
    calls = {name: _calls(side, seconds) for name, side in sides.items()}
    names = list(sides)
    found.rounds = {name: [] for name in names}
    for n in range(rounds):
        for name in random.Random(n).sample(names, len(names)):
            found.rounds[name].append(_block(sides[name], *calls[name]))
        settle()
        found.peak.append(machine.again(isa, case.dtype))
    del sides
    gc.collect()
    return found


def _sides(case, isas, peers, errors):
    """The contenders that compute this case, and compute it right."""
    want, sides = expected(case), {}
    for name, isa in isas.items():
        sides[name] = Lstmc(case, isa)
        try:
            verify(sides[name], want)
        except WrongResult as error:
            raise WrongResult(f"{case.id}: {name}: {error}; nothing was timed") from None
    for peer in peers:
        try:
            side = peer.side(case)
            verify(side, want)
            sides[peer.name] = side
        except Unsupported as error:
            errors[peer.name] = f"unsupported: {error}"
        except WrongResult as error:
            errors[peer.name] = f"wrong: {error}"
        except Exception as error:      # whatever another library raises is its cell's text and nobody else's end
            errors[peer.name] = f"failed: {type(error).__name__}: {error}"
    return sides


def _calls(side, seconds):
    """(calls in a block of about `seconds`, whether one before it is worth its time)."""
    settle()
    with side.ready():
        side.run()
        start, n = time.perf_counter(), 0
        while n < 1 or time.perf_counter() - start < seconds / 4:
            side.run()
            n += 1
        each = (time.perf_counter() - start) / n
    return max(1, round(seconds / each)), each < LONG


def _block(side, calls, warm):
    """Seconds a call."""
    settle()
    run = side.run
    with side.ready():
        if warm:
            run()
        start = time.perf_counter()
        for _ in range(calls):
            run()
        return (time.perf_counter() - start) / calls
