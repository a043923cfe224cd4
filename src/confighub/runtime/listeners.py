"""Who holds a port, and whether it can still be had."""

from __future__ import annotations

import errno
import socket

import psutil


def is_free(host: str, port: int) -> bool:
    """True when a server could bind there now; TIME_WAIT does not count as held."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
                return False
            raise
    return True


def holder(host: str, port: int) -> str:
    """Return who listens there, as in ``python3 (pid 4711: python3 -m http.server)``.

    Without the right to look at other users' processes the answer is ``another process``.
    """
    try:
        connections = psutil.net_connections("inet4") + psutil.net_connections("inet6")
    except (psutil.Error, OSError):
        return "another process"
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or not connection.laddr:
            continue
        address = connection.laddr
        if address.port == port and address.ip in (host, "0.0.0.0", "::") and connection.pid:  # noqa: S104
            return _describe(connection.pid)
    return "another process"


def listening_hosts() -> set[str]:
    """Return every IPv4 address that something on this machine listens on."""
    try:
        found = psutil.net_connections("tcp4")
    except (psutil.Error, OSError):
        return set()
    return {item.laddr.ip for item in found if item.status == psutil.CONN_LISTEN and item.laddr}


def _describe(pid: int) -> str:
    try:
        process = psutil.Process(pid)
        command = " ".join(process.cmdline())
        return f"{process.name()} (pid {pid}: {command[:120]})"
    except psutil.Error:
        return f"pid {pid}"
