"""What one service hands to the platform, which adds everything the eight have in common."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from traderx.services.platform.answers import FailureStyle, java_failure
from traderx.services.platform.health import Check

Job = Callable[[], Awaitable[None]]
"""Runs beside the requests until it is cancelled."""


@dataclass(frozen=True)
class Service:
    """One service's own parts.

    ``jobs`` run from start to end, ``closers`` once at the end, in order. ``wrap`` puts another
    application around the routes. ``ready_answer`` is the body of /health/ready when all is well,
    None for the usual object.
    """

    routes: Sequence[BaseRoute]
    checks: Mapping[str, Check] = field(default_factory=dict)
    jobs: Sequence[Job] = ()
    closers: Sequence[Job] = ()
    failure: FailureStyle = java_failure
    wrap: Callable[[ASGIApp], ASGIApp] | None = None
    on_stopping: Callable[[], None] | None = None
    folds_case: bool = False
    has_websockets: bool = False
    has_own_front_page: bool = False
    has_own_health_page: bool = False
    ready_answer: object = None
