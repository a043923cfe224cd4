"""What is particular to one kind: checks before it is written, and what follows from it.

``entities`` calls these five for every kind; a kind without an entry in a table has no such rule.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from base64 import b32encode
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from confighub.errors import BadRequest
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.kinds import (
    BRIDGE_WORKER,
    CHANGE_SET,
    FILTER,
    INVOCATION,
    KINDS,
    SPACE,
    TAG,
    TRIGGER,
    UNIT,
    VIEW,
    Kind,
)
from confighub.hub.store.rows import columns, own_id, record
from confighub.hub.usecases import consequences, worker_calls
from confighub.hub.usecases.access import visible
from confighub.query import parser
from confighub.records.automation import Invocation, Trigger
from confighub.records.groups import ChangeSet, Filter, Set, View
from confighub.records.units import Link
from confighub.records.work import BridgeWorker, Target

EVENTS = ("Mutation", "PreClone", "PostClone")


def prepare(tx: Connection, hub: Hub, caller: Caller, kind: Kind, one: Any, before: Any | None) -> None:
    """Check the record that is about to be written and set what follows from its own attributes.

    Raises: BadRequest, NotFound.
    """
    rule = _PREPARE.get(kind.name)
    if rule is not None:
        rule(tx, hub, caller, one, before)


def written(tx: Connection, hub: Hub, caller: Caller, kind: Kind, one: Any, before: Any | None) -> None:
    """Do what follows from the record that was just written."""
    rule = consequences.WRITTEN.get(kind.name)
    if rule is not None:
        rule(tx, hub, caller, one, before)


def check_delete(tx: Connection, hub: Hub, caller: Caller, kind: Kind, one: Any) -> None:  # noqa: ARG001
    """Refuse to delete what others lead to.

    Raises: BadRequest, naming them.
    """
    for other, attribute in _LEAD_TO.get(kind.name, ()):
        c = other.table.c
        leading = select(c.slug).where(c[attribute] == getattr(one, kind.id_attribute), c.deleted_at.is_(None))
        slugs = list(tx.execute(leading.order_by(c.slug).limit(5)).scalars())
        if slugs:
            raise BadRequest(
                f"{kind.name.lower()} {one.slug} is in use by {other.name.lower()} {', '.join(slugs)}",
                hint="change or delete those first",
            )


def deleted(tx: Connection, hub: Hub, caller: Caller, kind: Kind, one: Any) -> None:
    """Do what follows from the deletion."""
    rule = consequences.DELETED.get(kind.name)
    if rule is not None:
        rule(tx, hub, caller, one)


def for_caller(hub: Hub, caller: Caller, kind: Kind, one: Any) -> Any:
    """Return the record as the caller may see it: a worker's secret is opened for those who may write."""
    if kind is BRIDGE_WORKER:
        secret = hub.secrets.open(one.secret) if caller.may("write") else ""
        return msgspec.structs.replace(one, secret=secret)
    return one


def referred(tx: Connection, caller: Caller, kind: Kind, entity_id: str | None, what: str) -> Any:
    """Return the record that a reference leads to.

    Raises: BadRequest, when there is none that the caller sees; ``what`` names the reference.
    """
    query = select(*columns(kind)).where(kind.id_column == own_id(entity_id), visible(kind, caller))
    row = tx.execute(query).first() if own_id(entity_id) else None
    if row is None:
        raise BadRequest(f"{what} leads to no {kind.name.lower()}: {entity_id}")
    return record(kind, row)


def check_function(toolchain: str, name: str) -> Any:
    """Return the signature of the function.

    Raises: BadRequest, with the nearest name, when there is none.
    """
    from confighub.functions.registry import signatures
    from confighub.query.fields import suggestion

    known = signatures()
    if toolchain not in known:
        raise BadRequest(f"no such toolchain: {toolchain}", hint=f"known: {', '.join(sorted(known))}")
    found = known[toolchain].get(name)
    if found is None:
        raise BadRequest(f"no such function for {toolchain}: {name}", hint=suggestion(name, list(known[toolchain])))
    return found


def _link(tx: Connection, _hub: Hub, caller: Caller, one: Link, _before: Link | None) -> None:
    needs = referred(tx, caller, UNIT, one.from_unit_id, "FromUnitID")
    if needs.space_id != one.space_id:
        raise BadRequest(
            "a link lives in the space of the unit that needs", hint="create it in the space of FromUnitID"
        )
    provides = referred(tx, caller, UNIT, one.to_unit_id, "ToUnitID")
    if own_id(one.to_space_id) not in (None, provides.space_id):
        raise BadRequest(f"ToUnitID is not in the space that ToSpaceID names: {one.to_space_id}")
    one.to_space_id = provides.space_id


def _filter(tx: Connection, _hub: Hub, caller: Caller, one: Filter, _before: Filter | None) -> None:
    if one.from_ not in KINDS:
        raise BadRequest(f"From names no kind of entity: {one.from_!r}", hint=f"one of {', '.join(sorted(KINDS))}")
    parser.parse(one.where, one.from_)
    if one.from_space_id:
        referred(tx, caller, SPACE, one.from_space_id, "FromSpaceID")
    if one.from_ != "Unit" and (one.where_data or one.resource_type):
        raise BadRequest("WhereData and ResourceType filter units only")
    one.hash = _hash(one.from_, one.where, one.where_data, one.resource_type, one.from_space_id)


