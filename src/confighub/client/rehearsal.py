"""Dry runs: a request that would change something goes out with ``dry_run=true``, if the hub is known to honour that.

A hub that does not know the parameter would ignore it and do what was only to be shown, so its own description of
the API is asked first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from confighub.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from confighub.client.transport import Transport, Wire

DRY_RUN = "dry_run"

_EVERY_HUB_HAS = re.compile(r"/unit/apply|(/space/[^/]+)?/function/invoke")
"""Paths whose dry run is part of the public API."""


Rehearsable = list[tuple[str, re.Pattern[str]]]
"""Requests of a hub that have a dry run: their method and what their path looks like."""


def asked(transport: Transport) -> Rehearsable:
    """Return the requests that the hub says it has a dry run of; none when it does not describe itself."""
    try:
        document: Wire = transport.request("GET", "/openapi.json")
    except NotFound:
        return []
    return [
        (verb.upper(), re.compile(re.sub(r"\\\{[^{}]+\\\}", "[^/]+", re.escape(path.removeprefix("/api")))))
        for path, operations in document["paths"].items()
        for verb, operation in operations.items()
        if any(parameter.get("name") == DRY_RUN for parameter in operation.get("parameters") or [])
    ]


def is_everywhere(method: str, path: str) -> bool:
    """Tell whether the dry run of the request is part of the public API."""
    return method == "POST" and _EVERY_HUB_HAS.fullmatch(path) is not None


def check(known: Rehearsable, method: str, path: str) -> None:
    """Return when a dry run of the request stores nothing; raises BadRequest, naming the request, when it would."""
    if not any(verb == method and pattern.fullmatch(path) for verb, pattern in known):
        raise BadRequest(f"the hub has no dry run of {method} {path}", hint="leave --dry-run out to do it")
