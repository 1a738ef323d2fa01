"""Locks of the whole process that a forked child finds open: whoever held one in the parent does not exist in the child.

What such a lock guards must therefore be right, or be made again, wherever its holder was interrupted.
"""

import os
import threading


class Renewed:
    """What `renew` makes, and makes again in a forked child."""

    def __init__(self):
        self.renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.renew)


class Lock(Renewed):
    """`with lock.now:`; a thread may enter it again. `now` is another one after a fork, and `with` leaves the one that it entered."""

    def renew(self):
        self.now = threading.RLock()
