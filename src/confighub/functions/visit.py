"""Visits the known or asked-for paths of a unit's resources: reads them as attributes, or sets them.

Errors of single places do not stop the visit; they are gathered into one, and what was changed before stays changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import re2

from confighub.data import comments, lookup
from confighub.data import path as paths
from confighub.data.document import Document
from confighub.data.lookup import Bindings
from confighub.data.path import MISSING, Kind, Pattern, Place, Segment, Steps
from confighub.data.tree import NONE
from confighub.errors import BadPath, NotAResource
from confighub.functions import known_paths, recorded
from confighub.functions.known_paths import ACCESSORS, ANY, CLUSTER_SCOPED, Call, Known, Table
from confighub.functions.signature import KUBERNETES
from confighub.functions.work import Failed, Work
from confighub.records.mutations import ResourceInfo

PLACEHOLDER = "confighubplaceholder"
OLD_PLACEHOLDER = "replaceme"
PLACEHOLDER_INT = 999999999

_TYPES = {str: "string", int: "int", bool: "bool"}


def table_for_path(toolchain: str, kind: str, path: str) -> Table:
    """Return a table with the one path that a caller asks for, with what is known of it."""
    known = known_paths.lookup(toolchain, kind, path)
    plain = path.partition("#")[0]
    is_resolved = not any(sign in plain for sign in "?*@|")
    if known is None:
        return Table({kind: {path: Known(path, known_paths.GENERAL)}})
    if is_resolved:
        # a position asked for narrows the known pattern down to itself
        return Table({kind: {path: known}})
    accessor = path.partition("#")[2]
    visit = plain + (f"#{accessor}" if accessor else "")
    return Table({kind: {path: Known(visit, known.attribute, known.type, known.getter, known.setters)}})


class Spot:
    """One place under visit."""

    __slots__ = ("info", "known", "part", "place", "position")

    def __init__(self, position: int, info: ResourceInfo, known: Known, place: Place, part: str) -> None:
        self.position, self.info, self.known, self.place, self.part = position, info, known, place, part

    @property
    def path(self) -> str:
        """The place as a path, without the part behind ``#``."""
        return paths.join(self.place.steps)


def visit(
    work: Work,
    table: Table,
    act: Callable[[Spot], None],
    *,
    keys: tuple[str, ...] = (),
    upsert: bool = False,
    only: str = "",
) -> list[str]:
    """Call ``act`` for each place that the table's paths lead to; return the errors, each one line.

    ``keys`` fill the ``%s`` of the paths in order; ``only`` names the one resource to look into.
    """
    errors: list[str] = []
    for position in range(len(work.documents)):
        try:
            info = work.identity(position)
        except NotAResource as error:
            errors.append(error.message)
            continue
        if only and info.resource_name != only:
            continue
        # the data may change with each act; all places are found before the first
        for known, part, place in _places(work, position, table, info.resource_type, keys, upsert=upsert):
            try:
                act(Spot(position, info, known, place, part))
            except (BadPath, Failed) as error:
                errors.append(error.message)
    return errors


def _places(
    work: Work, position: int, table: Table, kind: str, keys: tuple[str, ...], *, upsert: bool
) -> list[tuple[Known, str, Place]]:
    if work.is_unread(position):
        found_there = _unread_places(work.documents[position], table, kind, keys, upsert=upsert)
        if found_there is not None:
            return found_there
    data = work.data(position)
    if not upsert and table.is_shared and not work.context.as_recorded:
        return _planned(table, kind, keys).places(data)
    find = recorded.places if work.context.as_recorded else paths.places
    found: list[tuple[Known, str, Place]] = []
    for asked, known in _known_for(table, kind):
        pattern = _pattern(known.visit, keys)
        constraint = _constraint(asked, known.visit)
        found += [
            (known, pattern.accessor, place)
            for place in find(data, pattern, upsert=upsert and not pattern.accessor)
            if constraint is None or _fits(place.steps, constraint)
        ]
    return found


