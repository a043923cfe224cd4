"""What the daemon and its clients tell each other, as JSON."""

from __future__ import annotations

import msgspec

from confighub.runtime.manifests import Manifest
from confighub.runtime.state import Settings, StoredUnit

ADDRESS_FILE = "runtime.json"


class Address(msgspec.Struct, kw_only=True):
    """What ``runtime.json`` says: where the daemon answers, the token it wants, its process."""

    url: str
    token: str
    pid: int


class ApplyUnit(msgspec.Struct, kw_only=True):
    """The body of an apply."""

    unit: StoredUnit
    objects: list[Manifest]
    settings: Settings = Settings()


class UnitNow(msgspec.Struct, kw_only=True):
    """A unit's objects as they are, and as it applied them."""

    unit: StoredUnit | None
    objects: list[Manifest]
    applied: list[Manifest]


class ContainerNow(msgspec.Struct, kw_only=True):
    """One program of a replica."""

    name: str
    image: str
    pid: int | None
    restarts: int
    reason: str
    message: str


class ReplicaNow(msgspec.Struct, kw_only=True):
    """One replica with its processes."""

    name: str
    workload: str
    namespace: str
    ready: bool
    stopping: bool
    addresses: list[str]
    containers: list[ContainerNow]


class EnvironmentNow(msgspec.Struct, kw_only=True):
    """An environment's units and where its ingress answers."""

    name: str
    units: list[StoredUnit]
    ingress: list[int]


class Change(msgspec.Struct, kw_only=True):
    """A unit's objects as they are now; ``objects`` is JSON so that equal pictures can be told by bytes."""

    environment: str
    unit: StoredUnit
    objects: msgspec.Raw
