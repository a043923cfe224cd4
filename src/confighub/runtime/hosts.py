"""Host names of Services inside values, replaced by the addresses where they answer here.

There is no name service for processes of one machine, so ``http://reference-data:18085`` becomes
``http://127.41.1.2:18085``. A name gets its address when it is first mentioned, so what calls may be
applied before what is called. What counts as a mention:

- the host of a URL, when it is one label, or ``name.namespace[.svc[.cluster.local]]`` of a namespace
  that some environment here has;
- a whole value ``name:port``, also several in a comma list;
- a whole value that is a known Service's name, when the variable's name ends in HOST, HOSTNAME or ADDRESS.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from confighub.runtime.addresses import Endpoint

Lookup = Callable[[str, str, int], Endpoint | None]
"""Answers name, namespace (empty: the replica's own) and port with an address, None for a foreign host."""

_LABEL = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"(?P<name>{_LABEL})(\.(?P<namespace>[a-z0-9]([a-z0-9-]*[a-z0-9])?)(\.svc(\.cluster\.local)?)?)?"
_URL = re.compile(rf"(?P<before>\b(?P<scheme>[a-z][a-z0-9+]*)://([^\s/@\"']*@)?){_HOST}(:(?P<port>\d+))?(?![\w.:-])")
_PAIR = re.compile(rf"{_HOST}:(?P<port>\d+)")
_BARE = re.compile(_HOST)
_BARE_NAMES = ("HOST", "HOSTNAME", "ADDRESS")
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "postgresql": 5432, "postgres": 5432, "redis": 6379}
_NEVER = {"localhost"}


def replace(variable: str, value: str, lookup: Lookup) -> tuple[str, dict[str, str]]:
    """Return the value with addresses in place of Services' names, and which name became what."""
    replaced: dict[str, str] = {}

    def address(match: re.Match[str], port: int) -> Endpoint | None:
        name, namespace = match["name"], match["namespace"] or ""
        found = None if name in _NEVER else lookup(name, namespace, port)
        if found:
            replaced[match[0][len(match.groupdict().get("before") or "") :].partition(":")[0]] = str(found)
        return found

    def in_url(match: re.Match[str]) -> str:
        default = _DEFAULT_PORTS.get(match["scheme"], 0)
        port = int(match["port"] or default)
        found = address(match, port)
        if not found:
            return match[0]
        shows_port = match["port"] or found.port != default
        return f"{match['before']}{found.host}:{found.port}" if shows_port else f"{match['before']}{found.host}"

    def in_list(item: str) -> str:
        match = _PAIR.fullmatch(item.strip())
        found = address(match, int(match["port"])) if match else None
        return str(found) if found else item

    text = _URL.sub(in_url, value)
    if text == value and ":" in value and "://" not in value:
        text = ",".join(in_list(item) for item in value.split(","))
    if text == value and variable.upper().endswith(_BARE_NAMES) and (match := _BARE.fullmatch(value)):
        found = address(match, 0)
        text = found.host if found else value
    return text, replaced
