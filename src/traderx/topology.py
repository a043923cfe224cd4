"""TraderX as one table: what runs, in which order, on which port, needing what.

Everything else about the application's shape is generated from here or compared with it:
the unit files under ``confighub/``, ``confighub-topology.yaml``, ``service-dependency-map.json``.

Source: the seed document of 2025-10-03, sections 1, 2 and 5; dependencies are those of its
communication matrix (2.2), layers those of our design (7).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

Layer = Literal["data", "backend", "frontend", "infra"]
Environment = Literal["dev", "staging", "prod"]
Importance = Literal["CRITICAL", "HIGH", "MEDIUM"]

BASELINE = "version 1.0 of 2025-10-03"
ENVIRONMENTS: tuple[Environment, ...] = ("dev", "staging", "prod")
STAGES: tuple[str, ...] = ("base", *ENVIRONMENTS)
"""Where a change comes from and where it goes next, in this order."""

IMAGE_PREFIX = "finos/traderx-"
IMAGE_TAGS = ("v1.0.0", "v1.1.0", "v2.0.0")
"""The tags that the laptop's image catalogue knows; the base units name the first."""

PLACEHOLDER = "confighubplaceholder"
CRITICAL_SLA = "99.95"


@dataclass(frozen=True)
class Size:
    """What one environment gives a service: replicas, and the requests of each; limits are twice as much."""

    replicas: int
    cpu: str
    memory: str


@dataclass(frozen=True)
class Service:
    """One application service. ``port`` is 0 when no Service object exposes it; ``listens_on`` is the container's."""

    name: str
    order: int
    port: int
    layer: Layer
    tech: str
    tech_label: str
    needs: tuple[str, ...]
    protocol: str
    importance: Importance
    base: Size
    prod: Size
    listens_on: int = 0
    calls: tuple[str, ...] = ()

    @property
    def critical(self) -> bool:
        """Whether the service stands on the critical path of the matrix."""
        return self.importance == "CRITICAL"

    @property
    def container_port(self) -> int:
        """Where the process listens; an internal port for a service that nothing calls."""
        return self.port or self.listens_on

    def size(self, environment: str) -> Size:
        """Return the size in the base or in one environment; only prod differs."""
        return self.prod if environment == "prod" else self.base


_SMALL = Size(replicas=1, cpu="100m", memory="128Mi")
_TRADING = Size(replicas=1, cpu="250m", memory="256Mi")

SERVICES: tuple[Service, ...] = (
    Service(
        name="reference-data",
        order=1,
        port=18085,
        layer="data",
        tech="Java",
        tech_label="java",
        needs=(),
        protocol="HTTP REST",
        importance="CRITICAL",
        base=_SMALL,
        prod=Size(replicas=3, cpu="250m", memory="256Mi"),
    ),
    Service(
        name="people-service",
        order=2,
        port=18089,
        layer="data",
        tech="Java",
        tech_label="java",
        needs=("reference-data",),
        protocol="HTTP REST",
        importance="HIGH",
        base=_SMALL,
        prod=Size(replicas=2, cpu="250m", memory="256Mi"),
    ),
    Service(
        name="account-service",
        order=3,
        port=18091,
        layer="data",
        tech="Node",
        tech_label="node",
        needs=("reference-data",),
        protocol="HTTP REST",
        importance="HIGH",
        base=_SMALL,
        prod=Size(replicas=2, cpu="250m", memory="256Mi"),
        calls=("people-service",),
    ),
    Service(
        name="position-service",
        order=4,
        port=18090,
        layer="backend",
        tech="Java",
        tech_label="java",
        needs=("reference-data", "account-service"),
        protocol="HTTP REST",
        importance="CRITICAL",
        base=_SMALL,
        prod=Size(replicas=3, cpu="250m", memory="256Mi"),
    ),
    Service(
        name="trade-service",
        order=5,
        port=18092,
        layer="backend",
        tech=".NET",
        tech_label="dotnet",
        needs=("reference-data", "people-service", "account-service", "position-service"),
        protocol="HTTP REST",
        importance="CRITICAL",
        base=_TRADING,
        prod=Size(replicas=3, cpu="500m", memory="512Mi"),
        calls=("trade-feed",),
    ),
    Service(
        name="trade-processor",
        order=6,
        port=0,
        layer="backend",
        tech="Python",
        tech_label="python",
        needs=("trade-service",),
        protocol="Async (message queue)",
        importance="HIGH",
        base=_SMALL,
        prod=Size(replicas=2, cpu="250m", memory="256Mi"),
        listens_on=18087,
        calls=("trade-feed",),
    ),
    Service(
        name="trade-feed",
        order=7,
        port=18088,
        layer="backend",
        tech="Java",
        tech_label="java",
        needs=("trade-service",),
        protocol="WebSocket/SSE",
        importance="MEDIUM",
        base=_SMALL,
        # A subscriber hears what its own replica is told, so more than one needs a bus between them.
        prod=Size(replicas=1, cpu="250m", memory="256Mi"),
    ),
    Service(
        name="web-gui",
        order=8,
        port=18080,
        layer="frontend",
        tech="Angular",
        tech_label="angular",
        needs=(
            "reference-data",
            "people-service",
            "account-service",
            "position-service",
            "trade-service",
            "trade-feed",
        ),
        protocol="HTTP REST",
        importance="MEDIUM",
        base=_SMALL,
        prod=Size(replicas=2, cpu="250m", memory="256Mi"),
    ),
)