def _set(_tx: Connection, _hub: Hub, _caller: Caller, one: Set, _before: Set | None) -> None:
    parser.parse(one.where, "Unit")


def _view(tx: Connection, _hub: Hub, caller: Caller, one: View, _before: View | None) -> None:
    referred(tx, caller, FILTER, one.filter_id, "FilterID")
    if one.order_by_direction not in ("", "ASC", "DESC"):
        raise BadRequest(f"OrderByDirection is ASC or DESC: {one.order_by_direction!r}")


def _change_set(tx: Connection, _hub: Hub, caller: Caller, one: ChangeSet, _before: ChangeSet | None) -> None:
    for kind, reference, what in (
        (FILTER, one.filter_id, "FilterID"),
        (TAG, one.start_tag_id, "StartTagID"),
        (TAG, one.end_tag_id, "EndTagID"),
    ):
        if reference:
            referred(tx, caller, kind, reference, what)


def _invocation(tx: Connection, _hub: Hub, caller: Caller, one: Invocation, _before: Invocation | None) -> None:
    if one.bridge_worker_id:
        referred(tx, caller, BRIDGE_WORKER, one.bridge_worker_id, "BridgeWorkerID")
    else:
        check_function(one.toolchain_type, one.function_name)
    arguments = msgspec.to_builtins(one.arguments or [])
    one.hash = _hash(one.toolchain_type, one.function_name, arguments, one.bridge_worker_id)


_CALLED = ("invocation_id", "bridge_worker_id", "toolchain_type", "function_name")
"""What of a trigger says which function runs, and where."""


def _trigger(tx: Connection, _hub: Hub, caller: Caller, one: Trigger, before: Trigger | None) -> None:
    if one.event not in EVENTS:
        raise BadRequest(f"Event is one of {', '.join(EVENTS)}: {one.event!r}")
    worker_id, name = one.bridge_worker_id, one.function_name
    if one.invocation_id:
        invocation = referred(tx, caller, INVOCATION, one.invocation_id, "InvocationID")
        worker_id, name = worker_id or invocation.bridge_worker_id, invocation.function_name
    if worker_id is None:
        one.validating = check_function(one.toolchain_type, name).validating
        return
    worker = referred(tx, caller, BRIDGE_WORKER, worker_id, "BridgeWorkerID")
    signature = worker_calls.offered(worker, one.toolchain_type).get(name)
    if signature is None and worker.provided_info is not None:
        is_same = before is not None and all(getattr(one, name) == getattr(before, name) for name in _CALLED)
        if is_same and before is not None and (one.disabled or not before.disabled):
            # A worker that lost the function is no reason to keep the trigger from being switched off.
            return
        raise BadRequest(
            f"worker {worker.slug} offers no function for {one.toolchain_type}: {name}",
            hint=f"see what it offers: cub worker list-function {worker.slug}",
        )
    # A worker that was never connected is asked again when it comes.
    one.validating = bool(signature and signature.validating)


def _target(tx: Connection, _hub: Hub, caller: Caller, one: Target, _before: Target | None) -> None:
    if not one.provider_type:
        raise BadRequest("a target needs a ProviderType")
    if one.bridge_worker_id:
        referred(tx, caller, BRIDGE_WORKER, one.bridge_worker_id, "BridgeWorkerID")
    if one.parameters:
        try:
            json.loads(one.parameters)
        except ValueError as error:
            raise BadRequest(f"Parameters is not JSON: {error}") from error


def _bridge_worker(_tx: Connection, hub: Hub, _caller: Caller, one: BridgeWorker, before: BridgeWorker | None) -> None:
    if before is None:
        # The shape of the public ones; 30 random bytes, so that nothing in it can be guessed.
        one.secret = hub.secrets.seal("ch_" + b32encode(secrets.token_bytes(30)).decode().lower())
        one.condition = "Disconnected"


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


_Prepare = Callable[[Connection, Hub, Caller, Any, Any], None]

_PREPARE: dict[str, _Prepare] = {
    "Link": _link,
    "Filter": _filter,
    "Set": _set,
    "View": _view,
    "ChangeSet": _change_set,
    "Invocation": _invocation,
    "Trigger": _trigger,
    "Target": _target,
    "BridgeWorker": _bridge_worker,
}

_LEAD_TO: dict[str, tuple[tuple[Kind, str], ...]] = {
    "Filter": ((VIEW, "filter_id"), (CHANGE_SET, "filter_id")),
    "Tag": ((CHANGE_SET, "start_tag_id"), (CHANGE_SET, "end_tag_id")),
    "Invocation": ((TRIGGER, "invocation_id"),),
    "Target": ((UNIT, "target_id"),),
    "BridgeWorker": ((TRIGGER, "bridge_worker_id"), (INVOCATION, "bridge_worker_id")),
}
