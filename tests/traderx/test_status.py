"""When an environment counts as ready."""

from __future__ import annotations

from dataclasses import replace

from confighub.operations.health import UnitHealth
from traderx import topology
from traderx.status import Status

RUNNING = [
    UnitHealth(
        slug=row.slug,
        order=row.order,
        is_addon=False,
        head=2,
        live=2,
        word="Running",
        is_ready=True,
        why="",
        addresses=(),
    )
    for row in topology.units()
]


def status(*units: UnitHealth) -> Status:
    return Status("my-traderx", "dev", "http://hub", "", {}, list(units))


def test_all_seventeen_running_is_ready() -> None:
    assert status(*RUNNING).is_ready


def test_nothing_at_all_is_not_ready() -> None:
    assert not status().is_ready


def test_a_unit_that_somebody_put_beside_them_does_not_count() -> None:
    foreign = replace(RUNNING[1], slug="experiment", order=None, live=0, word="not live", is_ready=False)

    assert status(*RUNNING, foreign).is_ready


def test_what_is_waited_for_is_named() -> None:
    late = replace(RUNNING[3], is_ready=False, word="Progressing")

    found = status(*RUNNING[:3], late, *RUNNING[4:])

    assert not found.is_ready
    assert found.waiting_for == [late.slug]
