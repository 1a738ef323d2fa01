"""Who is still there: a connection of every rank to rank 0, which ends without a farewell where a process was killed or its machine lost.

MPI itself does not say so: who waits for a process that is gone waits until the launcher ends the job, if it does.
"""

import contextlib
import os
import secrets
import selectors
import socket
import struct
import threading

from lstmc.warned import warn

FAREWELL = -1
RANK = struct.Struct("!i")
SECONDS = 5.0       # to connect
# A machine that is silent for 2 s is asked, every 2 s, and lost after 3 questions.
KEEPALIVE = (("TCP_KEEPIDLE", 2), ("TCP_KEEPALIVE", 2), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3))


class Watch:
    """Made by all ranks at once.

    Parameters
    ----------
    comm : Communicator
        Whose `gather` tells the others where rank 0 is.
    found : callable
        Called in a thread, once, with the rank that is gone.
    left : callable
        Called in a thread with a rank that has said farewell: the program has ended there.
    """

    def __init__(self, comm, found, left):
        self._found, self._left, self._links = found, left, {}       # links: rank -> socket, of rank 0 to all, of others to rank 0
        listener = listening(comm.size) if comm.rank == 0 else None
        with listener or contextlib.nullcontext():
            place = comm.gather((socket.gethostname(), listener.getsockname()[1], secrets.token_bytes(16)) if listener else None)[0]
            if comm.rank > 0:
                self._connect(comm.rank, *place)
            there = comm.gather(comm.rank == 0 or bool(self._links))
            if comm.rank == 0:
                self._accept(listener, there.count(True) - 1, place[2])
        if comm.rank == 0 and not all(there):
            away = ", ".join(str(r) for r, connected in enumerate(there) if not connected)
            warn(f"no connection from rank {away} to {place[0]}:{place[1]}: if it is killed, the launcher alone ends the job")
        for link in self._links.values():
            kept_alive(link)
        os.register_at_fork(after_in_child=self._close)     # a child would keep connections open
        threading.Thread(target=self._listen, name="lstmc-watch", daemon=True).start()

    def _connect(self, rank, host, port, token):
        with contextlib.suppress(OSError):
            link = socket.create_connection(("localhost" if host == socket.gethostname() else host, port), SECONDS)
            link.sendall(token + RANK.pack(rank))
            self._links[0] = link

    def _accept(self, listener, count, token):
        """Those of all ranks that are connected; of others, who do not know the token, none."""
        listener.settimeout(SECONDS)
        with contextlib.suppress(OSError):
            while len(self._links) < count:
                link, _ = listener.accept()
                link.settimeout(SECONDS)
                said = link.recv(len(token) + RANK.size, socket.MSG_WAITALL)
                if said[:len(token)] == token:
                    self._links[RANK.unpack(said[len(token):])[0]] = link
                else:
                    link.close()

    def _listen(self):
        with selectors.DefaultSelector() as waiting:
            for rank, link in self._links.items():
                waiting.register(link, selectors.EVENT_READ, rank)
            while waiting.get_map():
                for key, _ in waiting.select():
                    gone = heard(key.fileobj, key.data)
                    if gone == FAREWELL:
                        waiting.unregister(key.fileobj)
                        self._left(key.data)
                        continue
                    self._say(gone)
                    self._found(gone)
                    return

    def _say(self, number):
        for link in self._links.values():
            with contextlib.suppress(OSError):
                link.sendall(RANK.pack(number))

    def leave(self):
        """End without being missed."""
        self._say(FAREWELL)

    def _close(self):
        for link in self._links.values():
            link.close()


def listening(size):
    """A socket on a free port."""
    both = socket.has_dualstack_ipv6()
    return socket.create_server(("", 0), family=socket.AF_INET6 if both else socket.AF_INET, backlog=size, dualstack_ipv6=both)


def kept_alive(link):
    link.settimeout(None)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE:
        if hasattr(socket, name):
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def heard(link, rank):
    """FAREWELL, or the rank that is gone: the one that is told, or where the connection has ended, that at the other end."""
    with contextlib.suppress(OSError):
        said = link.recv(RANK.size, socket.MSG_WAITALL)
        if len(said) == RANK.size:
            return RANK.unpack(said)[0]
    return rank
