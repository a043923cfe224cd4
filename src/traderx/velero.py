"""Velero on a cluster: the newest backup of an environment, restored and described, by the objects that it reads.

Source: https://velero.io/docs/main/api-types/ (velero.io/v1 Backup and Restore).
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from confighub.client.transport import Wire
from confighub.errors import ConfigHubError, NotFound, RetryLater
from confighub.operations.disaster import Skipped
from traderx.clusters import ClusterApi

NAMESPACE = "velero"
_ROOT = "/apis/velero.io/v1"
_OBJECTS = f"{_ROOT}/namespaces/{NAMESPACE}"
_PAUSE_S = 0.5
_ENDED = ("Completed", "PartiallyFailed", "Failed", "FailedValidation")


def refuse_missing(api: ClusterApi) -> None:
    """Return when the cluster has Velero. Raises: Skipped, saying what is missing."""
    if api.get(_ROOT) is None:
        raise Skipped(f"{api.cluster.context} has no Velero (velero.io/v1 is not served)")


def describe_backup(api: ClusterApi, name: str) -> str:
    """Return what Velero says of the newest good backup of that schedule, in one line. Raises: NotFound."""
    backup = newest_backup(api, name)
    status = backup["status"]
    volumes = status.get("volumeSnapshotsCompleted", 0)
    return (
        f"{backup['metadata']['name']}: {status['phase']} at {status.get('completionTimestamp')}, "
        f"{(status.get('progress') or {}).get('itemsBackedUp', 0)} objects, {volumes} volumes, "
        f"expires {status.get('expiration')}"
    )


def newest_backup(api: ClusterApi, name: str) -> Wire:
    """Return the newest completed backup of that name, or made by the schedule of that name. Raises: NotFound."""
    listed = (api.get(f"{_OBJECTS}/backups") or {}).get("items") or []
    good = [
        one
        for one in listed
        if (one["metadata"]["name"] == name or _schedule(one) == name)
        and (one.get("status") or {}).get("phase") == "Completed"
    ]
    if not good:
        raise NotFound(
            f"Velero on {api.cluster.context} has no completed backup {name} among {len(listed)}",
            hint=f"velero backup create {name} --include-namespaces NAMESPACE --snapshot-volumes --ttl 720h",
        )
    newest: Wire = max(good, key=lambda one: str(one["status"].get("completionTimestamp")))
    return newest


def restore(api: ClusterApi, name: str, *, timeout_s: float) -> str:
    """Restore the newest backup, wait for the end, and return what Velero says of it.

    Raises: ConfigHubError when it does not complete; RetryLater when it takes too long; NotFound without a backup.
    """
    backup = newest_backup(api, name)["metadata"]["name"]
    made = f"{backup}-{datetime.now(UTC):%Y%m%d%H%M%S}"
    body: dict[str, Any] = {"apiVersion": "velero.io/v1", "kind": "Restore", "spec": {"backupName": backup}}
    # what the hub applies is the hub's; the volumes and what they hold come from here
    body["spec"] |= {"restorePVs": True, "existingResourcePolicy": "none"}
    api.create(f"{_OBJECTS}/restores", {**body, "metadata": {"name": made, "namespace": NAMESPACE}})
    deadline = time.monotonic() + timeout_s
    while True:
        status = (api.get(f"{_OBJECTS}/restores/{made}") or {}).get("status") or {}
        phase = status.get("phase")
        if phase == "Completed":
            done = (status.get("progress") or {}).get("itemsRestored", 0)
            return f"{made}: Completed, {done} objects, {status.get('warnings', 0)} warnings"
        if phase in _ENDED:
            reasons = "; ".join(status.get("validationErrors") or []) or status.get("failureReason") or "see its log"
            raise ConfigHubError(f"Velero's restore {made} ended as {phase}: {reasons}")
        if time.monotonic() > deadline:
            raise RetryLater(f"Velero's restore {made} is {phase or 'not looked at'} after {timeout_s:g} s")
        time.sleep(_PAUSE_S)


def _schedule(backup: Wire) -> str:
    return str((backup["metadata"].get("labels") or {}).get("velero.io/schedule-name") or "")