BY_NAME: dict[str, Service] = {service.name: service for service in SERVICES}

NAMESPACE_ORDER = 0
INGRESS_ORDER = 9
INGRESS_NEEDS = ("web-gui",)
INGRESS_HOSTS: dict[str, str] = {
    "base": "traderx.example.com",
    "dev": "traderx-dev.example.com",
    "staging": "traderx-staging.example.com",
    "prod": "traderx.example.com",
}


@dataclass(frozen=True)
class UnitRow:
    """One of the 17 units: its slug, the object it holds and the labels it carries in the base."""

    slug: str
    kind: Literal["Namespace", "Deployment", "Service", "Ingress"]
    service: str
    order: int
    layer: Layer
    tech: str
    port: int
    critical: bool

    def labels(self, *, project: str, environment: str) -> dict[str, str]:
        """Return the labels of the unit in one environment: the union of the seed's two lists."""
        return {
            "project": project,
            "environment": environment,
            "service": self.service,
            "layer": self.layer,
            "tech": self.tech,
            "order": str(self.order),
            "port": str(self.port),
            "critical": "true" if self.critical else "false",
        }


def units() -> tuple[UnitRow, ...]:
    """Return the 17 units in the order in which they are deployed."""
    return tuple(_unit_rows())


def _unit_rows() -> Iterator[UnitRow]:
    yield UnitRow("namespace", "Namespace", "namespace", NAMESPACE_ORDER, "infra", "Kubernetes", 0, critical=False)
    for one in SERVICES:
        row = (one.name, one.order, one.layer, one.tech, one.port)
        yield UnitRow(f"{one.name}-deployment", "Deployment", *row, critical=one.critical)
        if one.port:
            yield UnitRow(f"{one.name}-service", "Service", *row, critical=one.critical)
    yield UnitRow("ingress", "Ingress", "ingress", INGRESS_ORDER, "infra", "nginx", 443, critical=False)


@dataclass(frozen=True)
class Addon:
    """A unit beside the 17, never counted among them. ``environments`` is where it is cloned to.

    One with ``is_wanted`` False is cloned only when it is asked for by name; one with ``is_inside`` False lives
    outside the environment's namespace. ``clients`` are the services that link to it, and ``variables`` what they
    are told by that link: its Service says which is the host and which the port.
    """

    slug: str
    about: str
    environments: tuple[Environment, ...] = ENVIRONMENTS
    is_inside: bool = True
    is_wanted: bool = True
    clients: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    def labels(self, *, project: str, environment: str) -> dict[str, str]:
        """Return the labels of the addon; it has no order, so the filter ``ordered`` leaves it out."""
        return {"project": project, "environment": environment, "type": "addon"}

    def upstream(self, environment: Environment) -> str:
        """Return the stage that the addon is cloned from: the one before, or the base when it need not be there."""
        before = STAGES[STAGES.index(environment) - 1]
        return before if self.is_wanted and before in self.environments else "base"


