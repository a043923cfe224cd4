"""The one route table: every operation of the API, in the order of the document."""

from __future__ import annotations

from confighub.api import auth, bulk, crud
from confighub.api.routes import about, functions, history, people, recovery, spaces, units, work, workers
from confighub.api.routing import Route, rehearsable

_SERVED = (
    *about.ROUTES,
    *auth.ROUTES,
    *people.ROUTES,
    *spaces.ROUTES,
    *units.ROUTES,
    *history.ROUTES,
    *work.ROUTES,
    *recovery.ROUTES,
    *functions.ROUTES,
    *crud.routes(),
    *bulk.routes(),
    *workers.ROUTES,
)

PUBLIC: tuple[Route, ...] = tuple(rehearsable(route) for route in _SERVED)
"""What the OpenAPI document describes."""

ROUTES: tuple[Route, ...] = (*PUBLIC, *about.PAGES)
"""Everything that is served."""
