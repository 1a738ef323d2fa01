"""How contenders are timed: verified first, then in turns, each in a process of its own.

In each round every contender gets a block of calls, in an order of the round's own, so that none always follows the same
other. A block lasts long enough that the clock does not matter, begins when the contender's own threads have gone to sleep,
the others being stopped (`children`), and its first call, which wakes threads and caches up, is not counted. Then the
machine's probes run. Figures are medians over rounds.
"""

import random

from lstmc.bench.children import Failed
from lstmc.bench.contenders import Unsupported, WrongResult
from lstmc.bench.machine import settle
from lstmc.bench.truth import expected


class Measured:
    """Of one case: seconds a call by contender and round, flop/s of the probe by round, and who failed why."""

    def __init__(self, case):
        self.case, self.rounds, self.peak, self.errors = case, {}, [], {}


def measure(case, children, machine, rounds, seconds):
    """Verify and time one case.

    Parameters
    ----------
    case : Case
    children : list of Child
        The first is the one that others are compared with.
    machine : Machine
    rounds : int
    seconds : float
        About how long a block lasts.

    Returns
    -------
    Measured

    Raises
    ------
    Unsupported
        The first contender cannot run the case, or there is no reference for it.
    WrongResult
        lstmc's own results are wrong, or its process failed.
    """
    found = Measured(case)
    live = _able(case, children, found.errors)
    blocks = {}

    def ask(child, *request):
        try:
            return child.ask(*request)
        except Failed as error:
            if child.own:
                raise WrongResult(f"{case.id}: {child.name}: {error}") from None
            found.errors[child.name] = str(error)
            found.rounds.pop(child.name, None)
            live.remove(child)
            return None

    for child in list(live):
        blocks[child.name] = ask(child, "calls", seconds)
    found.rounds = {child.name: [] for child in live}
    for n in range(rounds):
        for child in random.Random(n).sample(live, len(live)):
            if (time := ask(child, "block", *blocks[child.name])) is not None:
                found.rounds[child.name].append(time)
        found.peak.append(machine.again(machine.isas[0], case.dtype))
        settle()
    for child in list(live):
        ask(child, "drop")
    return found


def _able(case, children, errors):
    """The contenders that compute this case, and compute it right."""
    want = expected(case)
    settle()
    able = []
    for child in children:
        try:
            child.build(case)
            child.ask("verify", want)
            able.append(child)
        except Failed as error:
            how, _, why = str(error).partition(": ")
            if how == "unsupported" and child is children[0]:
                raise Unsupported(why) from None
            if how != "unsupported" and child.own:
                raise WrongResult(f"{case.id}: {child.name}: {why}; nothing was timed") from None
            errors[child.name] = str(error)
    return able
