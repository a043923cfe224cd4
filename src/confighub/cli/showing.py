"""List and get for every noun, made from its description, and the options that say how to print.

Source: the public client's flags by verb.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from confighub.cli import output
from confighub.cli.command import Command, Parameter, argument, command, flag, option, space_option
from confighub.cli.kinds import Column, Kind, at, common_details, plain
from confighub.cli.selecting import FILTER, WHERE, home_of_filters
from confighub.client.collection import conjoined
from confighub.errors import NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

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


def list_command(kind: Kind, *extra: Parameter, example: str) -> Command:
    """Make the list of a noun."""

    @command(*space_of(kind), WHERE, FILTER, CONTAINS, SELECT, LIST_OUTPUT, *extra, example=example)
    def body(call: Call) -> None:
        select = "" if call.out.is_flat else kind.select
        chosen = call.text("select") or select
        records = kind.of(call.hub).list(
            where=conjoined(call.text("where"), _filtered(call, kind)),
            contains=call.text("contains"),
            space_id=call.scope.space_id if kind.in_space else "",
            select="" if chosen == "*" else chosen,
            **kind.query,
        )
        show_list(call, kind, records)

    body.help = f"List {kind.noun.word}s."
    return body


def _filtered(call: Call, kind: Kind) -> str:
    """Return the expression of ``--filter``, which is about records of that kind."""
    if not call.text("filter"):
        return ""
    return call.hub.filter(call.text("filter"), space=home_of_filters(call), entity=kind.noun.entity).where


def show_list(call: Call, kind: Kind, records: list[Wire], columns: Sequence[Column] | None = None) -> None:
    """Print records by the output options, sorted by ``--sort-by``."""
    records = sorted_by(call.text("sort-by"), records, kind.noun.entity)
    if call.out.how == "names":
        names = [[plain(kind.plain(one).get(kind.named_by)) or "-"] for one in records]
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


def get_command(kind: Kind, *extra: Parameter, example: str) -> Command:
    """Make the look at one record."""

    @command(
        argument("name", complete=f"{kind.noun.word}s"), *space_of(kind), SELECT, DATA_OUTPUT, *extra, example=example
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
    value = record if kind.is_got_extended and not call.out.is_flat else kind.plain(record)
    call.out.show(value, lambda: output.pairs((one.title, one.cell(record)) for one in rows))


def space_of(kind: Kind) -> tuple[Parameter, ...]:
    """Return the ``--space`` option for a noun that lives in spaces."""
    return (space_option(),) if kind.in_space else ()


def _rank(value: object) -> tuple[int, float, str]:
    text = str(value)
    try:
        return (0, float(text), "")
    except ValueError:
        return (1, 0.0, text)
