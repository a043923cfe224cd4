"""A hub as an object: one attribute for each noun.

hub = connect(ClientSettings.from_environment())
space_id = hub.space_id("fluffy-bunny-traderx-dev")
unit = hub.unit("trade-service", space_id=space_id)["Unit"]
hub.units.wait(hub.units.apply(unit["UnitID"], space_id=space_id))
"""

from __future__ import annotations

from confighub.client import names
from confighub.client.collection import (
    CHANGE_SET,
    FILTER,
    INVOCATION,
    LINK,
    ORGANIZATION,
    SET,
    SPACE,
    TAG,
    TARGET,
    TRIGGER,
    USER,
    VIEW,
    WORKER,
    Collection,
    Records,
)
from confighub.client.functions import Functions
from confighub.client.names import Selection
from confighub.client.transport import Transport, Wire
from confighub.client.units import Units


class HubClient:
    """Everything a caller may ask of one hub.

    Space look-ups are remembered for the life of the object, since every command starts with one.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.spaces = Collection(transport, SPACE)
        self.units = Units(transport)
        self.links = Collection(transport, LINK)
        self.filters = Collection(transport, FILTER)
        self.sets = Collection(transport, SET)
        self.tags = Collection(transport, TAG)
        self.views = Collection(transport, VIEW)
        self.change_sets = Collection(transport, CHANGE_SET)
        self.triggers = Collection(transport, TRIGGER)
        self.invocations = Collection(transport, INVOCATION)
        self.targets = Collection(transport, TARGET)
        self.workers = Workers(transport, WORKER)
        self.organizations = Collection(transport, ORGANIZATION)
        self.users = Collection(transport, USER)
        self.functions = Functions(transport)
        self._spaces: dict[str, Wire] = {}

    def info(self) -> Wire:
        """Return what the hub says of itself; needs no login."""
        return self.transport.request("GET", "/info") or {}

    def me(self) -> Wire:
        """Return the caller as member of the organization."""
        return self.transport.request("GET", "/me") or {}

    def new_prefix(self) -> str:
        """Return two words that start no space's name yet, as in ``fluffy-bunny``."""
        return str(self.transport.request("GET", "/space/new_prefix")["Prefix"])

    def audit(self, *, limit: int = 0, after: int = 0, space_id: str = "", entity_id: str = "") -> Records:
        """Return audit rows, newest first, a page without a limit; ``after`` is the id of the last one seen.

        ``space_id`` asks for those of one space, ``entity_id`` for those about one entity, as a unit.
        """
        query = {"limit": str(limit or ""), "after": str(after or "")}
        query |= {"space_id": space_id, "entity_id": entity_id}
        return self.transport.request("GET", "/audit", query) or []

    def verify_audit(self) -> Wire:
        """Return what a check of the audit log's chain found."""
        return self.transport.request("GET", "/audit/verify") or {}

    def space(self, name: str) -> Wire:
        """Return the plain space with that slug or id; raises NotFound."""
        if name not in self._spaces:
            self._spaces[name] = self.spaces.find(name)["Space"]
        return self._spaces[name]

    def space_id(self, name: str) -> str:
        """Return the id of the space with that slug or id; raises NotFound."""
        return str(self.space(name)["SpaceID"])

    def unit(self, name: str, *, space_id: str) -> Wire:
        """Return the extended unit with that slug or id, or the Deployment of the service so named.

        Raises: NotFound; BadRequest when several Deployments carry the service label.
        """
        return names.find_unit(self.units, name, space_id=space_id)

    def filter(self, text: str, *, space: str = "", entity: str = "Unit") -> Selection:
        """Return what a ``--filter`` argument selects: a filter's name or an expression.

        ``space`` is the slug or id of the space to look in first. Raises: NotFound.
        """
        return names.find_filter(self.filters, self.space, text, space=space, entity=entity)

    def set(self, name: str, *, space: str) -> Wire:
        """Return the extended set with that slug or id, from the space or its project's filters space."""
        return names.find_in_project(self.sets, self.space, name, space=space)


class Workers(Collection):
    """The workers of the hub, with their states."""

    def statuses(self, worker_id: str, *, space_id: str) -> Records:
        """Return the moments of the worker's connection."""
        return self.transport.request("GET", f"{self._path(space_id, worker_id)}/status") or []

    def functions(self, worker_id: str, *, space_id: str) -> dict[str, dict[str, Wire]]:
        """Return the signatures that the worker offers, by toolchain and name."""
        return self.transport.request("GET", f"{self._path(space_id, worker_id)}/function") or {}
