"""List, get, create, update and delete for every noun, made from a description of the noun.

What differs between nouns is data: columns, details, and how arguments fill the record.
Source: the public client's flags by verb.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click

from confighub.cli import output
from confighub.cli.command import Command, argument, command, flag, option, options, space_option
from confighub.cli.record_input import RECORD_INPUT, given_record, label_patch, put_labels, slug_of
from confighub.cli.selecting import WHERE, id_term
from confighub.client.collection import SPACE, Noun, any_of, conjoined, is_id
from confighub.errors import BadRequest, Conflict, NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.collection import Collection
    from confighub.client.hub import HubClient
    from confighub.client.transport import Wire

Show = Callable[[object], str]
Fill = Callable[["Call", "Wire"], None]

DATA_OUTPUT = (
    flag("json", "Print the answer as JSON."),
    option("jq", "Print what the jq expression makes of the JSON.", metavar="EXPRESSION"),
    flag("quiet", "Print no sentence and no table.", short="q"),
    option("format", "Print records flat: json, yaml or table.", metavar="FORMAT"),
    option("output", "json, yaml, jq=EXPRESSION, names, mutations or table.", metavar="FORMAT", short="o"),
)
LIST_OUTPUT = (
    *DATA_OUTPUT,
    flag("names", "Print the slugs only."),
    flag("no-header", "Leave the table's header out."),
    option("sort-by", "Sort by a field, such as Slug or Labels.order; a leading - reverses.", metavar="FIELD"),
)
SELECT = option("select", "Ask for these fields only; * is all of them.", metavar="FIELDS")
CONTAINS = option("contains", "Only what contains this text.", metavar="TEXT")
VERBOSE = flag("verbose", "Print the whole record.")


def plain(value: object) -> str:
    """Return a value as a cell; empty for None."""
    return "" if value is None else str(value)


@dataclass(frozen=True)
class Column:
    """One column: its title, the path of its value in the extended record, and how to show that.

    Without a path the whole record is shown.
    """

    title: str
    path: str
    show: Show = plain

    def cell(self, record: Wire) -> str:
        """Return the cell for one record; empty where the path ends early."""
        return self.show(at(record, self.path) if self.path else record)


@dataclass(frozen=True)
class Kind:
    """A noun as the command line knows it."""

    noun: Noun
    of: Callable[[HubClient], Collection]
    columns: Sequence[Column]
    select: str
    details: Sequence[Column] = ()
    id_flag: str = ""
    said: str = ""
    in_space: bool = True
    query: dict[str, str] = field(default_factory=dict)

    @property
    def flag_name(self) -> str:
        """The id flag, such as ``tag`` for ``--tag a,b``."""
        return self.id_flag or self.noun.word

    @property
    def spoken(self) -> str:
        """The noun in the sentences of success."""
        return self.said or self.noun.word

    def plain(self, record: Wire) -> Wire:
        """Return the record without its relations, whether it came extended or not."""
        inner = record.get(self.noun.entity)
        return inner if isinstance(inner, dict) else record


def at(record: object, path: str) -> object:
    """Return the value at a dotted path, None where it ends early; ``Labels.a.b`` asks for the key ``a.b``."""
    for position, key in enumerate(parts := path.split(".")):
        if not isinstance(record, dict):
            return None
        if key in ("Labels", "Annotations") and position + 1 < len(parts):
            held = record.get(key)
            return held.get(".".join(parts[position + 1 :])) if isinstance(held, dict) else None
        record = record.get(key)
    return record


def list_command(kind: Kind, *extra: click.Parameter, example: str) -> Command:
    """Make the list of a noun."""

    @command(*_space(kind), WHERE, CONTAINS, SELECT, LIST_OUTPUT, *extra, example=example)
    def body(call: Call) -> None:
        select = "" if call.out.is_flat else kind.select
        chosen = call.text("select") or select
        records = kind.of(call.hub).list(
            where=call.text("where"),
            contains=call.text("contains"),
            space_id=call.scope.space_id if kind.in_space else "",
            select="" if chosen == "*" else chosen,
            **kind.query,
        )
        show_list(call, kind, records)

    body.help = f"List {kind.noun.word}s."
    return body


def show_list(call: Call, kind: Kind, records: list[Wire], columns: Sequence[Column] | None = None) -> None:
    """Print records by the output options, sorted by ``--sort-by``."""
    records = sorted_by(call.text("sort-by"), records, kind.noun.entity)
    if call.out.how == "names":
        names = [[plain(kind.plain(one).get("Slug"))] for one in records]
        if names:
            call.out.write(output.table(None, names))
        return
    shown = columns or kind.columns
    value = [kind.plain(one) for one in records] if call.out.is_flat else records
    call.out.show(
        value,
        lambda: call.out.table([one.title for one in shown], ([one.cell(r) for one in shown] for r in records)),
    )


def sorted_by(path: str, records: list[Wire], entity: str) -> list[Wire]:
    """Return the records in the order of a field, numbers as numbers, records without it last."""
    if not path:
        return records
    backwards, path = path.startswith("-"), path.removeprefix("-")

    def value(record: Wire) -> object:
        direct = at(record.get(entity, record), path)
        return at(record, path) if direct is None else direct

    having = [one for one in records if value(one) is not None]
    without = [one for one in records if value(one) is None]
    return sorted(having, key=lambda one: _rank(value(one)), reverse=backwards) + without


def get_command(kind: Kind, *extra: click.Parameter, example: str) -> Command:
    """Make the look at one record."""

    @command(
        argument("name", complete=f"{kind.noun.word}s"), *_space(kind), SELECT, DATA_OUTPUT, *extra, example=example
    )
    def body(call: Call) -> None:
        record = the_record(call, kind, select=call.text("select"))
        show_record(call, kind, record)

    body.help = f"Show one {kind.noun.word}."
    return body


def the_record(call: Call, kind: Kind, name: str = "", **query: str) -> Wire:
    """Return the extended record that the call names."""
    space_id = call.space_id if kind.in_space else ""
    found = name or call.arg("name")
    try:
        return kind.of(call.hub).find(found, space_id=space_id, **query)
    except NotFound as error:
        where = f" in {call.scope.words}" if kind.in_space else ""
        raise NotFound(f"{kind.noun.word} {found} not found{where}", hint=error.hint) from error


def show_record(call: Call, kind: Kind, record: Wire) -> None:
    """Print one record by the output options."""
    rows = kind.details or common_details(kind.noun)
    value = kind.plain(record) if call.out.is_flat else record
    call.out.show(value, lambda: output.pairs((one.title, one.cell(record)) for one in rows))


def common_details(noun: Noun) -> tuple[Column, ...]:
    """The rows that every noun has."""
    entity = noun.entity
    return (
        Column("ID", f"{entity}.{noun.id_key}"),
        Column("Name", f"{entity}.Slug"),
        Column("Space", "Space.Slug"),
        Column("Created At", f"{entity}.CreatedAt", output.moment_utc),
        Column("Updated At", f"{entity}.UpdatedAt", output.moment_utc),
        Column("Labels", f"{entity}.Labels", output.labels),
        Column("Annotations", f"{entity}.Annotations", output.labels),
        Column("Organization ID", f"{entity}.OrganizationID"),
    )


def create_command(
    kind: Kind,
    *extra: click.Parameter,
    fill: Fill | None = None,
    bulk: bool = True,
    example: str,
) -> Command:
    """Make the creation of a record, of its arguments, of JSON, or as clones of others."""
    many = _clone_options(kind) if bulk else ()

    @command(
        argument("name", required=False),
        *_space(kind),
        *extra,
        RECORD_INPUT,
        DATA_OUTPUT,
        VERBOSE,
        flag("allow-exists", "Be content when it exists already."),
        *many,
        example=example,
    )
    def body(call: Call) -> None:
        if bulk and _wants_clones(call, kind):
            _clone(call, kind)
            return
        record = put_labels(call, given_record(call))
        name = call.arg("name")
        if name:
            record = {"DisplayName": name, **record, "Slug": slug_of(name)}
        if not record.get("Slug"):
            raise BadRequest(f"no name for the {kind.noun.word}", hint=f"{call.name} NAME")
        if fill is not None:
            fill(call, record)
        store_new(call, kind, record)

    body.help = f"Create a {kind.noun.word}."
    return body


def store_new(call: Call, kind: Kind, record: Wire, **query: str) -> Wire:
    """Create the record and print it; with ``--allow-exists`` one that is there already will do."""
    space_id = call.space_id if kind.in_space else ""
    records = kind.of(call.hub)
    if space_id:
        record.setdefault("SpaceID", space_id)
    try:
        stored = records.create(record, space_id=space_id, **query)
    except (BadRequest, Conflict):
        if not call.yes("allow-exists"):
            raise
        try:
            stored = kind.plain(records.find(record["Slug"], space_id=space_id))
        except NotFound:
            stored = {}
        if not stored:
            raise
        call.out.say(f"{kind.spoken} {record['Slug']} exists already ({stored[kind.noun.id_key]})")
        call.out.show(stored, str)
        return stored
    said(call, kind, "created", stored)
    return stored


def said(call: Call, kind: Kind, verb: str, record: Wire) -> None:
    """Print that something was done to one record, or the record as data."""
    record = kind.plain(record)
    slug, record_id = record.get("Slug") or "", record.get(kind.noun.id_key)
    sentence = f"Successfully {verb} {kind.spoken} {slug} ({record_id})"
    if call.yes("verbose") and call.out.is_for_people:
        call.out.write(sentence)
        show_record(call, kind, {kind.noun.entity: record})
        return
    call.out.show(record, lambda: sentence)


def update_command(
    kind: Kind,
    *extra: click.Parameter,
    fill: Fill | None = None,
    bulk: bool = True,
    example: str,
) -> Command:
    """Make the change of one record, or with ``--patch`` of many."""
    many = (_ids(kind), WHERE, flag("patch", "Change only what is given.")) if bulk else ()

    @command(
        argument("name", required=False, complete=f"{kind.noun.word}s"),
        *_space(kind),
        *extra,
        RECORD_INPUT,
        DATA_OUTPUT,
        VERBOSE,
        flag("replace", "Begin with an empty record instead of the stored one."),
        *many,
        example=example,
    )
    def body(call: Call) -> None:
        if bulk and not call.arg("name") and (call.many(kind.flag_name) or call.text("where")):
            changes: Wire = {**given_record(call), **label_patch(call)}
            if fill is not None:
                fill(call, changes)
            done = kind.of(call.hub).patch_all(changes, where=many_where(call, kind))
            report_many(call, kind, "update", done)
            return
        _update_one(call, kind, fill)

    body.help = f"Change a {kind.noun.word}."
    return body


def _update_one(call: Call, kind: Kind, fill: Fill | None) -> None:
    if not call.arg("name"):
        raise BadRequest(f"which {kind.noun.word}?", hint=f"{call.name} NAME, or --patch with --where")
    stored = kind.plain(the_record(call, kind))
    space_id = str(stored.get("SpaceID") or "") if kind.in_space else ""
    record_id = str(stored[kind.noun.id_key])
    if call.yes("patch"):
        changes: Wire = {**given_record(call), **label_patch(call)}
        if fill is not None:
            fill(call, changes)
        changed = kind.of(call.hub).patch(record_id, changes, space_id=space_id)
    else:
        base = _identity(kind, stored) if call.yes("replace") else stored
        record = put_labels(call, {**base, **given_record(call)})
        if fill is not None:
            fill(call, record)
        changed = kind.of(call.hub).update(record_id, record, space_id=space_id)
    said(call, kind, "updated", changed)


def delete_command(kind: Kind, *extra: click.Parameter, bulk: bool = True, example: str) -> Command:
    """Make the removal of one record, or of many."""
    many = (_ids(kind), WHERE) if bulk else ()

    @command(
        argument("name", required=not bulk, complete=f"{kind.noun.word}s"),
        *_space(kind),
        flag("quiet", "Print no sentence.", short="q"),
        *many,
        *extra,
        example=example,
    )
    def body(call: Call) -> None:
        if bulk and not call.arg("name"):
            done = kind.of(call.hub).delete_all(where=many_where(call, kind))
            report_many(call, kind, "delete", done)
            return
        stored = kind.plain(the_record(call, kind))
        space_id = str(stored.get("SpaceID") or "") if kind.in_space else ""
        kind.of(call.hub).delete(str(stored[kind.noun.id_key]), space_id=space_id)
        call.out.say(f"Successfully deleted {kind.spoken} {stored['Slug']} ({stored[kind.noun.id_key]})")

    body.help = f"Delete a {kind.noun.word}."
    return body


def many_where(call: Call, kind: Kind) -> str:
    """Return the where-expression of a bulk call. Raises: BadRequest when nothing selects."""
    names, where = call.many(kind.flag_name), call.text("where")
    if names and where:
        raise BadRequest(f"--{kind.flag_name} and --where cannot be combined")
    if not names and not where:
        raise BadRequest(f"which {kind.noun.word}s?", hint=f"name one, or give --where or --{kind.flag_name}")
    scope = call.scope.term if kind.in_space else ""
    return conjoined(id_term(kind.noun, names) if names else where, scope)


def report_many(call: Call, kind: Kind, verb: str, done: list[Wire]) -> list[Wire]:
    """Print how a bulk call went and return the elements that worked.

    Raises: BadRequest when any element failed, after all were printed.
    """
    failed = [one for one in done if one.get("Error")]
    worked = [one for one in done if not one.get("Error")]
    sentence = f"Bulk {verb} completed successfully: {len(worked)} {kind.spoken}s {verb}"
    call.out.show(done, lambda: sentence if not failed else "")
    for one in failed:
        error = one["Error"]
        about = error.get("ErrorMetadata") or {}
        reasons = "; ".join([str(error.get("Message") or ""), *(error.get("Details") or [])])
        output.note(f"  {kind.plain(one).get('Slug') or about.get('EntityID') or ''}: {reasons}")
    if failed:
        raise BadRequest(f"{verb} failed for {len(failed)} of {len(done)} {kind.spoken}s; {len(worked)} done")
    return worked


def destinations(call: Call) -> str:
    """Return the where-expression of the spaces that clones go to; empty for the source's own."""
    names = call.many("dest-space")
    if names and call.text("where-space"):
        raise BadRequest("--dest-space and --where-space cannot be combined")
    if not names:
        return call.text("where-space")
    for name in names:
        call.hub.space(name)
    return any_of("SpaceID" if all(is_id(name) for name in names) else "Slug", names)