def _unread_places(
    holder: Document, table: Table, kind: str, keys: tuple[str, ...], *, upsert: bool
) -> list[tuple[Known, str, Place]] | None:
    """Return the same places without reading the whole document, or None when reading it is the shorter way."""
    if not upsert and table.is_shared:
        plan = _planned(table, kind, keys)
        return plan.places_in(holder) if plan.size <= _FEW else None
    found: list[tuple[Known, str, Place]] = []
    for asked, known in _known_for(table, kind):
        pattern = _pattern(known.visit, keys)
        may_add = upsert and not pattern.accessor
        places = lookup.resolved(holder, pattern, upsert=may_add)
        if places is None and may_add:
            return None
        constraint = _constraint(asked, known.visit)
        found += [
            (known, pattern.accessor, place)
            for place in (lookup.found(holder, pattern) if places is None else places)
            if constraint is None or _fits(place.steps, constraint)
        ]
    return found


_FEW = 20
"""Up to so many steps of a plan are looked up one by one."""


class _Branch:
    """A step that several patterns share, the patterns that end here, and the steps below."""

    __slots__ = ("ends", "size", "steps")

    def __init__(self) -> None:
        self.size = 0
        self.steps: dict[Segment, _Branch] = {}
        self.ends: list[tuple[Known, str]] = []

    def add(self, known: Known, pattern: Pattern) -> None:
        """Add a pattern; steps that are there already are shared."""
        branch = self
        for segment in pattern.segments:
            below = branch.steps.get(segment)
            if below is None:
                below = branch.steps[segment] = _Branch()
                self.size += 1
            branch = below
        branch.ends.append((known, pattern.accessor))

    def places(self, data: Any) -> list[tuple[Known, str, Place]]:
        """Return every place that the patterns lead to; each step is taken once for all of them."""
        found: list[tuple[Known, str, Place]] = []
        self._walk(data, (), (), found)
        return found

    def places_in(self, holder: Document) -> list[tuple[Known, str, Place]]:
        """Return the same of a document that is not read yet."""
        found: list[tuple[Known, str, Place]] = []
        self._look(holder, holder.root, (), (), found)
        return found

    def _look(
        self,
        holder: Document,
        node: int,
        steps: Steps,
        bindings: Bindings,
        found: list[tuple[Known, str, Place]],
    ) -> None:
        if self.ends:
            holder.note(steps, node)
            place = Place(steps, holder.value(node, steps), True, bindings)
            found += [(known, part, place) for known, part in self.ends]
        for segment, below in self.steps.items():
            for child, taken, named in lookup.matches(holder, node, segment, steps, bindings):
                below._look(holder, child, taken, named, found)

    def _walk(
        self, here: Any, steps: Steps, bindings: tuple[tuple[str, Any], ...], found: list[tuple[Known, str, Place]]
    ) -> None:
        if self.ends:
            place = Place(steps, here, True, bindings)
            found += [(known, part, place) for known, part in self.ends]
        for segment, below in self.steps.items():
            if segment.kind is Kind.KEY:
                value = here.get(segment.key, MISSING) if type(here) is dict else paths.child(here, segment.key)
                if value is not MISSING:
                    step = segment.key if type(here) is dict else int(segment.key)
                    named = (*bindings, (segment.param, segment.key)) if segment.param else bindings
                    below._walk(value, (*steps, step), named, found)
            else:
                for _, taken, item, named in paths.matches(here, segment, 0, steps, bindings):
                    below._walk(item, taken, named, found)


@lru_cache(maxsize=1024)
def _planned(table: Table, kind: str, keys: tuple[str, ...]) -> _Branch:
    plan = _Branch()
    for _, known in _known_for(table, kind):
        plan.add(known, _pattern(known.visit, keys))
    return plan


def _known_for(table: Table, kind: str) -> list[tuple[str, Known]]:
    own = table.get(kind)
    shared = table.get(ANY) if kind != ANY else None
    if not shared:
        return [entry for entry in own.items() if entry[1].is_found] if own else []
    is_cluster_scoped = kind in CLUSTER_SCOPED
    found = {path: known for path, known in shared.items() if not (known.except_cluster_scoped and is_cluster_scoped)}
    return [entry for entry in {**(own or {}), **found}.items() if entry[1].is_found]


