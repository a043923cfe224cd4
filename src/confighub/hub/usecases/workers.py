"""Workers as they come and go: who they are, what they offer, whether they live."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from confighub.errors import NotFound
from confighub.hub.caller import Caller
from confighub.hub.domain.slugs import slugify
from confighub.hub.hub import Hub
from confighub.hub.kinds import BRIDGE_WORKER, TARGET
from confighub.hub.store.entities import bridge_workers, targets
from confighub.hub.store.rows import columns, own_id, record
from confighub.hub.store.work_queue import bridge_worker_statuses
from confighub.hub.usecases import deliveries, entities, holds, people, queue, rechecks, trigger_calls, work
from confighub.records.extended import ExtendedBridgeWorker
from confighub.records.functions import FunctionSignature
from confighub.records.work import AvailableTarget, BridgeWorker, BridgeWorkerStatus, ConfigType, Target, WorkerInfo

Signatures = dict[str, dict[str, FunctionSignature]]

SILENCE = 3
"""Heartbeats that a worker may miss before it counts as unresponsive."""


def get_self(hub: Hub, caller: Caller) -> BridgeWorker:
    """Return the calling worker."""
    with hub.read() as tx:
        worker = _worker(tx, caller)
        worker.secret = ""
        return worker


def connect_worker(hub: Hub, caller: Caller, info: WorkerInfo, *, ip_address: str, stream: str) -> None:
    """Take the calling worker as connected by the stream, and make a target for each that it offers.

    What an older stream carries is sent again by this one. A target of the same name that is this worker's
    gets the new parameters; another one stays.
    """
    with hub.write() as tx:
        worker = _worker(tx, caller)
        now = hub.now()
        tx.execute(
            update(bridge_workers)
            .where(bridge_workers.c.bridge_worker_id == worker.bridge_worker_id)
            .values(provided_info=info, condition="Ready", last_seen_at=now, ip_address=ip_address, last_message="")
        )
        older = _newest_moment(tx, worker.bridge_worker_id)
        _keep_status(tx, hub, worker, "Connected", ip_address, status_id=stream)
        if older is not None:
            deliveries.end_leases(tx, hub, stream=older)
        for offered, target in _offers(info):
            _offer(tx, hub, caller, worker, offered, target)
        rechecks.learn_signatures(tx, hub, caller, msgspec.structs.replace(worker, provided_info=info))
        hub.wake(tx, worker.bridge_worker_id or "")


def disconnect_worker(hub: Hub, caller: Caller, *, stream: str) -> None:
    """End the stream: what it carried is sent again later; the worker is gone unless a newer stream took over."""
    with hub.write() as tx:
        worker = _worker(tx, caller, is_living=False, for_change=True)
        deliveries.end_leases(tx, hub, stream=stream)
        if _newest_moment(tx, worker.bridge_worker_id) == stream:
            tx.execute(
                update(bridge_workers)
                .where(bridge_workers.c.bridge_worker_id == worker.bridge_worker_id)
                .values(condition="Disconnected")
            )
            _keep_status(tx, hub, worker, "Disconnected", worker.ip_address)


def is_superseded(hub: Hub, *, worker_id: str, stream: str) -> bool:
    """Whether the worker has connected by another stream since, perhaps at another process of the hub."""
    with hub.read() as tx:
        return _newest_moment(tx, worker_id) != stream


def list_statuses(hub: Hub, caller: Caller, *, space_id: str, worker_id: str) -> list[BridgeWorkerStatus]:
    """Return the moments of the worker's connection, oldest first."""
    with hub.read() as tx:
        entities.load(tx, caller, BRIDGE_WORKER, worker_id, *entities.scope(BRIDGE_WORKER, space_id))
        c = bridge_worker_statuses.c
        rows = tx.execute(
            select(*_status_columns()).where(c.bridge_worker_id == own_id(worker_id)).order_by(c.cursor_id)
        )
        return [BridgeWorkerStatus(**row._mapping) for row in rows]


def get_status(hub: Hub, caller: Caller, *, space_id: str, worker_id: str, status_id: str) -> BridgeWorkerStatus:
    """Return one moment of the worker's connection.

    Raises: NotFound.
    """
    for status in list_statuses(hub, caller, space_id=space_id, worker_id=worker_id):
        if status.bridge_worker_status_id == own_id(status_id):
            return status
    raise NotFound(f"no such worker status: {status_id}")


def list_functions(hub: Hub, caller: Caller, *, space_id: str, worker_id: str) -> Signatures:
    """Return the functions that the worker offers, by toolchain and name; empty before it connects."""
    with hub.read() as tx:
        worker = entities.load(tx, caller, BRIDGE_WORKER, worker_id, *entities.scope(BRIDGE_WORKER, space_id))
    info = worker.provided_info
    offered = info.function_worker_info if info else None
    return (offered.supported_functions if offered else None) or {}


def count_targets(hub: Hub, found: list[ExtendedBridgeWorker]) -> None:
    """Set in place how many targets each worker has."""
    c = targets.c
    counted = select(c.bridge_worker_id, func.count()).where(c.deleted_at.is_(None)).group_by(c.bridge_worker_id)
    with hub.read() as tx:
        numbers = {row.bridge_worker_id: row[1] for row in tx.execute(counted)}
    for one in found:
        if one.bridge_worker is not None:
            one.target_count = numbers.get(one.bridge_worker.bridge_worker_id or "", 0)


