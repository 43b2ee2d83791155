"""Keeps Python off the network, and notes who tried: threads, libraries and imports alike.

Audit hooks (PEP 578) see every connection and every look-up of a name that goes through Python's sockets, and cannot be
taken out again. This machine itself may be reached, for processes that train together.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from pathlib import Path

attempts: list[str] = []
"""What was refused since the list was last emptied."""

_CONNECTING = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_LOOKING_UP = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"}


def guard() -> None:
    """Refuse all networks from now on. With OFFLINE_LOG set, attempts are appended to that file as well."""
    sys.addaudithook(_look)


def _look(event: str, args: tuple[object, ...]) -> None:
    if event in _CONNECTING:
        channel, address = args[0], args[1]
        if isinstance(channel, socket.socket) and channel.family in {socket.AF_INET, socket.AF_INET6}:
            _refuse_unless_here(address[0] if isinstance(address, tuple) else address, event)
    elif event in _LOOKING_UP:
        _refuse_unless_here(args[0][0] if isinstance(args[0], tuple) else args[0], event)


def _refuse_unless_here(host: object, event: str) -> None:
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    if not _here(name):
        attempts.append(f"{event} {name}")
        if log := os.environ.get("OFFLINE_LOG"):
            with Path(log).open("a") as file:
                file.write(f"{event} {name}\n")
        raise OSError(f"offline: {event} {name}")


def _here(name: str) -> bool:
    if name in {"", "localhost", "0.0.0.0", "::", socket.gethostname()}:
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False