DATABASE = "postgresql"
DATABASE_CLIENTS = ("account-service", "position-service", "trade-service", "trade-processor")
"""The services that are told of the environment's database by its secret."""

ADDONS: tuple[Addon, ...] = (
    Addon("service-accounts", "one service account for each service"),
    Addon("trade-service-config", "the ConfigMap that trade-service mounts"),
    Addon("network-policies", "zero trust: deny all, then what the trade flow needs"),
    Addon("access-developer", "what developers may do in dev", ("dev",)),
    Addon("access-sre", "what SREs may do in staging", ("staging",)),
    Addon("access-viewer", "what viewers may do in prod", ("prod",)),
    Addon("access-tiers", "the most that each tier's services may ask of the cluster"),
    Addon("disruption-budgets", "one replica of a service at a time may be taken away"),
    Addon("monitors", "what the Prometheus operator scrapes"),
    Addon("mesh", "mutual TLS, retries, timeouts and outlier detection, where Istio runs"),
    Addon("priority-classes", "the priority of critical services", ("prod",), is_inside=False),
    Addon("certificate-issuer", "who signs the certificate of the ingress", ("prod",), is_inside=False),
    Addon("backup-schedule", "Velero's nightly backup of prod", ("prod",), is_inside=False),
    Addon(
        DATABASE,
        "a database in the cluster",
        is_wanted=False,
        clients=DATABASE_CLIENTS,
        # as the PostgreSQL client library reads them; name and password are in the secret
        variables=("PGHOST", "PGPORT"),
    ),
    Addon(
        "cache",
        "a cache in the cluster",
        is_wanted=False,
        clients=("trade-service",),
        variables=("CACHE_HOST", "CACHE_PORT"),
    ),
    Addon("ingress-load-balancer", "the ingress controller's door on 443", ("prod",), is_inside=False, is_wanted=False),
)
"""Kinds that a cluster, or the laptop, does not have are reported when they are applied."""


def addons(stage: str, wanted: Collection[str] = ()) -> tuple[Addon, ...]:
    """Return the addons of the base or of one environment, in the order of the table.

    ``wanted`` names those that are there only when asked for.
    """
    return tuple(
        one
        for one in ADDONS
        if stage == "base" or (stage in one.environments and (one.is_wanted or one.slug in wanted))
    )


def deployment_links() -> tuple[tuple[str, str], ...]:
    """Return who needs whom as pairs of unit slugs, the one that needs first."""
    pairs = [(f"{one.name}-deployment", f"{need}-deployment") for one in SERVICES for need in one.needs]
    return (*pairs, *(("ingress", f"{need}-deployment") for need in INGRESS_NEEDS))


def links(stage: str, wanted: Collection[str] = ()) -> tuple[tuple[str, str], ...]:
    """Return every link of one stage: dependencies, then each unit that lives in the namespace to it."""
    inside = [row.slug for row in units() if row.slug != "namespace"]
    inside += [one.slug for one in addons(stage, wanted) if one.is_inside]
    return (
        *deployment_links(),
        *((client, one.slug) for one in serving(stage, wanted) for client in client_units(one)),
        *((slug, "namespace") for slug in inside),
    )


def serving(stage: str, wanted: Collection[str]) -> tuple[Addon, ...]:
    """Return the addons of one environment that services link to.

    None in the base: clones would bring links to a database that they do not have.
    """
    return tuple(one for one in addons(stage, wanted) if one.clients) if stage != "base" else ()


