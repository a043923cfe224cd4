"""``cub unit tree``: which units descend from which, or which need which."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from confighub.cli.command import argument, command, option, space_option
from confighub.cli.selecting import MANY_UNITS, the_unit, units_meant
from confighub.cli.showing import DATA_OUTPUT
from confighub.client.collection import any_of
from confighub.errors import BadRequest

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

Forest = dict[str, list[str]]
"""Children by parent; roots stand under the empty name."""


@command(
    argument("unit", required=False, complete="units"),
    space_option(),
    *MANY_UNITS,
    option("node", "What a node is: unit or space.", metavar="NODE", default="unit"),
    option("edge", "What connects them: clone or link.", metavar="EDGE", default="clone"),
    *DATA_OUTPUT,
    example="cub unit tree --node=space --filter all --space '*'",
)
def tree(call: Call) -> None:
    """Draw how units, or the spaces they are in, descend from each other; with --edge link who needs whom.

    With --node space the filter is looked into everywhere, since a hierarchy spans spaces.
    """
    node, edge = call.text("node"), call.text("edge")
    if node not in ("unit", "space") or edge not in ("clone", "link"):
        raise BadRequest(f"no such tree: {node} by {edge}", hint="--node unit|space --edge clone|link")
    units = _units(call, everywhere=node == "space" and not call.typed.values.get("space"))
    names = {str(one["Unit"]["UnitID"]): _name(one) for one in units}
    pairs = _clones(units) if edge == "clone" else _links(call, names)
    if node == "space":
        spaces = {str(one["Unit"]["UnitID"]): _space(one) for one in units}
        counts = {name: list(spaces.values()).count(name) for name in spaces.values()}
        behind = {name: sum(1 for one in units if _space(one) == name and _is_behind(one)) for name in counts}
        edges = {(spaces.get(a, ""), spaces[b]) for a, b in pairs if spaces.get(a) != spaces[b]}
        forest = _forest(counts, edges)
        _show(call, forest, lambda name: f"{name} ({counts[name]} units{_behind(behind[name])})")
        return
    late = {_name(one) for one in units if _is_behind(one)}
    forest = _forest(names.values(), {(names.get(a, ""), names[b]) for a, b in pairs})
    _show(call, forest, lambda name: f"{name} (upgrade needed)" if name in late else name)


def _units(call: Call, *, everywhere: bool) -> list[Wire]:
    include = "SpaceID,UpstreamUnitID"
    if call.arg("unit"):
        root = the_unit(call, call.arg("unit"))
        found, level = [root], [str(root["Unit"]["UnitID"])]
        while level:
            clones = call.hub.units.list(where=any_of("UpstreamUnitID", level), include=include)
            found += clones
            level = [str(one["Unit"]["UnitID"]) for one in clones]
        return found
    if everywhere:
        selection = call.hub.filter(call.text("filter"), space=_context_space(call)) if call.text("filter") else None
        return call.hub.units.list(include=include, **(selection.query if selection else {}))
    return units_meant(call, include=include)


def _context_space(call: Call) -> str:
    context = call.home.context()
    return context.space or context.space_id


def _clones(units: Iterable[Wire]) -> set[tuple[str, str]]:
    return {(str(one["Unit"].get("UpstreamUnitID") or ""), str(one["Unit"]["UnitID"])) for one in units}


def _links(call: Call, names: dict[str, str]) -> set[tuple[str, str]]:
    """Return (needed, needing) pairs between the units."""
    links = [one["Link"] for one in call.hub.links.list(include="", select="FromUnitID,ToUnitID")]
    found = {(str(one["ToUnitID"]), str(one["FromUnitID"])) for one in links}
    return {pair for pair in found if pair[0] in names and pair[1] in names}


def _forest(names: Iterable[str], edges: set[tuple[str, str]]) -> Forest:
    """Return the children of every name; a name without a known parent is a root."""
    known = sorted(set(names))
    forest: Forest = {name: [] for name in ["", *known]}
    for name in known:
        parents = sorted(parent for parent, child in edges if child == name and parent in forest and parent)
        for parent in parents or [""]:
            forest[parent].append(name)
    if known and not forest[""]:
        # a circle has no root: begin anywhere
        forest[""].append(known[0])
    return forest


def _show(call: Call, forest: Forest, words: Callable[[str], str]) -> None:
    call.out.show(_nested(forest, "", frozenset()), lambda: "\n".join(_lines(forest, "", "", words, frozenset())))


def _lines(forest: Forest, name: str, indent: str, words: Callable[[str], str], above: frozenset[str]) -> list[str]:
    lines: list[str] = []
    children = forest[name]
    for position, child in enumerate(children):
        last = position == len(children) - 1
        lead = "" if not name else ("└── " if last else "├── ")
        again = child in above
        lines.append(f"{indent}{lead}{words(child)}{' …' if again else ''}")
        if not again:
            below = indent + ("" if not name else "    " if last else "│   ")
            lines += _lines(forest, child, below, words, above | {child})
    return lines


def _nested(forest: Forest, name: str, above: frozenset[str]) -> list[Wire]:
    return [
        {"Name": child, "Children": [] if child in above else _nested(forest, child, above | {child})}
        for child in forest[name]
    ]


def _name(one: Wire) -> str:
    return f"{_space(one)}/{one['Unit']['Slug']}"


def _space(one: Wire) -> str:
    return str((one.get("Space") or {}).get("Slug") or one["Unit"].get("SpaceID"))


def _is_behind(one: Wire) -> bool:
    upstream = one.get("UpstreamUnit") or {}
    return int(upstream.get("HeadRevisionNum") or 0) > int(one["Unit"].get("UpstreamRevisionNum") or 0)


def _behind(count: int) -> str:
    return f", {count} upgrades needed" if count else ""
