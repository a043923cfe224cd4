"""Create, update and delete for every noun, made from its description.

What differs between nouns is data: how arguments fill the record. Source: the public client's
flags by verb.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from confighub.cli import output
from confighub.cli.command import Command, Parameter, argument, command, flag, option, options
from confighub.cli.kinds import Kind
from confighub.cli.record_input import DRY_RUN, RECORD_INPUT, given_record, label_patch, put_labels, slug_of
from confighub.cli.selecting import WHERE, id_term
from confighub.cli.showing import DATA_OUTPUT, VERBOSE, show_record, space_of, the_record
from confighub.client.collection import SPACE, any_of, conjoined, is_id
from confighub.errors import BadRequest, Conflict, NotFound

if TYPE_CHECKING:
    from confighub.cli.call import Call
    from confighub.client.transport import Wire

Fill = Callable[["Call", "Wire"], None]


def create_command(
    kind: Kind,
    *extra: Parameter,
    fill: Fill | None = None,
    bulk: bool = True,
    example: str,
) -> Command:
    """Make the creation of a record, of its arguments, of JSON, or as clones of others."""
    many = _clone_options(kind) if bulk else ()

    @command(
        argument("name", required=False),
        *space_of(kind),
        *extra,
        RECORD_INPUT,
        DATA_OUTPUT,
        VERBOSE,
        flag("allow-exists", "Be content when it exists already."),
        DRY_RUN,
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
    if call.is_dry_run:
        sentence = f"dry run: {kind.spoken} {slug} would be {verb}; nothing is stored"
    if call.yes("verbose") and call.out.is_for_people:
        call.out.write(sentence)
        show_record(call, kind, {kind.noun.entity: record})
        return
    call.out.show(record, lambda: sentence)


def update_command(
    kind: Kind,
    *extra: Parameter,
    fill: Fill | None = None,
    bulk: bool = True,
    example: str,
) -> Command:
    """Make the change of one record, or with ``--patch`` of many."""
    many = (_ids(kind), WHERE, flag("patch", "Change only what is given.")) if bulk else ()

    @command(
        argument("name", required=False, complete=f"{kind.noun.word}s"),
        *space_of(kind),
        *extra,
        RECORD_INPUT,
        DATA_OUTPUT,
        VERBOSE,
        flag("replace", "Begin with an empty record instead of the stored one."),
        DRY_RUN,
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


def delete_command(kind: Kind, *extra: Parameter, bulk: bool = True, example: str) -> Command:
    """Make the removal of one record, or of many."""
    many = (_ids(kind), WHERE) if bulk else ()

    @command(
        argument("name", required=not bulk, complete=f"{kind.noun.word}s"),
        *space_of(kind),
        DATA_OUTPUT,
        DRY_RUN,
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
        delete_one(call, kind, str(stored[kind.noun.id_key]), slug=stored["Slug"], space_id=space_id)

    body.help = f"Delete a {kind.noun.word}."
    return body


def delete_one(call: Call, kind: Kind, record_id: str, *, slug: object, space_id: str) -> None:
    """Delete one record and print that it is done, or the hub's answer as data."""
    answer = kind.of(call.hub).delete(record_id, space_id=space_id)
    sentence = f"Successfully deleted {kind.spoken} {slug} ({record_id})"
    if call.is_dry_run:
        sentence = f"dry run: {kind.spoken} {slug} would be deleted; nothing is stored"
    call.out.show(answer, lambda: sentence)


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
    if call.is_dry_run:
        sentence = f"dry run: {verb} of {len(worked)} {kind.spoken}s; nothing is stored"
    call.out.show(done, lambda: sentence if not failed else "")
    for one in failed:
        error = one["Error"]
        about = error.get("ErrorMetadata") or {}
        reasons = "; ".join([str(error.get("Message") or ""), *(error.get("Details") or [])])
        output.note(f"  {kind.plain(one).get('Slug') or about.get('EntityID') or ''}: {reasons}")
    if failed:
        outcome = f"would fail for {len(failed)}" if call.is_dry_run else f"failed for {len(failed)}"
        left = "nothing is stored" if call.is_dry_run else f"{len(worked)} done"
        raise BadRequest(f"{verb} {outcome} of {len(done)} {kind.spoken}s; {left}")
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


def _clone_options(kind: Kind) -> tuple[Parameter, ...]:
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


def _ids(kind: Kind) -> Parameter:
    word = kind.noun.word
    return options(kind.flag_name, f"Several {word}s by slug or id.", metavar=f"{word.upper()},…", complete=f"{word}s")


def _identity(kind: Kind, stored: Wire) -> Wire:
    kept = ("Slug", "SpaceID", "OrganizationID", "Version", kind.noun.id_key)
    return {key: stored[key] for key in kept if key in stored}
