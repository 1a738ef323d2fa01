"""Sums over the pieces of all ranks: of losses, of what metrics have seen, and of gradients, by the tree of tree.py.

Dense gradients of a piece are one flat array. Each rank sends to rank r the part r of its nodes' arrays, adds what it gets, a part of every
node, by the tree, and sends the result to all: twice the size of the weights in and out, whatever the number of ranks, where each has one
node. The sum of an element does not depend on who makes it. Gradients of rows of tables, and all that is small, travel whole.
"""

from itertools import pairwise

import numpy as np

from lstmc.distributed.tree import Tree, summed
from lstmc.layers.rows import Rows
from lstmc.training.graph import added


class Layout:
    """Where the dense gradients of arrays are in one flat array; buffers of that size are used again."""

    def __init__(self, arrays, sparse):
        self.arrays, self.sparse = arrays, sparse       # sparse: numbers of those whose gradients are `Rows`
        self.places, at = {}, 0
        for n, a in enumerate(arrays):
            if n not in sparse:
                self.places[n] = slice(at, at + a.size)
                at += a.size
        self.size = at
        self.dtype = np.result_type(*(arrays[n].dtype for n in self.places)) if self.places else np.dtype(np.float32)
        self.free, self.named = [], {}

    def flat(self, grads):
        """The dense ones of these gradients, None being 0."""
        found = self.free.pop() if self.free else np.empty(self.size, self.dtype)
        for n, place in self.places.items():
            found[place] = 0 if grads[n] is None else grads[n].reshape(-1)
        return found

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
    layout : callable
        Makes the `Layout` from the numbers of gradients that are `Rows`.
    """

    def __init__(self, layout):
        self.layout_of, self.layout = layout, None
        self.numbers, self.rows, self.flats = Tree(added_lists), Tree(added_rows), Tree(self._added)

    def push(self, number, numbers, grads=None):
        """What piece `number` gives: a list of float64 arrays, and gradients."""
        self.numbers.push(number, 0, numbers)
        if grads is not None:
            if self.layout is None:
                self.layout = self.layout_of(frozenset(n for n, g in enumerate(grads) if isinstance(g, Rows)))
            self.rows.push(number, 0, {n: grads[n] for n in self.layout.sparse})
            self.flats.push(number, 0, self.layout.flat(grads))

    def _added(self, left, right):
        np.add(left, right, out=left)
        self.layout.free.append(right)
        return left

    def small(self, comm):
        """(sums of the lists of arrays, these lists by rank): once per batch, and before `gradients`."""
        sparse = None if self.layout is None else self.layout.sparse
        mine = (self.numbers.nodes, self.rows.nodes, [node[:2] for node in self.flats.nodes], sparse)
        self.found = comm.gather(mine)
        return summed(joined(found[0] for found in self.found), added_lists), [found[0] for found in self.found]

    def gradients(self, comm):
        """The sums of the gradients, which belong to the caller until the next batch."""
        if self.layout is None:     # no piece here
            self.layout = self.layout_of(self.found[0][3])
        layout, nodes = self.layout, self.flats.nodes
        rows = summed(joined(found[1] for found in self.found), added_rows)
        if comm.size == 1:
            flat = self.flats.total()
            layout.free.append(flat)        # when the caller asks for the next sum
        else:
            ends = [layout.size * r // comm.size for r in range(comm.size + 1)]
            sizes = [b - a for a, b in pairwise(ends)]
            send = layout.buffer("send", len(nodes) * layout.size)
            if len(nodes) == 1:
                send = nodes[0][2]
            else:
                at = 0
                for a, b in pairwise(ends):
                    for _, _, value in nodes:
                        send[at:at + b - a] = value[a:b]
                        at += b - a
            mine, counts = sizes[comm.rank], [len(found[2]) for found in self.found]
            receive = layout.buffer("receive", sum(counts) * mine)
            comm.exchange(send, [len(nodes) * n for n in sizes], receive, [n * mine for n in counts])
            places = [place for found in self.found for place in found[2]]
            parts = [(*place, receive[n * mine:(n + 1) * mine]) for n, place in enumerate(places)]
            flat = layout.buffer("sum", layout.size)
            comm.collect(summed(parts, lambda a, b: np.add(a, b, out=a)), flat, sizes)
            layout.free += [value for _, _, value in nodes]
        return layout.apart(flat, rows)


def joined(several):
    """The nodes of all ranks in ascending order."""
    return [node for nodes in several for node in nodes]


def added_lists(a, b):
    return [x + y for x, y in zip(a, b, strict=True)]


def added_rows(a, b):
    return {n: added(a[n], b[n]) for n in a}
