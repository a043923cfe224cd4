"""What differs between toolchains: how a document is named, where the hub's own notes go, how text becomes YAML."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any, Protocol

from confighub.data import resource
from confighub.data.document import Document
from confighub.data.path import MISSING, Steps, join
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
    def naming(self) -> tuple[Steps, ...]:
        """The places that make up a document's type and name."""

    @property
    def separator(self) -> str:
        """What joins the parts of a made-up name."""

    def identity(self, document: Document) -> ResourceInfo:
        """Return a document's type and name."""

    def without_scope(self, name: str) -> str:
        """Return a name without its namespace."""

    def are_similar(self, one: str, other: str) -> bool:
        """Say whether a resource may change from one type to the other."""

    def identity_by(self, at: Callable[[Steps], Any]) -> ResourceInfo:
        """Return the same by what ``at`` reads at the places of ``naming``."""

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
    naming = resource.NAMING
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

    def identity_by(self, at: Callable[[Steps], Any]) -> ResourceInfo:
        """Return the same by what stands at the places of ``naming``."""
        return resource.identity_by(at)

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
    naming: tuple[Steps, ...] = (("configHub", "configSchema"), name_path)
    separator = ""

    def identity(self, document: Document) -> ResourceInfo:
        """Return what ``configHub.configSchema`` and ``configHub.configName`` say."""
        return self.identity_by(document.at)

    def identity_by(self, at: Callable[[Steps], Any]) -> ResourceInfo:
        """Return the same by what stands at the places of ``naming``."""
        schema, name = (_text(at, *place) for place in zip(self.naming, ("NoSchema", "NoName"), strict=True))
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


def _text(at: Callable[[Steps], Any], steps: Steps, default: str) -> str:
    value = at(steps)
    if value is MISSING:
        return default
    if not isinstance(value, str):
        raise NotAResource(f"{join(steps)} is no text")
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
