"""The process of ``cub changeset apply`` is killed after each change that it makes; another one ends what it began."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from confighub.client.units import FINAL
from confighub.operations import proposals
from confighub.operations.proposals import Proposal, ProposedUnit
from tests.api.conftest import hub_process, store_template  # noqa: F401 - fixtures
from tests.cli.test_change_set_apply import NEW, OLD, UNITS, Field, field  # noqa: F401 - a fixture
from tests.killed.severed import EachOnce, Line, line_to, verbs

PROGRAM = (sys.executable, "-c", "from confighub.cli.main import run; run()")
RELEASE = ("changeset", "apply", "release", "--space", "shop")


@pytest.fixture
def line(field: Field) -> Iterator[Line]:  # noqa: F811 - the fixture
    """The way on which operators are killed."""
    with line_to(field.stage.process.url) as found:
        yield found


def is_killed(line: Line, words: Sequence[str], is_due: Callable[[list[str]], bool]) -> bool:
    """Run an operator that is killed when that is due; tell whether it came to that."""
    ended = line.run([*PROGRAM, *words], {**os.environ, "CONFIGHUB_URL": line.url}, is_due)
    assert ended.returncode in (0, -9), ended.stdout
    return ended.returncode == -9


def after(count: int) -> Callable[[list[str]], bool]:
    """Kill once so many changes are made."""
    return lambda changes: len(changes) == count


def numbers(field: Field) -> dict[str, tuple[int, int]]:  # noqa: F811
    """Return the head and the live revision of each unit, once the worker has ended what was asked of it."""
    deadline = time.monotonic() + 30
    while True:
        found = field.stage.hub.units.list(space_id=field.stage.space_id, include="UnitEventID")
        if all((one.get("LatestUnitEvent") or {}).get("Status") in FINAL for one in found):
            units = [one["Unit"] for one in found]
            return {one["Slug"]: (one["HeadRevisionNum"], one["LiveRevisionNum"]) for one in units}
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


def assert_whole(field: Field, before: dict[str, tuple[int, int]], version: str) -> None:  # noqa: F811
    """Every unit has one revision more, with that version, which was applied once and runs; nobody holds any."""
    after = {slug: (head + 1, head + 1) for slug, (head, _) in before.items()}
    assert numbers(field) == after
    assert sorted(field.worker.applied) == sorted((slug, head) for slug, (head, _) in after.items())
    for unit_id in field.ids.values():
        assert version in field.stage.hub.units.data(unit_id, space_id=field.stage.space_id)
        assert not field.stage.hub.units.waiting(unit_id, space_id=field.stage.space_id).get("Holds")


def marks(field: Field) -> set[str]:  # noqa: F811
    """Return what is noted at the change set of the release."""
    (found,) = field.stage.hub.change_sets.list(where="Slug = 'release'", space_id=field.stage.space_id)
    return set(found["ChangeSet"].get("Annotations") or {})


def propose(field: Field, slug: str, version: str) -> None:  # noqa: F811
    heads = numbers(field)
    units = [
        ProposedUnit(unit_id, name, heads[name][0], [("set-image-reference", (name, f":{version}"))])
        for name, unit_id in field.ids.items()
    ]
    stage = field.stage
    proposals.write(
        stage.hub, Proposal(slug=slug, space=stage.space, space_id=stage.space_id, why="newer", units=units)
    )


def test_whichever_step_it_is_killed_at_another_one_brings_all_units_there(
    field: Field,  # noqa: F811
    line: Line,
) -> None:
    field.judge(lambda _slug, _version: False)
    for step in itertools.count(1):
        before = numbers(field)
        field.worker.applied.clear()
        side, version = (("start", OLD), ("end", NEW))[step % 2]

        was_killed = is_killed(line, [*RELEASE, "--to", side], after(step))
        if was_killed:
            numbers(field)
            field.cub.must(*RELEASE, "--to", side)

        assert_whole(field, before, version)
        assert marks(field) == set()
        if not was_killed:
            break
    did = verbs(line.changes)
    mark = did[1]  # the change set, by its id
    assert did == ["hold", mark, "unit", *["apply"] * 3, mark, "release"]
    assert step == len(line.changes) + 1 == 9


def test_killed_at_every_step_it_makes_what_is_proposed_once(field: Field, line: Line) -> None:  # noqa: F811
    field.judge(lambda _slug, _version: False)
    before, each = numbers(field), EachOnce()
    propose(field, "idea", NEW)
    field.worker.applied.clear()

    while is_killed(line, ["changeset", "apply", "idea", "--space", "shop"], each):
        numbers(field)

    assert verbs(each.steps)[:6] == ["hold", *["invoke"] * 3, "tag", "tag"]
    # the end is noted; when all of it runs, what is typed once more finds nothing to change
    assert verbs(each.steps)[7:10] == ["apply"] * 3
    assert verbs(each.steps)[10:] == ["unit", "release"]
    assert_whole(field, before, NEW)
    (made,) = proposals.find(field.stage.hub, space="shop", space_id=field.stage.space_id)
    assert made.is_made


def test_when_the_other_one_fails_all_units_go_back_to_where_they_really_were(
    field: Field,  # noqa: F811
    line: Line,
) -> None:
    propose(field, "idea", NEW)
    for name, applied_two in (("release", 5), ("idea", 9)):
        field.judge(lambda slug, version: (slug, version) == ("gamma", NEW))
        words = ("changeset", "apply", name, "--space", "shop")
        assert is_killed(line, words, after(applied_two))
        assert verbs(line.changes)[-2:] == ["apply", "apply"]
        numbers(field)
        assert field.live() == {"alpha": NEW, "beta": NEW}

        ran = field.cub.run(*words)

        assert ran.status == 1
        assert "every unit is back where it was" in ran.err
        assert field.heads() == {OLD}
        assert field.live() == dict.fromkeys(UNITS, OLD)
        assert marks(field) == set()


def test_what_is_under_way_is_waited_for_and_not_asked_for_again(field: Field, line: Line) -> None:  # noqa: F811
    """Beta is applied for the one that was killed, and ends once the other one has asked for gamma."""
    is_second = threading.Event()

    def takes_long(slug: str, version: str) -> bool:
        deadline = time.monotonic() + 30
        while (slug, version) == ("beta", NEW) and not (is_second.is_set() and "apply" in verbs(line.changes)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return False

    field.judge(takes_long)
    before = numbers(field)
    field.worker.applied.clear()
    assert is_killed(line, RELEASE, after(5))
    line.changes.clear()
    is_second.set()

    assert not is_killed(line, RELEASE, lambda _: False)

    applies = [one.partition("?")[0] for one in line.changes if "/apply" in one]
    assert applies == [f"POST /api/space/{field.stage.space_id}/unit/{field.ids['gamma']}/apply"]
    assert_whole(field, before, NEW)