@lru_cache(maxsize=4096)
def _pattern(visit_path: str, keys: tuple[str, ...]) -> Pattern:
    if all(_PLAIN_KEY.match(key) for key in keys):
        for key in keys:
            visit_path = visit_path.replace("%s", paths.escape(key), 1)
        return paths.pattern(visit_path)
    # a key with signs of the path language is put in where the path has been read
    for number in range(len(keys)):
        visit_path = visit_path.replace("%s", chr(_FIRST_STAND_IN + number), 1)
    stand_ins = {_FIRST_STAND_IN + number: key for number, key in enumerate(keys)}
    return paths.pattern(visit_path).translated(stand_ins)


_PLAIN_KEY = re.compile(r"[\w/.-]+\Z|\*\Z", re.ASCII)
_FIRST_STAND_IN = 0xF0000
"""Characters that nobody uses: they stand for keys while a path is read."""


@lru_cache(maxsize=2048)
def _constraint(asked: str, visit_path: str) -> tuple[str, ...] | None:
    plain = asked.partition("#")[0]
    if asked == visit_path or any(sign in plain for sign in "?*@|%"):
        return None
    return paths.split(plain)


def _fits(steps: Steps, constraint: tuple[str, ...]) -> bool:
    return all(str(step) == wanted for step, wanted in zip(steps, constraint, strict=False))


def raise_for(errors: list[str], output: Any = None) -> None:
    """Raise one error for all that were gathered, if any."""
    if errors:
        raise Failed("; ".join(errors), output=output)


def read(
    work: Work, table: Table, *, keys: tuple[str, ...] = (), wanted: str = "", needed_only: bool = False
) -> list[dict[str, Any]]:
    """Return the values at the table's paths as attributes, sorted by type, name and path.

    ``wanted`` is the type they must have (string, int, bool), any when empty; ``needed_only`` keeps placeholders only.
    Raises: Failed, with an empty list as output, when a value has another type.
    """
    found: list[dict[str, Any]] = []

    def act(spot: Spot) -> None:
        value, suffix = spot.place.value, ""
        kind = _type_of(value, spot)
        if kind == "string" and spot.part:
            value, suffix = extracted(value, spot.part), f"#{spot.part}"
        if wanted and kind != wanted:
            raise Failed(f"value at {spot.path} is of type {kind}, expected {wanted}")
        if needed_only and not _is_needed(value, kind):
            return
        found.append(_attribute(work, spot, spot.path + suffix, kind, value))

    errors = visit(work, table, act, keys=keys)
    raise_for(errors, output=[])
    found.sort(key=attribute_order)
    return found


def attribute_order(attribute: dict[str, Any]) -> tuple[str, str, str]:
    """Return what attributes are sorted by."""
    return attribute["ResourceType"], attribute["ResourceName"], attribute["Path"]


def _type_of(value: Any, spot: Spot) -> str:
    kind = _TYPES.get(type(value))
    if kind is None:
        name = {dict: "map", list: "list", float: "float", type(None): "null"}.get(type(value), "other")
        raise Failed(f"value at {spot.path} is of type {name}, which is not supported here")
    return kind


def _is_needed(value: Any, kind: str) -> bool:
    if kind == "string":
        return PLACEHOLDER in value or OLD_PLACEHOLDER in value
    return kind == "int" and value == PLACEHOLDER_INT


def _attribute(work: Work, spot: Spot, path: str, kind: str, value: Any) -> dict[str, Any]:
    info, known = spot.info, spot.known
    attribute: dict[str, Any] = {
        "ResourceName": info.resource_name,
        "ResourceNameWithoutScope": info.resource_name_without_scope,
        "ResourceType": info.resource_type,
        "ResourceCategory": info.resource_category,
        "Path": path,
        "AttributeName": known.attribute,
        "DataType": kind,
    }
    if known.getter or known.setters or known.is_described:
        attribute["Info"] = _details(known, spot.place.bindings, work.provider.separator)
    attribute["Value"] = value
    comment = _comment(work, spot)
    if comment:
        attribute["Comment"] = comment
    return attribute


