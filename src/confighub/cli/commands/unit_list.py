"""``cub unit list``: the table of units, or the columns asked for."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING

from confighub.cli.command import command, option, space_option
from confighub.cli.kinds import Column, Kind, at, plain
from confighub.cli.output import one_of_map
from confighub.cli.selecting import FILTER, UNITS, WHERE, chosen_units
from confighub.cli.showing import CONTAINS, LIST_OUTPUT, SELECT, show_list
from confighub.client.collection import UNIT
from confighub.client.names import Selection
from confighub.errors import BadRequest

if TYPE_CHECKING:
    from confighub.cli.call import Call


def upgrade_needed(record: object) -> str:
    """Return Yes or No by the upstream's head; empty for a unit without upstream."""
    upstream = at(record, "UpstreamUnit")
    if not isinstance(upstream, dict):
        return ""
    behind = int(upstream.get("HeadRevisionNum") or 0) > int(plain(at(record, "Unit.UpstreamRevisionNum")) or 0)
    return "Yes" if behind else "No"


def unapplied(record: object) -> str:
    """Return Yes when the head is above what is live."""
    head, live = at(record, "Unit.HeadRevisionNum"), at(record, "Unit.LiveRevisionNum")
    return "Yes" if int(plain(head) or 0) > int(plain(live) or 0) else ""


def data_bytes(record: object) -> str:
    """Return the size of the text."""
    return str(len(b64decode(plain(at(record, "Unit.Data")))))


def last_action(record: object) -> str:
    """Return what was done last, as in ``Apply``."""
    action = plain(at(record, "UnitStatus.Action") or at(record, "LatestUnitEvent.Action"))
    return "" if action == "N/A" else action


WHOLE = ""
"""The path of a column that is computed from the whole record."""

KIND = Kind(
    UNIT,
    lambda hub: hub.units,
    columns=(
        Column("NAME", "Unit.Slug"),
        Column("SPACE", "Space.Slug"),
        Column("TARGET", "Target.Slug"),
        Column("STATUS", "UnitStatus.Status"),
        Column("LAST-ACTION", WHOLE, last_action),
        Column("UPGRADE-NEEDED", WHOLE, upgrade_needed),
        Column("UNAPPLIED-CHANGES", WHOLE, unapplied),
        Column("APPLY-GATES", "Unit.ApplyGates", one_of_map),
        Column("LAST-CHANGE-DESCRIPTION", "Unit.LastChangeDescription"),
    ),
    select=(
        "ApplyGates,HeadRevisionNum,LastChangeDescription,LiveRevisionNum,OrganizationID,Slug,Space.Slug,SpaceID,"
        "Target.Slug,TargetID,UnitID,UpstreamRevisionNum,UpstreamUnit.HeadRevisionNum,UpstreamUnitID"
    ),
)

_FLAT = (
    "Annotations,ApplyGates,ApprovedBy,ContentHash,CreatedAt,DisplayName,EntityType,HeadMutationNum,HeadRevisionNum,"
    "Labels,LastAppliedRevisionNum,LastChangeDescription,LiveRevisionNum,OrganizationID,PreviousLiveRevisionNum,SetID,"
    "Slug,SpaceID,TargetID,ToolchainType,UnitID,UpdatedAt,UpstreamRevisionNum,UpstreamSpaceID,UpstreamUnitID,Version"
)
"""What ``--format`` shows of a unit: everything but the texts."""

_COMPUTED = {
    "DataBytes": ("DATA-BYTES", data_bytes, "Data"),
    "UpgradeNeeded": ("UPGRADE-NEEDED", upgrade_needed, "UpstreamRevisionNum"),
    "UnappliedChanges": ("UNAPPLIED-CHANGES", unapplied, "HeadRevisionNum,LiveRevisionNum"),
}
_NAMED = {"Name": ("NAME", "Unit.Slug", "Slug"), "ID": ("ID", "Unit.UnitID", "UnitID")}


@command(
    space_option(),
    WHERE,
    FILTER,
    UNITS,
    CONTAINS,
    SELECT,
    option("columns", "Show these fields instead of the usual columns.", metavar="FIELD,…"),
    option("where-data", "A condition on the configuration.", metavar="EXPRESSION"),
    option("resource-type", "Which resources that condition is about.", metavar="TYPE"),
    LIST_OUTPUT,
    example="cub unit list --space my-traderx-prod --filter my-traderx/ordered --sort-by Labels.order",
)
def list_units(call: Call) -> None:
    """List units."""
    columns, needed = _columns(call.text("columns"))
    chosen = call.text("select") or (_FLAT if call.out.is_flat else needed or KIND.select)
    sort = call.text("sort-by").removeprefix("-")
    if sort and chosen != "*" and not call.text("select"):
        chosen = f"{chosen},{sort.split('.')[1 if sort.startswith('Unit.') else 0]}"
    query = {"contains": call.text("contains"), "select": "" if chosen == "*" else chosen}
    selection = _selection(call)
    if selection.where_data or selection.resource_type:
        records = call.hub.units.list(**selection.query, **query)
    else:
        # the space is in the path, so its term is not needed in the expression
        where = selection.where.removesuffix(call.scope.term).removesuffix(" AND ")
        records = call.hub.units.list(where=where, space_id=call.scope.space_id, **query)
    show_list(call, KIND, records, columns or KIND.columns)


def _selection(call: Call) -> Selection:
    found = chosen_units(call)
    where_data, resource_type = call.text("where-data"), call.text("resource-type")
    if found.where_data and where_data:
        raise BadRequest("the filter looks into the configuration already; leave --where-data out")
    return Selection(found.where, where_data or found.where_data, resource_type or found.resource_type)


def _columns(text: str) -> tuple[list[Column], str]:
    """Return the columns named in the comma list, and the fields to ask for; none without a list."""
    columns: list[Column] = []
    needed = ["Slug", "SpaceID", "UnitID", "OrganizationID"]
    for name in (part.strip() for part in text.split(",") if part.strip()):
        path = name.removeprefix("Unit.")
        if path in _COMPUTED:
            title, show, fields = _COMPUTED[path]
            columns.append(Column(title, WHOLE, show))
        elif path in _NAMED:
            title, full, fields = _NAMED[path]
            columns.append(Column(title, full))
        elif path.startswith(("Labels.", "Annotations.")):
            kind, _, key = path.partition(".")
            fields = kind
            columns.append(Column(f"{kind.removesuffix('s')}:{key}".upper(), f"Unit.{path}"))
        else:
            fields = path.split(".")[0] if _is_own(path) else path
            columns.append(Column(_title(path), f"Unit.{path}" if _is_own(path) else path, _shown))
        needed.append(fields)
    return columns, ",".join(needed) if columns else ""


def _is_own(path: str) -> bool:
    first = path.partition(".")[0]
    return first not in ("Space", "Target", "UpstreamUnit", "UpstreamSpace", "UnitStatus", "LatestUnitEvent", "Set")


def _title(path: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", path.replace(".", "-")).upper()


def _shown(value: object) -> str:
    if isinstance(value, list):
        return f"{len(value)} items"
    if isinstance(value, dict):
        return one_of_map(value)
    return "?" if value is None else plain(value)