def client_units(addon: Addon) -> tuple[str, ...]:
    """Return the units that link to the addon."""
    return tuple(f"{name}-deployment" for name in addon.clients)


def dependents(name: str) -> tuple[str, ...]:
    """Return the services, and the ingress, that need the named one, in deployment order."""
    direct = [one.name for one in SERVICES if name in one.needs]
    return (*direct, "ingress") if name in INGRESS_NEEDS else tuple(direct)


@dataclass(frozen=True)
class SpaceRow:
    """One of the five spaces, by its suffix, with its labels besides ``project``."""

    suffix: str
    purpose: str
    extra: tuple[tuple[str, str], ...]

    def slug(self, project: str) -> str:
        """Return the space's name, as in ``fluffy-bunny-traderx-dev``."""
        return f"{project}-{self.suffix}"

    def labels(self, project: str) -> dict[str, str]:
        """Return every label of the space."""
        return {"project": project, **dict(self.extra)}


SPACES: tuple[SpaceRow, ...] = (
    SpaceRow("base", "the master definitions", (("environment", "base"),)),
    SpaceRow("filters", "filters and sets", (("type", "filters"),)),
    SpaceRow("dev", "development", (("environment", "dev"), ("env", "dev"), ("targetable", "true"))),
    SpaceRow("staging", "staging", (("environment", "staging"), ("env", "staging"), ("targetable", "true"))),
    SpaceRow(
        "prod",
        "production",
        (("environment", "prod"), ("env", "prod"), ("targetable", "true"), ("critical", "true")),
    ),
)


@dataclass(frozen=True)
class FilterRow:
    """A filter over units; ``where`` may hold ``{project}``."""

    slug: str
    where: str
    use: str


def service_in(*names: str) -> str:
    """Return the where-term that selects the units of the named services."""
    return "Labels.service IN ({})".format(", ".join(f"'{name}'" for name in names))


FILTERS: tuple[FilterRow, ...] = (
    FilterRow("all", "Space.Labels.project = '{project}'", "every unit of every environment"),
    FilterRow("frontend", "Labels.layer = 'frontend'", "the user interface"),
    FilterRow("backend", "Labels.layer = 'backend'", "the backend services"),
    FilterRow("data", "Labels.layer = 'data'", "the data layer"),
    FilterRow(
        "core-services",
        service_in("reference-data", "people-service", "account-service"),
        "what everything else stands on",
    ),
    FilterRow(
        "trading-services", service_in("trade-service", "trade-processor", "trade-feed"), "what a trade goes through"
    ),
    FilterRow("ordered", "Labels.order IS NOT NULL", "units with a place in the deployment order"),
)


@dataclass(frozen=True)
class SetRow:
    """A set of units: dynamic by ``services``, with labels for those who watch it."""

    slug: str
    services: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    purpose: str

    def where(self, project: str) -> str:
        """Return the membership: the units of these services in every space of the project."""
        return f"Space.Labels.project = '{project}' AND {service_in(*self.services)}"


SETS: tuple[SetRow, ...] = (
    SetRow(
        "critical-services",
        ("reference-data", "trade-service", "position-service"),
        (("tier", "critical"), ("monitor", "true"), ("alert", "pagerduty")),
        f"services that must not fail (SLA {CRITICAL_SLA} %)",
    ),
    SetRow(
        "data-services",
        ("reference-data", "people-service", "account-service"),
        (("tier", "data"), ("layer", "data"), ("backup", "required")),
        "the data layer",
    ),
)


def namespace(environment: str) -> str:
    """Return the Kubernetes namespace of an environment."""
    return f"traderx-{environment}"


def worker(project: str, environment: str) -> str:
    """Return the name of an environment's worker."""
    return f"{project}-worker-{environment}"


AUTO_APPLY: dict[Environment, bool] = {"dev": True, "staging": True, "prod": False}
"""Whether a change of a live unit is applied without being asked; in prod a person asks."""

POLL_INTERVAL = "10s"
