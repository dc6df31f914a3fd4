"""Connections that carry nothing for as long as a function runs, and are there when it answers."""

import socket
from collections.abc import Sequence

# A gateway forgets an idle connection after 350 s without telling (faults 120).
KEEPALIVE_S = 60

Option = tuple[int, int, int]


def _options() -> Sequence[Option]:
    always = [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    ]
    # Where the system has it.
    idle = getattr(socket, "TCP_KEEPIDLE", None)
    return always if idle is None else [*always, (socket.IPPROTO_TCP, idle, KEEPALIVE_S)]


KEPT_ALIVE: Sequence[Option] = _options()


def keep_alive(opened: socket.socket) -> None:
    """Have the system tell that a connection is still there, and send small requests at once."""
    for level, name, value in KEPT_ALIVE:
        opened.setsockopt(level, name, value)


def kept_alive_socket(info: tuple[int, int, int, str, object]) -> socket.socket:
    """Make the socket of a connection, as aiohttp asks for one."""
    family, kind, protocol, *_ = info
    opened = socket.socket(family, kind, protocol)
    keep_alive(opened)
    return opened
