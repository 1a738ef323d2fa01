"""Sums over the pieces of all ranks: of losses, of what metrics have seen, and of gradients, by the tree of tree.py.

Dense gradients of a piece are one flat array in the order in which the backward pass completes them, cut into segments. As soon as the last piece
of a rank has those of a segment, each rank sends to rank r the part r of its nodes of it, while the backward pass goes on to the layers below; adds
what it gets, a part of every node, by the tree; and sends the result to all: twice the size of the weights in and out, whatever the number of ranks,
where each has one node. The sum of an element does not depend on who makes it, or when. Gradients of rows of tables, and all that is small, travel
whole.
"""

from itertools import pairwise

import numpy as np

from lstmc.distributed.tree import Tree, places, summed
from lstmc.layers.rows import Rows
from lstmc.training.graph import added

SEGMENT = 2**16     # numbers: less is not worth the messages of its own


class Layout:
    """Where the dense gradients of arrays are in one flat array; buffers of that size are used again.

    Parameters
    ----------
    arrays : list of array
        That have gradients.
    sparse : frozenset
        The numbers of those whose gradients are `Rows`.
    order : iterable of sequences of int
        All numbers, in the order in which gradients are complete.
    """

    def __init__(self, arrays, sparse, order):
        self.arrays, self.sparse = arrays, sparse
        self.places, self.segments, start, end, some = {}, [], 0, 0, []     # segments: (numbers, slice)
        for n, last in [(n, n == group[-1]) for group in order for n in group]:
            if n not in sparse:
                self.places[n] = slice(end, end + arrays[n].size)
                end += arrays[n].size
                some.append(n)
            if last and end - start >= SEGMENT:
                self.segments.append((frozenset(some), slice(start, end)))
                start, some = end, []
        if end > start:
            self.segments.append((frozenset(some), slice(start, end)))
        self.size = end
        self.dtype = np.result_type(*(arrays[n].dtype for n in self.places)) if self.places else np.dtype(np.float32)
        self.free, self.named = [], {}

    def flat(self):
        """A flat array, whatever is in it."""
        return self.free.pop() if self.free else np.empty(self.size, self.dtype)

    def fill(self, flat, grads, numbers):
        """These of the gradients, None being 0."""
        for n in numbers:
            flat[self.places[n]] = 0 if grads[n] is None else grads[n].reshape(-1)

    def buffer(self, name, size):
        """A flat array for what `name` says, the same the next time."""
        found = self.named.get(name)
        if found is None or len(found) < size:
            found = self.named[name] = np.empty(size, self.dtype)
        return found[:size]

    def apart(self, flat, rows):
        """Gradients by array again."""
        return [rows.get(n) if n in self.sparse else flat[self.places[n]].reshape(a.shape) for n, a in enumerate(self.arrays)]


