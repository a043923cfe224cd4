"""``cub unit export``: units with their texts as one YAML stream, which ``cub unit import`` reads back.

One document a unit, in the order of slugs: Space, Slug, DisplayName, ToolchainType, Labels,
Annotations, Target, Upstream, HeadRevisionNum, Data (the text).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from confighub.cli.command import argument, command, option, space_option
from confighub.cli.output import as_json, as_yaml, note
from confighub.cli.selecting import MANY_UNITS, the_unit, units_meant
from confighub.client.units import text_of
from confighub.errors import BadRequest

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

_INCLUDE = "SpaceID,TargetID,UpstreamUnitID,UpstreamSpaceID"


@command(
    argument("unit", required=False, complete="units"),
    space_option(),
    *MANY_UNITS,
    option("format", "yaml or json.", metavar="FORMAT", default="yaml"),
    example="cub unit export --space my-traderx-prod --format yaml > traderx-prod-backup-20251003.yaml",
)
def export(call: Call) -> None:
    """Print units with their texts, labels and targets, for a backup or another hub."""
    if call.arg("unit"):
        unit = the_unit(call, call.arg("unit"))["Unit"]
        found = [call.hub.units.get(unit["UnitID"], space_id=unit["SpaceID"], include=_INCLUDE)]
    else:
        found = units_meant(call, include=_INCLUDE)
    exported = [exported_unit(one) for one in sorted(found, key=lambda one: str(one["Unit"]["Slug"]))]
    if call.text("format") == "json":
        call.out.write(as_json(exported))
    elif call.text("format") == "yaml":
        call.out.write("".join(f"---\n{as_yaml(one)}" for one in exported))
    else:
        raise BadRequest(f"unknown format: {call.text('format')}", hint="yaml or json")
    note(f"{len(exported)} units exported")


def exported_unit(extended: Wire) -> Wire:
    """Return what is kept of a unit; empty parts are left out."""
    unit = extended["Unit"]
    upstream, space = extended.get("UpstreamUnit") or {}, extended.get("UpstreamSpace") or {}
    origin = f"{space.get('Slug') or unit.get('UpstreamSpaceID')}/{upstream.get('Slug')}" if upstream else ""
    kept = {
        "Space": (extended.get("Space") or {}).get("Slug"),
        "Slug": unit["Slug"],
        "DisplayName": unit.get("DisplayName"),
        "ToolchainType": unit.get("ToolchainType"),
        "Labels": unit.get("Labels"),
        "Annotations": unit.get("Annotations"),
        "Target": (extended.get("Target") or {}).get("Slug"),
        "Upstream": origin,
        "HeadRevisionNum": unit.get("HeadRevisionNum"),
        "LiveRevisionNum": unit.get("LiveRevisionNum"),
    }
    data = text_of(unit)
    return {key: value for key, value in kept.items() if value} | {"Data": data}
