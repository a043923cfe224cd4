"""``cub unit import``: live resources through a worker, or units from an export."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING

from confighub.cli.command import argument, command, flag, option, space_option
from confighub.cli.output import note
from confighub.cli.record_input import (
    DRY_RUN,
    RECORD_INPUT,
    given_record,
    label_patch,
    put_labels,
    read_text,
    slug_of,
)
from confighub.cli.selecting import WHERE, the_unit
from confighub.cli.showing import DATA_OUTPUT, VERBOSE
from confighub.cli.waiting import WAITING, outcome_of
from confighub.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire


@command(
    argument("unit", required=False, complete="units"),
    argument("request-file", required=False),
    space_option(),
    WHERE,
    option("target", "Where to look; a new unit is pointed at it.", metavar="TARGET", complete="targets"),
    option("export", "Restore the units of this export into the space.", metavar="FILE"),
    flag("change-existing", "With --export: change units that exist too."),
    DRY_RUN,
    *RECORD_INPUT,
    *DATA_OUTPUT,
    VERBOSE,
    *WAITING,
    example="""cub unit import web --where "kind = 'ConfigMap'" --target dev-cluster
cub unit import --export traderx-prod-backup-20251003.yaml --space restored""",
)
def import_units(call: Call) -> None:
    """Bring live resources into a unit, or the units of an export into a space.

    A worker for Kubernetes looks into the namespaces of people alone. Add to the expression, by AND,
    import.include_system = true for those of the cluster, import.include_custom = true for the
    definitions of custom kinds, import.include_cluster = true for what is in no namespace.
    """
    if call.text("export"):
        _restore(call)
        return
    if not call.arg("unit"):
        raise BadRequest("which unit?", hint=f"{call.name} UNIT --where EXPRESSION, or --export FILE")
    # before a unit is made for it
    request = _request(call)
    unit = _unit_to_fill(call)
    if call.is_dry_run:
        # what the target has is known only to its worker, and asking it is the import
        call.out.show(unit, lambda: f"dry run: unit {unit['Slug']} would be filled from its target; nothing is stored")
        return
    operation = call.hub.units.import_(unit["UnitID"], request, space_id=unit["SpaceID"])
    if not call.yes("wait"):
        call.out.show(operation, lambda: f"Queued import for unit {unit['Slug']} ({unit['UnitID']})")
        return
    event = outcome_of(call, operation, str(unit["Slug"]))
    if event["Status"] != "Completed":
        raise BadRequest(f"Import failed on unit {unit['Slug']}: {event.get('Message') or event['Status']}")
    call.out.show(event, lambda: f"Successfully completed Import on unit {unit['Slug']} ({unit['UnitID']})")


def _request(call: Call) -> Wire:
    if file := call.arg("request-file"):
        try:
            request = json.loads(read_text(file))
        except ValueError as error:
            raise BadRequest(f"{file} is not JSON: {error}") from error
        if not isinstance(request, dict | list):
            raise BadRequest(f"{file} is no request", hint="a JSON object, or a list of resources")
        return {"ResourceInfoList": request} if isinstance(request, list) else request
    if not call.text("where"):
        raise BadRequest("what is to be imported?", hint="--where \"kind = 'ConfigMap'\"")
    return {"Where": call.text("where")}


def _unit_to_fill(call: Call) -> Wire:
    """Return the unit by its name, created when there is none."""
    try:
        unit: Wire = the_unit(call, call.arg("unit"))["Unit"]
    except NotFound:
        record = put_labels(call, {**given_record(call), "Slug": slug_of(call.arg("unit"))})
        if call.text("target"):
            target = call.hub.targets.find(call.text("target"), space_id=call.space_id)["Target"]
            record["TargetID"] = target["TargetID"]
        unit = call.hub.units.create(record, space_id=call.space_id)
    return unit


def _restore(call: Call) -> None:
    """Create the units of an export; those that exist are kept, or changed when that is asked for."""
    import yaml

    name = call.text("export")
    try:
        exported = [one for one in yaml.safe_load_all(read_text(name)) if one]
    except yaml.YAMLError as error:
        raise BadRequest(f"{name} is no export: {str(error).splitlines()[0]}") from error
    exported = exported[0] if len(exported) == 1 and isinstance(exported[0], list) else exported
    space_id = call.space_id
    there = {
        one["Unit"]["Slug"]: one["Unit"] for one in call.hub.units.list(space_id=space_id, select="Slug", include="")
    }
    created = changed = 0
    for one in exported:
        if not isinstance(one, dict) or not one.get("Slug") or not isinstance(one.get("Data"), str):
            raise BadRequest(f"{name} is no export: each unit has Slug and Data")
        record = _record_of(call, one)
        if one["Slug"] not in there:
            call.hub.units.create(record, space_id=space_id)
            created += 1
        elif call.yes("change-existing"):
            call.hub.units.patch(there[one["Slug"]]["UnitID"], record, space_id=space_id)
            changed += 1
        note(f"  {one['Slug']}")
    kept = len(exported) - created - changed
    told = f"{created} units created, {changed} changed, {kept} kept as they were"
    call.out.say(f"dry run: {told}; nothing is stored" if call.is_dry_run else told)


def _record_of(call: Call, exported: Wire) -> Wire:
    record = {
        key: exported[key]
        for key in ("Slug", "DisplayName", "ToolchainType", "Labels", "Annotations")
        if exported.get(key)
    }
    record["Data"] = b64encode(exported["Data"].encode()).decode()
    record["LastChangeDescription"] = (
        f"restored from revision {exported.get('HeadRevisionNum', '?')} of {exported.get('Space', '?')}"
    )
    target = call.text("target") or exported.get("Target")
    if target:
        found = call.hub.targets.list(where=f"Slug = '{target}'", space_id=call.space_id)
        if found:
            record["TargetID"] = found[0]["Target"]["TargetID"]
    for key, value in label_patch(call).items():
        record[key] = {**record.get(key, {}), **value}
    return record