def recover(hub: Hub) -> None:
    """Start from a store that another process left: no worker is connected, nothing is in flight.

    Only for a store that one process owns.
    """
    deliveries.recover(hub)
    with hub.write() as tx:
        c = bridge_workers.c
        tx.execute(update(bridge_workers).where(c.condition != "Disconnected").values(condition="Disconnected"))


def sweep(hub: Hub) -> None:
    """Do what only time asks for: end leases, timeouts and holds, and mark workers that fell silent."""
    with hub.write() as tx:
        deliveries.expire_leases(tx, hub)
        trigger_calls.give_up_waiting(tx, hub)
        for unit_id in holds.expire(tx, hub):
            _apply_after_hold(tx, hub, unit_id)
        tx.execute(update(bridge_workers).where(*_fell_silent(hub)).values(condition="Unresponsive"))


def is_sweep_due(hub: Hub) -> bool:
    """Whether ``sweep`` would change anything, asked without the writer."""
    with hub.read() as tx:
        if deliveries.is_expiry_due(tx, hub) or holds.is_expiry_due(tx, hub) or trigger_calls.is_late(tx, hub):
            return True
        return tx.execute(select(bridge_workers.c.cursor_id).where(*_fell_silent(hub)).limit(1)).first() is not None


def _fell_silent(hub: Hub) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    since = hub.now() - timedelta(seconds=SILENCE * hub.settings.heartbeat_s)
    return bridge_workers.c.condition == "Ready", bridge_workers.c.last_seen_at < since


def _apply_after_hold(tx: Connection, hub: Hub, unit_id: str) -> None:
    unit = queue.unit_by_id(tx, unit_id)
    if unit is not None:
        system = Caller("", people.SYSTEM, unit.organization_id or "", frozenset({"admin"}))
        work.apply_if_due(tx, hub, system, unit_id)


def _worker(tx: Connection, caller: Caller, *, is_living: bool = True, for_change: bool = False) -> BridgeWorker:
    own = [bridge_workers.c.bridge_worker_id == caller.worker_id]
    if is_living:
        own.append(bridge_workers.c.deleted_at.is_(None))
    query = select(*columns(BRIDGE_WORKER)).where(*own)
    row = tx.execute(query.with_for_update() if for_change else query).first()
    if row is None:
        raise NotFound("this worker was deleted")
    worker = record(BRIDGE_WORKER, row)
    assert isinstance(worker, BridgeWorker)
    return worker


def _status_columns() -> list[Any]:
    shown = {field.name for field in msgspec.structs.fields(BridgeWorkerStatus)}
    return [column for column in bridge_worker_statuses.c if column.name in shown]


def _newest_moment(tx: Connection, worker_id: str | None) -> str | None:
    """Return the id of the last moment of the worker's connection: the stream's, when it connected."""
    c = bridge_worker_statuses.c
    query = select(c.bridge_worker_status_id).where(c.bridge_worker_id == worker_id)
    return tx.execute(query.order_by(c.cursor_id.desc()).limit(1)).scalar()


def _keep_status(
    tx: Connection, hub: Hub, worker: BridgeWorker, status: str, ip_address: str, *, status_id: str = ""
) -> None:
    tx.execute(
        insert(bridge_worker_statuses).values(
            bridge_worker_status_id=status_id or hub.new_id(),
            bridge_worker_id=worker.bridge_worker_id,
            bridge_worker_slug=worker.slug,
            organization_id=worker.organization_id,
            space_id=worker.space_id,
            status=status,
            ip_address=ip_address,
            seen_at=hub.now(),
        )
    )


def _offers(info: WorkerInfo) -> Iterator[tuple[ConfigType, AvailableTarget]]:
    bridge = info.bridge_worker_info
    for offered in (bridge.supported_config_types if bridge else None) or []:
        for target in offered.available_targets or []:
            yield offered, target


def _offer(
    tx: Connection, hub: Hub, caller: Caller, worker: BridgeWorker, offered: ConfigType, target: AvailableTarget
) -> None:
    slug, parameters = slugify(target.name), msgspec.json.encode(target.params).decode()
    c = targets.c
    same = c.space_id == worker.space_id, c.slug == slug, c.deleted_at.is_(None)
    row = tx.execute(select(*columns(TARGET)).where(*same)).first()
    if row is None:
        made = Target(
            slug=slug,
            display_name=target.name,
            toolchain_type=offered.toolchain_type,
            provider_type=offered.provider_type,
            parameters=parameters,
            bridge_worker_id=worker.bridge_worker_id,
        )
        entities.create_in(tx, hub, caller, TARGET, made, worker.space_id)
        return
    before = record(TARGET, row)
    if before.bridge_worker_id == worker.bridge_worker_id and before.parameters != parameters:
        after = msgspec.structs.replace(before, parameters=parameters)
        entities.change_in(tx, hub, caller, TARGET, before, after)
