"""``cub unit create``: from a file, from a skeleton, as a clone, or many clones at once."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from confighub.cli.changing import destinations, report_many, store_new
from confighub.cli.command import argument, command, flag, option, options, space_option
from confighub.cli.kinds import Kind
from confighub.cli.record_input import (
    DRY_RUN,
    RECORD_INPUT,
    given_record,
    label_patch,
    put_labels,
    read_text,
    slug_of,
)
from confighub.cli.selecting import MANY_UNITS, chosen_units, the_unit, wants_many
from confighub.cli.showing import DATA_OUTPUT, VERBOSE
from confighub.cli.skeletons import skeleton
from confighub.cli.waiting import WAITING
from confighub.client.collection import UNIT, any_of
from confighub.errors import BadRequest, NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

KIND = Kind(UNIT, lambda hub: hub.units, columns=(), select="")


@command(
    argument("name", required=False),
    argument("file", required=False),
    space_option(),
    option("type", "Begin with a skeleton, such as k8s/Deployment.", metavar="TYPE"),
    option("upstream-unit", "Clone this unit: UNIT or SPACE/UNIT.", metavar="UNIT", complete="units"),
    option("upstream-space", "The space of the upstream unit.", metavar="SPACE", complete="spaces"),
    options("dest-space", "Clone the selected units into these spaces.", metavar="SPACE,…", complete="spaces"),
    option("where-space", "Clone into the spaces that match.", metavar="EXPRESSION"),
    options("name-prefix", "Clone under new names that begin so.", metavar="PREFIX,…"),
    *MANY_UNITS,
    option("target", "The target of the unit.", metavar="TARGET", complete="targets"),
    option("toolchain", "The toolchain type.", metavar="TYPE", short="t", default="Kubernetes/YAML"),
    option("import", "Fill the unit with the live resources that match.", metavar="EXPRESSION"),
    option("change-desc", "Why; it becomes the description of the revision.", metavar="TEXT"),
    flag("allow-exists", "Be content when it exists already."),
    DRY_RUN,
    *RECORD_INPUT,
    *DATA_OUTPUT,
    VERBOSE,
    *WAITING,
    example="""cub unit create web web.yaml --space my-space --label tier=frontend
cub unit create web-green --space my-prod --upstream-unit my-staging/web --label version=green
cub unit create --space my-base --dest-space my-dev --filter my-project/all --label targetable=true""",
)
def create(call: Call) -> None:
    """Create a unit from a file (- is standard input), or clone units.

    Without a name, the units selected by --unit, --where or --filter (all of the space without
    any) are cloned into --dest-space or --where-space.
    """
    if not call.arg("name") and _wants_clones(call):
        _clone_many(call)
        return
    record = put_labels(call, {"ToolchainType": call.text("toolchain"), **given_record(call)})
    name = call.arg("name") or str(record.get("Slug") or "")
    if not name:
        raise BadRequest("no name for the unit", hint=f"{call.name} NAME [FILE], or --dest-space for clones")
    record["Slug"] = slug_of(name)
    if record["Slug"] != name:
        record.setdefault("DisplayName", name)
    if call.text("change-desc"):
        record["LastChangeDescription"] = call.text("change-desc")
    if call.text("target"):
        record["TargetID"] = target_id(call, call.text("target"))
    store_new(call, KIND, record, **_origin(call, record))
    if call.text("import") and not call.is_dry_run:
        _fill_from_target(call, record["Slug"])


def target_id(call: Call, name: str) -> str:
    """Return the id of a target named by slug, id, or SPACE/TARGET; raises NotFound."""
    owner, _, slug = name.rpartition("/")
    space_id = call.hub.space_id(owner) if owner else call.space_id
    try:
        found = call.hub.targets.find(slug, space_id=space_id)
    except NotFound:
        if owner:
            raise
        # targets made by a worker of another space are named alone as long as that is clear
        found = call.hub.targets.find(slug)
    return str(found["Target"]["TargetID"])


def _origin(call: Call, record: Wire) -> dict[str, str]:
    """Put the text into the record, or return the query that names the upstream unit."""
    upstream = call.text("upstream-unit")
    given = {"a file": call.arg("file"), "--type": call.text("type"), "--upstream-unit": upstream}
    sources = [name for name, value in given.items() if value]
    if len(sources) > 1:
        raise BadRequest(f"a unit has one origin, not {' and '.join(sources)}")
    if call.arg("file"):
        record["Data"] = b64encode(read_text(call.arg("file")).encode()).decode()
    elif call.text("type"):
        record["Data"] = b64encode(skeleton(call.text("type"), record["Slug"]).encode()).decode()
    elif upstream:
        name = f"{call.text('upstream-space')}/{upstream}" if call.text("upstream-space") else upstream
        unit = the_unit(call, name)["Unit"]
        return {"upstream_space_id": unit["SpaceID"], "upstream_unit_id": unit["UnitID"]}
    return {}


def _wants_clones(call: Call) -> bool:
    spread = call.many("dest-space") or call.text("where-space") or call.many("name-prefix")
    return bool(spread) or wants_many(call)


def _clone_many(call: Call) -> None:
    where_space, prefixes = destinations(call), ",".join(call.many("name-prefix"))
    if not where_space and not prefixes:
        raise BadRequest("where to?", hint="--dest-space SPACE, --where-space EXPRESSION or --name-prefix PREFIX")
    selection = chosen_units(call)
    query = {"where_space": where_space, "name_prefixes": prefixes}
    if selection.where_data or selection.resource_type:
        found = call.hub.units.list(include="", select="Slug", **selection.query)
        where = any_of("UnitID", [str(one["Unit"]["UnitID"]) for one in found]) if found else ""
    else:
        where = selection.where
    changes = {**given_record(call), **label_patch(call)}
    if call.text("change-desc"):
        changes["LastChangeDescription"] = call.text("change-desc")
    done = call.hub.units.create_all(changes, where=where, **query) if where else []
    if call.yes("allow-exists"):
        done = [one for one in done if not _exists_already(one)]
    elif not done:
        raise NotFound(f"no unit in {call.scope.words} matches: {selection.where or 'everything'}")
    report_many(call, KIND, "create", done)


def _exists_already(element: Wire) -> bool:
    message = str((element.get("Error") or {}).get("Message") or "")
    return "exists" in message or "taken" in message


def _fill_from_target(call: Call, slug: str) -> None:
    from confighub.cli.waiting import outcome_of

    unit = call.hub.unit(slug, space_id=call.space_id)["Unit"]
    operation = call.hub.units.import_(unit["UnitID"], {"Where": call.text("import")}, space_id=unit["SpaceID"])
    if call.yes("wait"):
        event = outcome_of(call, operation, slug)
        if event["Status"] != "Completed":
            raise BadRequest(f"Import failed on unit {slug}: {event.get('Message') or event['Status']}")