class Sums:
    """The sums of one batch, or of one call of `all_reduce`.

    Parameters
    ----------
    comm : Alone or Communicator
    shares : list of tuple
        (first, end) of the pieces of each rank.
    layout : callable
        Makes the `Layout` from the numbers of gradients that are `Rows`; gives the one there is, or None, for None.
    """

    def __init__(self, comm, shares, layout):
        self.comm, self.shares, self.layout_of, self.layout = comm, shares, layout, layout(None)
        self.end = shares[comm.rank][1] if shares[comm.rank][0] < shares[comm.rank][1] else None
        self.numbers, self.rows, self.flats = Tree(added_lists), Tree(added_rows), Tree(self._added)
        self.complete, self.last = set(), None      # gradients of the last piece: numbers of those that are there, in a flat array
        self.parts, self.wholes = [], []        # of each segment: what is on its way in the first exchange, and in the second

    def push(self, number, numbers, grads=None):
        """What piece `number` gives: a list of float64 arrays, and gradients."""
        self.numbers.push(number, 0, numbers)
        if grads is not None:
            if self.layout is None:
                self.layout = self.layout_of(frozenset(n for n, g in enumerate(grads) if isinstance(g, Rows)))
            self.rows.push(number, 0, {n: grads[n] for n in self.layout.sparse})
            if self.comm.size > 1 and number + 1 == self.end:
                self._take(grads, range(len(grads)))
            else:
                flat = self.layout.flat()
                self.layout.fill(flat, grads, self.layout.places)
                self.flats.push(number, 0, flat)

    def told(self, number):
        """For the backward pass of piece `number`: what takes gradients as they are complete, of the last one."""
        return self._take if self.comm.size > 1 and number + 1 == self.end and self.layout is not None else None

    def _added(self, left, right):
        self.layout.free.append(right)
        return added_in_place(left, right)

    def small(self):
        """(sums of the lists of arrays, these lists by rank): once per batch, and before `gradients`."""
        sparse = None if self.layout is None else self.layout.sparse
        self.found = self.comm.gather((self.numbers.nodes, self.rows.nodes, sparse))
        return summed(joined(numbers for numbers, _, _ in self.found), added_lists), [numbers for numbers, _, _ in self.found]

    def gradients(self):
        """The sums of the gradients, which belong to the caller until the next batch."""
        if self.layout is None:     # no piece here
            self.layout = self.layout_of(self.found[0][2])
        layout, rows = self.layout, summed(joined(rows for _, rows, _ in self.found), added_rows)
        if self.comm.size == 1:
            flat = self.flats.total()
            layout.free.append(flat)        # when the caller asks for the next sum
        else:
            if self.end is None:
                self._take(None, range(len(layout.arrays)))
            self._go_on(wait=True)
            for request in self.wholes:
                self.comm.wait(request)
            layout.free += [value for _, _, value in self.flats.nodes] + ([] if self.last is None else [self.last])
            flat = layout.buffer("sum", layout.size)
        return layout.apart(flat, rows)

    # Segments ------------------------------------------------------------------------------------------------

    def _take(self, grads, numbers):
        """Gradients of the last piece that are complete; None where there is no piece."""
        self.complete.update(numbers)
        while len(self.parts) < len(self.layout.segments) and self.layout.segments[len(self.parts)][0] <= self.complete:
            self._send(grads)
        self._go_on()

    def _send(self, grads):
        """The next segment of this rank's nodes, to those who add them."""
        layout, comm, k = self.layout, self.comm, len(self.parts)
        numbers, place = layout.segments[k]
        tree = Tree(added_in_place, [(start, level, value[place]) for start, level, value in self.flats.nodes])
        if grads is not None:
            if self.last is None:
                self.last = layout.flat()
            layout.fill(self.last, grads, numbers)
            tree.push(self.end - 1, 0, self.last[place])
        ends = [(place.stop - place.start) * r // comm.size for r in range(comm.size + 1)]
        sizes, nodes, at = [b - a for a, b in pairwise(ends)], [value for _, _, value in tree.nodes], 0
        if len(nodes) == 1:
            send = nodes[0]
        else:
            send = layout.buffer(("send", k), len(nodes) * ends[-1])
            for a, b in pairwise(ends):
                for value in nodes:
                    send[at:at + b - a] = value[a:b]
                    at += b - a
        every, mine = [places(*share) for share in self.shares], sizes[comm.rank]
        receive = layout.buffer(("receive", k), sum(map(len, every)) * mine)
        request = comm.exchange(2 * k, send, [len(nodes) * n for n in sizes], receive, [len(some) * mine for some in every])
        parts = [(*node, receive[n * mine:(n + 1) * mine]) for n, node in enumerate(joined(every))]
        self.parts.append((request, parts, place, sizes))

    def _go_on(self, wait=False):
        """Add, and send to all, what is there, in the order of segments; with `wait`, all."""
        for request, parts, place, sizes in self.parts[len(self.wholes):]:
            if not (self.comm.wait(request) if wait else self.comm.test(request)):
                break
            whole, k = self.layout.buffer("sum", self.layout.size)[place], len(self.wholes)
            self.wholes.append(self.comm.collect(2 * k + 1, summed(parts, added_in_place), whole, sizes))


def joined(several):
    """The nodes of all ranks in ascending order."""
    return [node for nodes in several for node in nodes]


def added_in_place(left, right):
    return np.add(left, right, out=left)


def added_lists(a, b):
    return [x + y for x, y in zip(a, b, strict=True)]


def added_rows(a, b):
    return {n: added(a[n], b[n]) for n in a}
