"""``cub unit update``, ``edit``, ``set-target`` and ``push-upgrade``: what changes a unit."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING

from confighub.cli.applying import tell_what_is_next
from confighub.cli.asking import edited
from confighub.cli.changing import report_many, said
from confighub.cli.command import argument, command, flag, option, space_option
from confighub.cli.commands.unit_create import KIND, target_id
from confighub.cli.invoking import resource_rows
from confighub.cli.output import table
from confighub.cli.record_input import DRY_RUN, RECORD_INPUT, given_record, label_patch, read_text
from confighub.cli.revisions import revision_of
from confighub.cli.selecting import MANY_UNITS, the_unit, wants_many, where_of
from confighub.cli.showing import DATA_OUTPUT, VERBOSE
from confighub.cli.waiting import WAITING
from confighub.client.collection import is_id
from confighub.client.units import text_of
from confighub.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

_NO_TARGET = "-"


@command(
    argument("unit", required=False, complete="units"),
    argument("file", required=False),
    space_option(),
    *MANY_UNITS,
    option("data", "A merge patch of the configuration, as JSON; lists by their keys.", metavar="JSON"),
    option(
        "restore",
        "Bring back a revision: a number, N-1, LiveRevisionNum, [Before:]Tag:x or ChangeSet:x.",
        metavar="REVISION",
    ),
    flag("upgrade", "Bring in what upstream changed; what was set here stays."),
    option("target", "Point the units at this target; - at none.", metavar="TARGET", complete="targets"),
    option("change-desc", "Why; it becomes the description of the revision.", metavar="TEXT"),
    DRY_RUN,
    flag("patch", "Change only what is given; without a name, every unit selected."),
    flag("replace", "Begin with an empty record instead of the stored one."),
    *RECORD_INPUT,
    *DATA_OUTPUT,
    VERBOSE,
    *WAITING,
    example="""cub unit update web web.yaml --change-desc "two replicas"
cub unit update --patch --space my-prod --where "SetID = 'critical-services'" --data '{"spec":{"replicas":3}}'
cub unit update --patch --upgrade --space my-prod""",
)
def update(call: Call) -> None:
    """Change a unit, or with --patch every unit that --unit, --where or --filter selects.

    With --patch and neither a name nor a selection, every unit of the space is meant.
    """
    if not call.arg("unit") and not (call.yes("patch") or wants_many(call)):
        raise BadRequest("which unit?", hint=f"{call.name} UNIT [FILE], or --patch for every unit selected")
    given = {"a file": call.arg("file"), "--upgrade": call.yes("upgrade")}
    given |= {f"--{name}": call.text(name) for name in ("data", "restore")}
    sources = [name for name, value in given.items() if value]
    if len(sources) > 1:
        raise BadRequest(f"{' and '.join(sources)} exclude each other")
    if call.arg("unit"):
        _update_one(call)
    else:
        _update_many(call)


def _update_one(call: Call) -> None:
    before = the_unit(call, call.arg("unit"))["Unit"]
    query = _query(call)
    if call.text("restore"):
        query.update(_restored(call, before))
    if call.text("data"):
        changed = _patch_data(call, before, query)
    elif call.yes("replace"):
        kept = {key: before.get(key) for key in ("Slug", "UnitID", "SpaceID", "Version", "ToolchainType")}
        record = {**kept, **_changes(call)}
        changed = call.hub.units.update(before["UnitID"], record, space_id=before["SpaceID"], **query)
    else:
        changed = call.hub.units.patch(before["UnitID"], _changes(call), space_id=before["SpaceID"], **query)
    _tell_one(call, before, changed)


def _tell_one(call: Call, before: Wire, changed: Wire) -> None:
    news = int(changed.get("HeadRevisionNum") or 0) > int(before.get("HeadRevisionNum") or 0)
    if call.out.how == "mutations":
        call.out.write(_mutations(changed, above=int(before.get("HeadMutationNum") or 0)))
        return
    if call.is_dry_run:
        text = _difference(before, changed)
        call.out.show(changed, lambda: text or f"dry run: unit {before['Slug']} would not change")
        _tell_held(call, changed["Slug"], changed)
        return
    said(call, KIND, "updated", changed)
    _tell_held(call, changed["Slug"], changed)
    if news:
        tell_what_is_next(call, [changed])


def _update_many(call: Call) -> None:
    if call.arg("file") or call.yes("replace"):
        raise BadRequest("a file and --replace are for one unit", hint=f"{call.name} UNIT FILE")
    where = where_of(call)
    query = _query(call)
    before = _heads(call, where)
    if not before:
        raise NotFound(f"no unit in {call.scope.words} matches: {where or 'everything'}")
    restore = call.text("restore")
    if call.text("data"):
        if _about(call):
            raise BadRequest("--data changes texts, and nothing else of many units", hint="one command for each")
        body = _data_patch(call)
        query.update({"data_patch": "true", "change_desc": call.text("change-desc")})
    else:
        body = _changes(call)
    done = _restore_each(call, before, body, query) if _is_relative(restore) else None
    if done is None:
        if restore:
            query["restore"] = restore
        done = call.hub.units.patch_all(body, where=where, **query)
    verb = "upgrade" if call.yes("upgrade") else "update"
    for element in done:
        _tell_held(call, (element.get("Unit") or {}).get("Slug"), element)
    if call.out.how == "mutations":
        units = [one["Unit"] for one in done if one.get("Unit")]
        call.out.write("\n".join(_mutations(one, above=before[one["UnitID"]]["HeadMutationNum"]) for one in units))
        return
    worked = report_many(call, KIND, verb, done)
    changed = [unit for one in worked if (unit := one.get("Unit") or one) and _is_new(unit, before)]
    if call.is_dry_run:
        call.out.say(f"{len(changed)} of {len(worked)} would have another head")
    elif changed:
        tell_what_is_next(call, changed)


def _heads(call: Call, where: str) -> dict[str, Wire]:
    """Return the units that match, by id, with the numbers of their heads."""
    select = "Slug,SpaceID,HeadRevisionNum,HeadMutationNum,LiveRevisionNum,LastAppliedRevisionNum"
    listed = call.hub.units.list(where=where, include="UpstreamUnitID", select=select)
    return {one["Unit"]["UnitID"]: one["Unit"] for one in listed}


def _is_new(unit: Wire, before: dict[str, Wire]) -> bool:
    old = before.get(str(unit.get("UnitID"))) or {}
    return int(unit.get("HeadRevisionNum") or 0) > int(old.get("HeadRevisionNum") or 0)


def _query(call: Call) -> dict[str, str]:
    return {"upgrade": "true" if call.yes("upgrade") else ""}


def _changes(call: Call) -> Wire:
    """Return the merge patch of the unit's record that the call gives."""
    changes: Wire = {**given_record(call), **label_patch(call)}
    if call.arg("file"):
        changes["Data"] = b64encode(read_text(call.arg("file")).encode()).decode()
    if call.text("target"):
        changes["TargetID"] = None if call.text("target") == _NO_TARGET else target_id(call, call.text("target"))
    if call.text("change-desc"):
        changes["LastChangeDescription"] = call.text("change-desc")
    return changes