def _wants_clones(call: Call, kind: Kind) -> bool:
    selects = call.many(kind.flag_name) or call.text("where")
    spread = call.many("dest-space") or call.text("where-space") or call.many("name-prefix")
    return not call.arg("name") and bool(selects or spread)


def _clone(call: Call, kind: Kind) -> None:
    query = {"name_prefixes": ",".join(call.many("name-prefix"))}
    if kind.noun is not SPACE:
        query["where_space"] = destinations(call)
    changes = {**given_record(call), **label_patch(call)}
    done = kind.of(call.hub).create_all(changes, where=many_where(call, kind), **query)
    report_many(call, kind, "create", done)


def _clone_options(kind: Kind) -> tuple[click.Parameter, ...]:
    prefixes = options("name-prefix", "Clone under new names that begin so.", metavar="PREFIX,…")
    if kind.noun is SPACE:
        return (prefixes, WHERE, _ids(kind))
    return (
        prefixes,
        options("dest-space", "Clone into these spaces.", metavar="SPACE,…", complete="spaces"),
        option("where-space", "Clone into the spaces that match.", metavar="EXPRESSION"),
        WHERE,
        _ids(kind),
    )


def _ids(kind: Kind) -> click.Parameter:
    word = kind.noun.word
    return options(kind.flag_name, f"Several {word}s by slug or id.", metavar=f"{word.upper()},…", complete=f"{word}s")


def _space(kind: Kind) -> tuple[click.Parameter, ...]:
    return (space_option(),) if kind.in_space else ()


def _identity(kind: Kind, stored: Wire) -> Wire:
    kept = ("Slug", "SpaceID", "OrganizationID", "Version", kind.noun.id_key)
    return {key: stored[key] for key in kept if key in stored}


def _rank(value: object) -> tuple[int, float, str]:
    text = str(value)
    try:
        return (0, float(text), "")
    except ValueError:
        return (1, 0.0, text)
