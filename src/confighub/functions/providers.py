"""What differs between toolchains: how a document is named, where the hub's own notes go, how text becomes YAML."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Protocol

from confighub.data import resource
from confighub.data.differences import Changes
from confighub.data.document import Document
from confighub.data.path import MISSING, get
from confighub.errors import BadRequest, NotAResource
from confighub.functions import properties
from confighub.functions.signature import KUBERNETES, OPENTOFU, PROPERTIES
from confighub.records.mutations import ResourceInfo


class Provider(Protocol):
    """A toolchain, as functions see it."""

    @property
    def toolchain(self) -> str:
        """The toolchain's name on the wire."""

    @property
    def category(self) -> str:
        """The category of its resources."""

    @property
    def name_path(self) -> tuple[str, ...]:
        """Where a document's own name stands."""

    @property
    def separator(self) -> str:
        """What joins the parts of a made-up name."""

    def identity(self, document: Document) -> ResourceInfo:
        """Return a document's type and name."""

    def without_scope(self, name: str) -> str:
        """Return a name without its namespace."""

    def are_similar(self, one: str, other: str) -> bool:
        """Say whether a resource may change from one type to the other."""

    def names_changed(self, changes: Changes) -> bool:
        """Say whether changes touch what a document is called."""

    def normal_name(self, name: str) -> str:
        """Return a name in the form that this toolchain allows."""

    def context_path(self, field: str) -> tuple[str, ...]:
        """Return where a note of the hub goes, such as ``UnitSlug``."""

    def to_yaml(self, text: str) -> str:
        """Return a unit's text as YAML."""

    def from_yaml(self, text: str) -> str:
        """Return YAML as a unit's text."""


class Kubernetes:
    """Kubernetes manifests: YAML as it is."""

    toolchain = KUBERNETES
    category = resource.CATEGORY
    name_path = ("metadata", "name")
    separator = "-"

    def identity(self, document: Document) -> ResourceInfo:
        """Return ``apiVersion/kind`` and ``namespace/name``; see data/resource.py."""
        return resource.identity(document)

    def without_scope(self, name: str) -> str:
        """Return what stands behind the slash."""
        return resource.without_scope(name)

    def are_similar(self, one: str, other: str) -> bool:
        """Compare type families; see data/resource.py."""
        return resource.are_similar(one, other)

    def names_changed(self, changes: Changes) -> bool:
        """Look for the name, the namespace and the type."""
        return any(path in changes for path in ("metadata.name", "metadata.namespace", "kind", "apiVersion"))

    def normal_name(self, name: str) -> str:
        """Return a DNS label: lower case, hyphens for everything else."""
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")

    def context_path(self, field: str) -> tuple[str, ...]:
        """Return an annotation."""
        return ("metadata", "annotations", f"confighub.com/{field}")

    def to_yaml(self, text: str) -> str:
        """Return the text itself."""
        return text

    def from_yaml(self, text: str) -> str:
        """Return the text itself."""
        return text


class Properties:
    """Java properties: nested YAML while functions run."""

    toolchain = PROPERTIES
    category = "AppConfig"
    name_path = ("configHub", "configName")
    separator = ""

    def identity(self, document: Document) -> ResourceInfo:
        """Return what ``configHub.configSchema`` and ``configHub.configName`` say."""
        data = document.data
        schema = _text(data, ("configHub", "configSchema"), "NoSchema")
        name = _text(data, self.name_path, "NoName")
        return ResourceInfo(
            resource_name=name,
            resource_name_without_scope=name,
            resource_type=schema,
            resource_category=self.category,
        )

    def without_scope(self, name: str) -> str:
        """Return the name: there are no scopes."""
        return name

    def are_similar(self, one: str, other: str) -> bool:
        """Say whether the schemas are equal."""
        return one == other

    def names_changed(self, changes: Changes) -> bool:
        """Look for the hub's own keys."""
        return any(path.startswith("configHub") for path in changes)

    def normal_name(self, name: str) -> str:
        """Return the name: every character is allowed."""
        return name

    def context_path(self, field: str) -> tuple[str, ...]:
        """Return a key under ``configHub``."""
        return ("configHub", field[:1].lower() + field[1:])

    def to_yaml(self, text: str) -> str:
        """Return the properties as nested YAML, keys sorted."""
        return properties.to_yaml(text)

    def from_yaml(self, text: str) -> str:
        """Return nested YAML as properties."""
        return properties.from_yaml(text)


def _text(data: Any, steps: tuple[str, ...], default: str) -> str:
    value = get(data, steps)
    if value is MISSING:
        return default
    if not isinstance(value, str):
        raise NotAResource(f"{'.'.join(steps)} is no text")
    return value


_PROVIDERS: dict[str, Provider] = {KUBERNETES: Kubernetes(), PROPERTIES: Properties()}


def of(toolchain: str) -> Provider:
    """Return the provider of a toolchain.

    Raises: BadRequest for one that no function here can read.
    """
    found = _PROVIDERS.get(toolchain)
    if found is None:
        reason = "not supported" if toolchain == OPENTOFU else "unknown toolchain"
        raise BadRequest(f"{reason}: {toolchain}")
    return found
