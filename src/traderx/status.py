"""Where an environment answers and whether it is ready, read from live state in the hub."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from confighub.client.transport import Wire
from confighub.operations.health import UnitHealth, unit_health
from traderx import topology
from traderx.site import Site


@dataclass(frozen=True)
class Status:
    """One environment as a person asks about it. Addresses are empty while nothing is live."""

    project: str
    environment: str
    hub: str
    ingress: str
    services: dict[str, str]
    units: list[UnitHealth] = field(default_factory=list)

    @property
    def is_ready(self) -> bool:
        """Whether all 17 units run their latest applied revision; what others put beside them does not count."""
        return bool(self.units) and not self.waiting_for

    @property
    def waiting_for(self) -> list[str]:
        """Which of the 17 units are not ready, in deployment order."""
        own = {row.slug for row in topology.units()}
        return [unit.slug for unit in self.units if unit.slug in own and not unit.is_ready]

    def as_json(self) -> dict[str, Any]:
        """Return the status for programs."""
        return {
            "project": self.project,
            "environment": self.environment,
            "hub": self.hub,
            "console": None,
            "gui": self.ingress or None,
            "ingress": self.ingress or None,
            "services": self.services,
            "ready": self.is_ready,
        }


def read_status(site: Site, environment: str) -> Status:
    """Return the status of one environment; raises NotFound when there is no such environment."""
    space_id = site.space_id(environment)
    units = unit_health(site.hub, space_id)
    services: dict[str, str] = {}
    ingress = ""
    for unit in units:
        for address in unit.addresses:
            if address.get("Kind") == "Service" and address.get("Name") in topology.BY_NAME:
                services.setdefault(str(address["Name"]), url_of(address))
            if address.get("Kind") == "Ingress" and not ingress:
                ingress = url_of(address)
    in_order = {one.name: services[one.name] for one in topology.SERVICES if one.name in services}
    return Status(site.project.name(), environment, site.hub.transport.url, ingress, in_order, units)


def url_of(address: Wire) -> str:
    """Return the address of a Service or Ingress as a URL."""
    return f"http://{address.get('Host')}:{address.get('Port')}"


def table(status: Status) -> list[str]:
    """Return the lines that show the addresses, aligned."""
    rows = [("TraderX", status.ingress or "not live")]
    rows += [(name, url) for name, url in status.services.items()]
    rows += [("hub", status.hub), ("API document", f"{status.hub}/api/docs")]
    width = max(len(name) for name, _ in rows)
    return [f"  {name:<{width}}  {url}" for name, url in rows]