def _comment(work: Work, spot: Spot) -> str:
    holder, steps = work.documents[spot.position], spot.place.steps
    if b"#" not in holder.source or (holder.is_read and not comments.can_be_beside(holder, b"", is_quoted=False)):
        return ""
    known: dict[Steps, str] = holder.memo.setdefault("comments", {})
    comment = known.get(steps)
    if comment is None:
        node = holder.find(steps)
        comment = known[steps] = "" if node == NONE else comments.comment_beside(holder, node)
    return comment


@lru_cache(maxsize=4096)
def _details(known: Known, bindings: tuple[tuple[str, Any], ...], separator: str) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if known.getter:
        details["GetterInvocation"] = _invocation(known.getter, bindings)
    if known.setters:
        details["SetterInvocations"] = [_invocation(call, bindings) for call in known.setters]
    if "set-default-names" in (call[0] for call in known.setters):
        details["GenerationTemplate"] = f"{{{{.NormalizedUnitName}}}}{separator}{{{{.NormalizedSpaceName}}}}"
    return details


def _invocation(call: Call, bindings: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    arguments: list[dict[str, Any]] = []
    if len(call) > 1:
        arguments.append({"ParameterName": "resource-type", "Value": call[1]})
    arguments += [{"ParameterName": name, "Value": value} if name else {"Value": value} for name, value in bindings]
    return {"FunctionName": call[0], "Arguments": arguments or None}


_SHORT = 300
"""Up to this length Python's own expressions are safe here, and faster than RE2; a longer text is no image or host."""


@lru_cache(maxsize=64)
def _accessors(part: str) -> tuple[Any, Any]:
    pattern = ACCESSORS[part]
    return re.compile(pattern[:-1] + r"\Z"), re2.compile(pattern)


def _found(text: str, part: str) -> Any:
    if part not in ACCESSORS:
        return None
    short, long = _accessors(part)
    return (short if len(text) <= _SHORT else long).search(text)


def extracted(text: str, part: str) -> str:
    """Return a named part of a text, empty when the text has none."""
    match = _found(text, part)
    return (match.group(part) or "") if match else ""


def _exchanged(text: str, part: str, change: Callable[[Any], Any], path: str) -> str:
    match = _found(text, part)
    old = match.group(part) if match else None
    if not old:
        raise Failed(f"embedded field {part} not found at path {path}")
    start, end = match.span(match.re.groupindex[part])
    return f"{text[:start]}{change(old)}{text[end:]}"


def _nested(data: Any, steps: Steps, value: Any) -> tuple[Steps, Any]:
    """Return the first missing step of a path, and the value with the steps below it around it."""
    known = next(length for length in range(len(steps), -1, -1) if paths.get(data, steps[:length]) is not MISSING)
    for step in reversed(steps[known + 1 :]):
        value = {str(step): value}
    return steps[: known + 1], value


def update(
    work: Work,
    table: Table,
    change: Callable[[Any], Any],
    wanted: type,
    *,
    keys: tuple[str, ...] = (),
    upsert: bool = False,
    only: str = "",
) -> None:
    """Set each place of the table's paths to what ``change`` makes of its value.

    With upsert missing map keys are added; ``only`` names the one resource to touch.
    Raises: Failed for all places that could not be set.
    """

    def act(spot: Spot) -> None:
        place = spot.place
        old = place.value if place.exists else None
        if place.exists and type(old) is not wanted:
            kind = _TYPES.get(type(old), "another type")
            raise Failed(f"value at {spot.path} is of type {kind}, expected {_TYPES[wanted]}")
        if spot.part and isinstance(old, str):
            new: Any = _exchanged(old, spot.part, change, spot.path)
        else:
            new = change(old)
        steps = place.steps
        if not place.exists and (keys or work.provider.toolchain != KUBERNETES):
            # a label's key, and all in properties, is a key even where it is a number
            steps, new = _nested(work.data(spot.position), steps, new)
        work.editor(spot.position).set(steps, new)

    raise_for(visit(work, table, act, keys=keys, upsert=upsert, only=only))
