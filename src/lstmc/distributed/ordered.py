"""Few partitions under way at a time, so that neither data nor outputs pile up, and outputs in the order of the partitions."""

import collections
import itertools

AHEAD = 2       # partitions under way for each worker
RETRIES = 2     # of a partition


def in_order(parts, most, submit, result, drop=lambda sent: None):
    """result(submit(part)) of every part, `most` of which are under way; drop what is, if no more results are wanted."""
    waiting, parts = collections.deque(), iter(parts)
    try:
        for part in itertools.islice(parts, most):
            waiting.append(submit(part))
        while waiting:
            found = result(waiting.popleft())
            for part in itertools.islice(parts, 1):
                waiting.append(submit(part))
            yield found
    finally:
        for sent in waiting:
            drop(sent)