def _about(call: Call) -> Wire:
    """Return what the call changes of a record beside its text and why."""
    return {key: value for key, value in _changes(call).items() if key != "LastChangeDescription"}


def _data_patch(call: Call) -> Wire:
    try:
        patch = json.loads(call.text("data"))
    except ValueError as error:
        raise BadRequest(f"--data is not JSON: {error}") from error
    if not isinstance(patch, dict):
        raise BadRequest("--data is no JSON object", hint="""such as '{"spec":{"replicas":2}}'""")
    return patch


def _patch_data(call: Call, unit: Wire, query: dict[str, str]) -> Wire:
    # before the text is changed: a target that is not there refuses both
    patch, about = _data_patch(call), _about(call)
    query["change_desc"] = call.text("change-desc")
    changed = call.hub.units.patch_data(unit["UnitID"], patch, space_id=unit["SpaceID"], **query)
    if about and not call.is_dry_run:
        changed = call.hub.units.patch(unit["UnitID"], about, space_id=unit["SpaceID"])
    return changed


def _tell_held(call: Call, slug: object, answer: Wire) -> None:
    """Say which changes of upstream were left out since the place was set here, one a line."""
    for one in answer.get("Held") or []:
        name = f"{one['Resource']['ResourceType'].rpartition('/')[2]} {one['Resource']['ResourceNameWithoutScope']}"
        ours, theirs = (str(one.get(side) or "nothing").strip() for side in ("Ours", "Theirs"))
        if call.out.is_for_people:
            call.out.say(f"held in {slug}: {name} {one['Path']} stays {ours}, upstream has {theirs}")


def _is_relative(restore: str) -> bool:
    """Tell whether the hub cannot know the revision by this name: a number, or counted from the head."""
    return bool(restore) and (restore.lstrip("Nn-").isdigit() or restore.lower() in ("live", "applied", "head"))


def _restored(call: Call, unit: Wire) -> dict[str, str]:
    """Return the query that brings a revision of the unit back."""
    name = call.text("restore")
    if is_id(name):
        return {"revision_id": name}
    if not _is_relative(name):
        return {"restore": name}
    return {"revision_id": str(revision_of(call.hub, unit, name)["Revision"]["RevisionID"])}


