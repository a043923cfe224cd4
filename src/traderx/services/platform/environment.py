"""What a service is told by its environment variables.

Ports are the seed's unless PORT, or the variable the FINOS programs read, says otherwise.
Kubernetes puts ``TRADE_FEED_PORT=tcp://10.0.0.7:18088`` into every pod beside a Service of that
name; such a value is an address of somebody else and never our port.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from traderx.services.errors import Misconfigured
from traderx.services.platform.faults import Faults
from traderx.services.platform.variables import number

DEFAULT_PORTS: Mapping[str, int] = {
    "reference-data": 18085,
    "people-service": 18089,
    "account-service": 18091,
    "position-service": 18090,
    "trade-service": 18092,
    # Nobody calls the processor: this port is for probes and metrics, and free in both vocabularies.
    "trade-processor": 18087,
    "trade-feed": 18088,
    "web-gui": 18080,
}
"""The seed's port of each service."""

FINOS_PORT_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "reference-data": ("REFERENCE_DATA_SERVICE_PORT",),
    "people-service": ("PEOPLE_SERVICE_PORT",),
    "account-service": ("ACCOUNT_SERVICE_PORT",),
    "position-service": ("POSITION_SERVICE_PORT",),
    "trade-service": ("TRADING_SERVICE_PORT",),
    "trade-processor": ("TRADE_PROCESSOR_SERVICE_PORT",),
    "trade-feed": ("TRADE_FEED_PORT",),
    "web-gui": ("WEB_SERVICE_PORT", "WEB_SERVICE_ANGULAR_PORT"),
}
"""The port variables that the FINOS programs read, first one wins."""

URL_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "reference-data": ("REFERENCE_DATA_URL", "REFERENCE_DATA_SERVICE_URL"),
    "people-service": ("PEOPLE_SERVICE_URL",),
    "account-service": ("ACCOUNT_SERVICE_URL",),
    "position-service": ("POSITION_SERVICE_URL",),
    "trade-service": ("TRADE_SERVICE_URL",),
    "trade-processor": ("TRADE_PROCESSOR_URL",),
    "trade-feed": ("TRADE_FEED_URL", "TRADE_FEED_ADDRESS"),
}
"""The variables that say where another service is, first one wins."""


@dataclass(frozen=True)
class Environment:
    """One service's settings.

    ``urls`` has every other service, without a trailing slash; ``named_urls`` only those that a
    variable named. ``variables`` is the whole environment, for what only one service reads.
    """

    service: str
    host: str
    port: int
    version: str
    database_url: str
    urls: Mapping[str, str]
    named_urls: Mapping[str, str]
    faults: Faults
    drain_s: float
    variables: Mapping[str, str] = field(repr=False)


def read_environment(service: str, variables: Mapping[str, str]) -> Environment:
    """Return the settings of one service.

    Raises: Misconfigured, naming the variable, for a value that cannot be read.
    """
    named_urls = {
        name: value.rstrip("/")
        for name, candidates in URL_VARIABLES.items()
        if (value := next((variables[c] for c in candidates if variables.get(c)), ""))
    }
    urls = {name: f"http://127.0.0.1:{port}" for name, port in DEFAULT_PORTS.items()} | named_urls
    return Environment(
        service=service,
        host=variables.get("HOST") or "127.0.0.1",
        port=_port(service, variables),
        version=variables.get("APP_VERSION") or "dev",
        database_url=variables.get("DATABASE_URL", ""),
        urls=urls,
        named_urls=named_urls,
        faults=Faults.from_variables(variables),
        drain_s=number(variables, "DRAIN_S"),
        variables=dict(variables),
    )


def _port(service: str, variables: Mapping[str, str]) -> int:
    for name in ("PORT", *FINOS_PORT_VARIABLES[service]):
        text = variables.get(name, "").strip()
        if not text or "://" in text:
            continue
        if not text.isascii() or not text.isdigit() or int(text) > 65535:
            raise Misconfigured(f"{name} must be a port number from 0 to 65535: {text}")
        return int(text)
    return DEFAULT_PORTS[service]
