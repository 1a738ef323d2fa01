"""The order in which sums over pieces are made: a binary tree over the pieces' numbers, whoever has them.

A node of level k is the sum of 2^k pieces from a number that 2^k divides: of two nodes of the level below, left plus right. What is left over
where the number of pieces is no power of two is added from the right: of seven pieces ((0+1)+(2+3)) + ((4+5) + 6). Who has
some pieces in a row makes the nodes that these make whole, at most two of a level, and whoever has all nodes makes the rest.
"""

from itertools import pairwise


def dealt(pieces, ranks):
    """(first, end) of the pieces of each rank: in a row, as evenly as can be; rank 0 has at least one."""
    return list(pairwise([-(-pieces * r // ranks) for r in range(ranks + 1)]))


class Tree:
    """Sums over pieces that come in ascending order.

    Parameters
    ----------
    add : callable
        Of two sums, the left of which may be written to; gives their sum.
    nodes : iterable
        To begin with.
    """

    def __init__(self, add, nodes=()):
        self.add, self.nodes = add, list(nodes)      # nodes: (number of the first piece, level, sum)

    def push(self, start, level, value):
        """The next node; it is joined with those before as far as these make larger ones whole."""
        while self.nodes:
            before, same, left = self.nodes[-1]
            if same != level or before % (2 << level) or before + (1 << level) != start:
                break
            self.nodes.pop()
            start, level, value = before, level + 1, self.add(left, value)
        self.nodes.append((start, level, value))

    def total(self):
        """The sum of all, from the right."""
        *others, (_, _, found) = self.nodes
        for _, _, left in reversed(others):
            found = self.add(left, found)
        return found


def summed(nodes, add):
    """The sum of the nodes (start, level, value) of all ranks, in ascending order; add as in `Tree`."""
    tree = Tree(add)
    for node in nodes:
        tree.push(*node)
    return tree.total()


def places(first, end):
    """(start, level) of the nodes that pieces in a row make."""
    tree = Tree(lambda left, right: None)
    for number in range(first, end):
        tree.push(number, 0, None)
    return [node[:2] for node in tree.nodes]