def _restore_each(call: Call, before: dict[str, Wire], body: Wire, query: dict[str, str]) -> list[Wire]:
    done = []
    for unit in before.values():
        query_one = {**query, **_restored(call, unit)}
        done.append({"Unit": call.hub.units.patch(unit["UnitID"], body, space_id=unit["SpaceID"], **query_one)})
    return done


def _mutations(unit: Wire, *, above: int) -> str:
    rows = [row for one in unit.get("MutationSources") or [] for row in resource_rows(one, above=above)]
    return table(["RESOURCE", "TYPE", "PATH", "MUTATION", "NUM", "VALUE"], rows)


def _difference(before: Wire, after: Wire) -> str:
    import difflib

    old, new = (text_of(one).splitlines(keepends=True) for one in (before, after))
    return "".join(difflib.unified_diff(old, new, f"{before['Slug']} now", f"{before['Slug']} then"))


@command(
    argument("unit", complete="units"),
    space_option(),
    option("change-desc", "Why; it becomes the description of the revision.", metavar="TEXT"),
    DRY_RUN,
    *WAITING,
    example="EDITOR=vi cub unit edit trade-service",
)
def edit(call: Call) -> None:
    """Open the text of a unit in $EDITOR and store what comes back."""
    unit = the_unit(call, call.arg("unit"))["Unit"]
    before = text_of(unit)
    after = edited(before)
    if after is None or after == before:
        call.out.say(f"unit {unit['Slug']} is unchanged")
        return
    changes: Wire = {"Data": b64encode(after.encode()).decode(), "Version": unit.get("Version")}
    if call.text("change-desc"):
        changes["LastChangeDescription"] = call.text("change-desc")
    changed = call.hub.units.patch(unit["UnitID"], changes, space_id=unit["SpaceID"])
    _tell_one(call, unit, changed)


@command(
    argument("unit-or-target", complete="units"),
    argument("target", required=False, complete="targets"),
    space_option(),
    *MANY_UNITS,
    DRY_RUN,
    *DATA_OUTPUT,
    VERBOSE,
    example="""cub unit set-target trade-service dev-cluster
cub unit set-target dev-cluster --space my-dev --filter my-project/backend""",
)
def set_target(call: Call) -> None:
    """Point a unit, or every unit selected, at a target; - points at none. Nothing is applied by this."""
    target = call.arg("target") or call.arg("unit-or-target")
    changes: Wire = {"TargetID": None if target == _NO_TARGET else target_id(call, target)}
    if not call.arg("target"):
        if not wants_many(call):
            raise BadRequest("which units?", hint=f"{call.name} UNIT {target}, or --unit, --where, --filter")
        report_many(call, KIND, "update", call.hub.units.patch_all(changes, where=where_of(call)))
        return
    unit = the_unit(call, call.arg("unit-or-target"))["Unit"]
    changed = call.hub.units.patch(unit["UnitID"], changes, space_id=unit["SpaceID"])
    sentence = f"Successfully set target of unit {unit['Slug']} ({unit['UnitID']})"
    if call.is_dry_run:
        sentence = f"dry run: unit {unit['Slug']} would have the target {target}; nothing is stored"
    call.out.show(changed, lambda: sentence)


@command(
    argument("unit", complete="units"),
    space_option(),
    *RECORD_INPUT,
    DRY_RUN,
    *DATA_OUTPUT,
    VERBOSE,
    flag("replace", "Accepted; clones are always merged."),
    option("change-desc", "Why; it becomes the description of the revisions.", metavar="TEXT"),
    *WAITING,
    example="cub unit push-upgrade trade-service --space my-base",
)
def push_upgrade(call: Call) -> None:
    """Bring the changes of a unit into its clones that are behind; what was set there stays."""
    unit = the_unit(call, call.arg("unit"))["Unit"]
    where = f"Unit.UpstreamUnitID = '{unit['UnitID']}' AND Unit.UpstreamRevisionNum < UpstreamUnit.HeadRevisionNum"
    changes = {**given_record(call), **label_patch(call)}
    if call.text("change-desc"):
        changes["LastChangeDescription"] = call.text("change-desc")
    before = _heads(call, where)
    done = call.hub.units.patch_all(changes, where=where, upgrade="true", include="UpstreamUnitID")
    worked = report_many(call, KIND, "upgrade", done)
    if call.is_dry_run:
        return
    tell_what_is_next(call, [found for one in worked if _is_new(found := one.get("Unit") or one, before)])
