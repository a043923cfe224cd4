"""Changes that are written down first: shown, refused when they no longer fit, made in all units or in none."""

from __future__ import annotations

import pytest

from confighub.client.functions import call
from confighub.errors import BadRequest, ConfigHubError, Conflict, Gated
from confighub.operations import proposals
from confighub.operations.proposals import Proposal, ProposedUnit
from tests.operations.playing import Stage


def proposal(stage: Stage, *units: tuple[str, str], to: str = "5", slug: str = "cost-1") -> Proposal:
    """Return one that sets the replicas of units, given as slug and id."""
    calls: proposals.Calls = [("set-int-path", ("apps/v1/Deployment", "spec.replicas", int(to)))]
    proposed = [ProposedUnit(unit_id, name, 1, calls) for name, unit_id in units]
    return Proposal(slug=slug, space=stage.space, space_id=stage.space_id, why="more", units=proposed)


def heads(stage: Stage) -> dict[str, int]:
    found = stage.hub.units.list(space_id=stage.space_id, include="")
    return {one["Unit"]["Slug"]: one["Unit"]["HeadRevisionNum"] for one in found}


def replicas(stage: Stage, unit_id: str) -> bool:
    return "replicas: 5" in stage.hub.units.data(unit_id, space_id=stage.space_id)


def test_what_is_proposed_is_a_change_set_and_changes_nothing(dev: Stage) -> None:
    web = dev.unit("web")

    written = proposals.write(dev.hub, proposal(dev, ("web", web)))
    (shown,) = proposals.show(dev.hub, written)

    assert heads(dev) == {"web": 1}
    assert [line for line in shown.diff if line[0] in "+-"] == [
        "-  replicas: 1 # enough here",
        "+  replicas: 5 # enough here",
    ]
    assert shown.gates == ()
    assert proposals.find(dev.hub, space=dev.space, space_id=dev.space_id) == [written]
    assert proposals.write(dev.hub, proposal(dev, ("web", web))) == written


def test_what_is_made_is_recorded_as_the_end_and_can_be_taken_back(dev: Stage) -> None:
    web, api, other = dev.unit("web"), dev.unit("api"), dev.unit("other")
    written = proposals.write(dev.hub, proposal(dev, ("web", web), ("api", api)))

    proposals.make(dev.hub, written)

    assert heads(dev) == {"web": 2, "api": 2, "other": 1}
    assert replicas(dev, web)
    assert replicas(dev, api)
    (made,) = proposals.find(dev.hub, space=dev.space, space_id=dev.space_id)
    assert made.is_made
    with pytest.raises(BadRequest, match="is made already"):
        proposals.show(dev.hub, made)

    where = f"UnitID IN ('{web}', '{api}', '{other}')"
    dev.hub.units.patch_all({}, where=where, restore=f"Before:ChangeSet:{made.change_set_id}")
    assert not replicas(dev, web)
    assert not replicas(dev, api)


def test_a_unit_that_changed_meanwhile_refuses_the_whole(dev: Stage) -> None:
    web, api = dev.unit("web"), dev.unit("api")
    written = proposals.write(dev.hub, proposal(dev, ("web", web), ("api", api)))
    dev.hub.functions.invoke([call("set-replicas", 2)], space_id=dev.space_id, where=f"UnitID = '{api}'")

    with pytest.raises(Conflict, match=r"api \(revision 1 then, 2 now\)"):
        proposals.make(dev.hub, written)

    assert heads(dev) == {"web": 1, "api": 2}


def test_a_call_that_fails_takes_back_what_was_done(dev: Stage) -> None:
    web, api = dev.unit("web"), dev.unit("api")
    written = proposals.write(dev.hub, proposal(dev, ("web", web), ("api", api)))
    bad = ProposedUnit(api, "api", 1, [("set-string-path", ("apps/v1/Deployment", "spec.replicas.x", "y"))])
    broken = Proposal(
        slug=written.slug,
        space=dev.space,
        space_id=dev.space_id,
        why="x",
        units=[written.units[0], bad],
        change_set_id=written.change_set_id,
    )

    with pytest.raises(ConfigHubError):
        proposals.make(dev.hub, broken)

    assert not replicas(dev, web)
    assert not replicas(dev, api)


def test_gates_that_would_be_closed_refuse_it_by_name(dev: Stage) -> None:
    web = dev.unit("web")
    trigger = {"Slug": "few", "Event": "Mutation", "ToolchainType": "Kubernetes/YAML", "FunctionName": "cel-validate"}
    trigger["Arguments"] = [{"Value": "r.spec.replicas < 3"}]  # type: ignore[assignment]
    dev.hub.triggers.create(trigger, space_id=dev.space_id)
    written = proposals.write(dev.hub, proposal(dev, ("web", web)))

    shown = proposals.show(dev.hub, written)

    assert shown[0].gates == ("few/cel-validate",)
    proposals.refuse_closed(written, shown, approve=False, command="x")  # nothing of it is live
    live = [proposals.Shown(one.unit, one.text, one.diff, one.gates, is_live=True) for one in shown]
    with pytest.raises(Gated, match=r"web \(few/cel-validate\)"):
        proposals.refuse_closed(written, live, approve=True, command="x")


def test_a_proposal_that_cannot_be_read_is_told(dev: Stage) -> None:
    change_set = {"Slug": "odd", "ChangeSetID": "x", "SpaceID": "y", "Annotations": {proposals.KEY: "{"}}

    assert proposals.read({**change_set, "Annotations": {}}, space="dev") is None
    with pytest.raises(BadRequest, match="the proposal of change set odd cannot be read"):
        proposals.read(change_set, space="dev")


def cut_off(stage: Stage, written: Proposal) -> None:
    """Leave the units as a process does that is killed after the first of them."""
    first = written.units[0]
    stage.hub.units.hold(where=f"UnitID = '{first.unit_id}'", reason="x", ttl_s=600, holder="change-set")
    calls = [call(name, *values) for name, values in first.calls]
    stage.hub.functions.invoke(calls, where=f"UnitID = '{first.unit_id}'", space_id=stage.space_id)


def test_what_was_cut_off_between_two_units_is_shown_and_goes_on(dev: Stage) -> None:
    web, api = dev.unit("web"), dev.unit("api")
    written = proposals.write(dev.hub, proposal(dev, ("web", web), ("api", api)))
    assert not proposals.is_begun(dev.hub, written)
    cut_off(dev, written)

    assert proposals.is_begun(dev.hub, written)
    assert [len(one.diff) > 0 for one in proposals.show(dev.hub, written)] == [True, True]
    with proposals.held(dev.hub, written):
        proposals.make(dev.hub, written)

    assert heads(dev) == {"web": 2, "api": 2}
    assert replicas(dev, web)
    assert replicas(dev, api)
    (made,) = proposals.find(dev.hub, space=dev.space, space_id=dev.space_id)
    assert (made.is_made, proposals.is_begun(dev.hub, made)) == (True, False)


def test_a_change_that_somebody_else_made_is_told_with_what_was_cut_off(dev: Stage) -> None:
    web, api = dev.unit("web"), dev.unit("api")
    written = proposals.write(dev.hub, proposal(dev, ("web", web), ("api", api)))
    cut_off(dev, written)
    dev.hub.functions.invoke([call("set-replicas", 2)], space_id=dev.space_id, where=f"UnitID = '{api}'")

    with pytest.raises(Conflict, match=r"api \(revision 1 then, 2 now\)") as refused:
        proposals.show(dev.hub, written)

    assert "an earlier try changed web" in str(refused.value)
