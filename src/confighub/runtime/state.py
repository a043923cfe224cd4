"""The desired state on disk: what every environment should run, and what was last applied to it.

One JSON file an environment, replaced as a whole. A change is answered only after it is here, so a
daemon that is killed at any moment comes back with everything it had accepted.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from confighub.errors import BadRequest
from confighub.runtime import files
from confighub.runtime.manifests import DEFAULT_NAMESPACE, Manifest

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a target says about an environment.

    ``catalogue`` and ``secrets_dir`` are absolute paths, empty when there is none;
    ``probe_delay_scale`` multiplies the delays of probes until a container is ready.
    """

    catalogue: str = ""
    secrets_dir: str = ""
    probe_delay_scale: float = 1.0


class StoredUnit(msgspec.Struct, kw_only=True):
    """Who applied what: the unit's identity in the hub, and the worker that speaks for it."""

    unit_id: str
    space_id: str = ""
    slug: str = ""
    owner: str = ""
    revision: int = 0


class StoredObject(msgspec.Struct, kw_only=True):
    """One object: ``applied`` is the unit's word, ``manifest`` what is wanted now.

    They differ after someone changed the object past the hub. ``generation`` rises by one whenever the
    wanted state changes. ``serving`` is a Deployment's last pod template that became fully ready; it
    keeps serving while a newer one is not.
    """

    unit_id: str
    manifest: Manifest
    applied: Manifest
    generation: int = 1
    created_at: str = ""
    serving: Manifest | None = None

    @property
    def key(self) -> ObjectKey:
        """What identifies the object in its environment."""
        return key_of(self.manifest)


class StoredEnvironment(msgspec.Struct, kw_only=True):
    """Everything one environment should be."""

    settings: Settings = Settings()
    units: dict[str, StoredUnit] = {}
    objects: list[StoredObject] = []


class ObjectKey(msgspec.Struct, frozen=True, order=True):
    """Kind with API group, namespace and name."""

    group: str
    kind: str
    namespace: str
    name: str


def key_of(manifest: Manifest) -> ObjectKey:
    """Return the identity of a document. Raises BadRequest when kind or name is missing."""
    metadata = manifest.get("metadata")
    kind, api_version = manifest.get("kind"), manifest.get("apiVersion")
    if not isinstance(metadata, dict) or not isinstance(kind, str) or not isinstance(api_version, str):
        raise BadRequest("a document has no apiVersion, kind or metadata")
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        raise BadRequest(f"a {kind} has no metadata.name")
    group = api_version.rpartition("/")[0]
    return ObjectKey(group, kind, str(metadata.get("namespace") or DEFAULT_NAMESPACE), name)


class Store:
    """The files of one data folder, one environment each."""

    def __init__(self, data_dir: Path) -> None:
        self.root = data_dir
        self._folder = data_dir / "environments"

    def folder(self, environment: str) -> Path:
        """Return the folder of an environment. Raises BadRequest for a name that is no name."""
        if not _NAME.fullmatch(environment):
            raise BadRequest(
                f"not a name for an environment: {environment!r}", hint="use lower-case letters, digits and dashes"
            )
        return self._folder / environment

    def load(self) -> dict[str, StoredEnvironment]:
        """Return every stored environment by name."""
        found: dict[str, StoredEnvironment] = {}
        if self._folder.is_dir():
            for path in sorted(self._folder.glob("*/desired.json")):
                found[path.parent.name] = msgspec.json.decode(path.read_bytes(), type=StoredEnvironment)
        return found

    def save(self, environment: str, stored: StoredEnvironment) -> None:
        """Replace an environment's file; returns when it is on disk."""
        folder = self.folder(environment)
        folder.mkdir(parents=True, exist_ok=True)
        files.replace(folder / "desired.json", msgspec.json.encode(stored), mode=0o600)
