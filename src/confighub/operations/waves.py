"""Waves: stages of a deployment computed from links, so that what does not need each other comes together.

A unit comes one wave after the last of the units that it links to. Two kinds of units come before everything that they
do not need themselves, as in a deployment by orders, whether a link says so or not: those with order 0, then addons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from confighub.client.hub import HubClient
from confighub.errors import BadRequest
from confighub.operations.plan import Plan, PlannedUnit, Stage

Needs = Mapping[str, frozenset[str]]
"""Which units each unit links to, by slug; a unit that links to none may be missing."""


def read_needs(hub: HubClient, space_id: str, units: Sequence[PlannedUnit]) -> Needs:
    """Return who links to whom among the units; links that lead to other units are left out."""
    slugs = {unit.unit_id: unit.slug for unit in units}
    needs: dict[str, set[str]] = {}
    for record in hub.links.list(space_id=space_id, include=""):
        link = record["Link"]
        ours, theirs = slugs.get(link["FromUnitID"]), slugs.get(link["ToUnitID"])
        if ours and theirs:
            needs.setdefault(ours, set()).add(theirs)
    return {slug: frozenset(linked) for slug, linked in needs.items()}


def in_waves(*, space: str, space_id: str, units: Sequence[PlannedUnit], needs: Needs) -> Plan:
    """Return the plan with as few stages as the links allow; within a wave the order counts, then the slug.

    Units without an order that are no addons and that no link joins are left out.
    Raises: BadRequest when units need each other in a circle, which is named, or when nothing is left.
    """
    joined = {slug for ours, theirs in needs.items() for slug in (ours, *theirs)}
    wanted = [unit for unit in units if unit.order is not None or unit.is_addon or unit.slug in joined]
    if not wanted:
        raise BadRequest(f"no unit in {space} has a link or a label `order`, so there is nothing to deploy in waves")
    numbers = _numbers(space, _with_barriers(wanted, needs))
    stages = []
    for number in sorted(set(numbers.values())):
        same = sorted((unit for unit in wanted if numbers[unit.slug] == number), key=_place)
        told = tuple(replace(unit, needs=tuple(sorted(needs.get(unit.slug, ())))) for unit in same)
        stages.append(Stage(number, told, name=f"wave {number}"))
    return Plan(space, space_id, tuple(stages))


def find_circle(needs: Needs) -> list[str]:
    """Return one way through the links that comes back to where it began, that unit first and last; empty for none."""
    done: set[str] = set()
    for start in sorted(needs):
        way: list[str] = []
        left = [iter([start])]
        while left:
            slug = next(left[-1], None)
            if slug is None:
                left.pop()
                if way:
                    done.add(way.pop())
            elif slug in way:
                return [*way[way.index(slug) :], slug]
            elif slug not in done:
                way.append(slug)
                left.append(iter(sorted(needs.get(slug, ()))))
    return []


def _numbers(space: str, needs: Needs) -> dict[str, int]:
    """Return the wave of each unit, counted from 1."""
    circle = find_circle(needs)
    if circle:
        raise BadRequest(
            f"units of {space} need each other in a circle: {' → '.join(circle)}",
            hint=f"take one of these links away: cub link list --space {space}",
        )
    numbers: dict[str, int] = {}
    left = dict(needs)
    while left:
        ready = [slug for slug, linked in left.items() if all(one in numbers for one in linked)]
        for slug in ready:
            numbers[slug] = 1 + max((numbers[one] for one in left[slug]), default=0)
        for slug in ready:
            del left[slug]
    return numbers


def _with_barriers(units: Sequence[PlannedUnit], needs: Needs) -> Needs:
    """Return the needs of every unit, with those that no link says."""
    slugs = {unit.slug for unit in units}
    found = {unit.slug: needs.get(unit.slug, frozenset()) & slugs for unit in units}
    first = {unit.slug for unit in units if unit.order == 0 and not unit.is_addon}
    for barrier in (first, {unit.slug for unit in units if unit.is_addon}):
        before = _closure(barrier, found)
        for slug in slugs - before:
            found[slug] |= barrier
    return found


def _closure(slugs: Iterable[str], needs: Needs) -> set[str]:
    """Return the units and all that they need, directly or not."""
    found: set[str] = set()
    left = list(slugs)
    while left:
        slug = left.pop()
        if slug not in found:
            found.add(slug)
            left += needs.get(slug, ())
    return found


def _place(unit: PlannedUnit) -> tuple[int, str]:
    return unit.order if unit.order is not None else 1_000, unit.slug
