"""Which Service gets a request: the rules of all Ingress documents of an environment in one table.

Exact paths come before prefixes, longer before shorter. A request for a host that some rule names is
matched with that host's rules and with those without a host; any other host (the laptop's own address)
with all of them. Annotations are nginx's; those that do nothing here are listed by ``not_honoured``.
Source: networking.k8s.io/v1 Ingress, and ingress-nginx's documentation of its annotations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import re2

from confighub.errors import BadRequest
from confighub.runtime import manifests

READ_TIMEOUT_S = 60.0  # nginx's own default between two reads of a response
_NGINX = "nginx.ingress.kubernetes.io/"
_HONOURED = frozenset(
    _NGINX + name
    for name in (
        "rewrite-target",
        "use-regex",
        "canary",
        "canary-weight",
        "canary-weight-total",
        "canary-by-header",
        "canary-by-header-value",
        "proxy-read-timeout",
        "limit-rps",
        "limit-rpm",
        "limit-burst-multiplier",
        "limit-connections",
        "rate-limit",
        "ssl-redirect",
        "force-ssl-redirect",
    )
)
# Bookkeeping of tools, not an instruction to the controller.
_NOT_INSTRUCTIONS = ("kubectl.kubernetes.io/", "meta.helm.sh/", "laptop.confighub/", "confighub.com/")


@dataclass(frozen=True)
class Limit:
    """How much one client may ask of one Ingress; 0 means no limit.

    ``rate_per_s`` may be exceeded in bursts of up to ``burst`` requests.
    """

    rate_per_s: float = 0.0
    burst: int = 0
    connections: int = 0


@dataclass(frozen=True)
class Destination:
    """A Service's port, by number or by name."""

    namespace: str
    service: str
    port: manifests.BackendPort

    @property
    def label(self) -> str:
        """The name that metrics use."""
        return self.service


@dataclass
class Canary:
    """Who goes to the canary instead: a share of ``total``, or those whose header says so."""

    destination: Destination
    weight: int
    total: int
    header: str = ""
    header_value: str = ""
    _owed: int = 0

    def takes(self, headers: Mapping[str, str]) -> bool:
        """True when this request is the canary's; shares are exact over any ``total`` requests in a row."""
        if self.header and (said := headers.get(self.header)) is not None:
            if self.header_value:
                if said == self.header_value:
                    return True
            elif said in ("always", "never"):
                return said == "always"
        self._owed += self.weight
        if self._owed >= self.total:
            self._owed -= self.total
            return True
        return False


@dataclass
class Route:
    """One path of one host, with what its Ingress says about it."""

    ingress: str
    host: str
    path: str
    is_exact: bool
    destination: Destination
    pattern: Any = None
    rewrite: str = ""
    limit: Limit = field(default_factory=Limit)
    redirects_to_https: bool = False
    read_timeout_s: float = READ_TIMEOUT_S
    canary: Canary | None = None

    def matches(self, path: str) -> bool:
        """True when the path is this route's."""
        if self.pattern is not None:
            return self.pattern.match(path) is not None
        if self.is_exact:
            return path == self.path
        prefix = self.path.rstrip("/")
        return path == prefix or path.startswith(prefix + "/")

    def rewritten(self, path: str) -> str:
        """Return the path that the Service sees; ``$1`` and so on are the pattern's groups."""
        if not self.rewrite:
            return path
        match = self.pattern.match(path) if self.pattern is not None else None
        if match is None:
            return self.rewrite
        return str(re2.sub(r"\$(\d)", lambda group: _group(match, int(group[1])), self.rewrite))

    def choose(self, headers: Mapping[str, str]) -> Destination:
        """Return who gets this request."""
        if self.canary and self.canary.takes(headers):
            return self.canary.destination
        return self.destination


class Table:
    """Every route of an environment, in the order in which they are tried."""

    def __init__(self, routes: list[Route], tls_hosts: list[str], default: Route | None) -> None:
        self.routes = sorted(routes, key=_precedence)
        self.tls_hosts = tls_hosts
        self._default = default
        self._hosts = {route.host for route in routes if route.host}

    def find(self, host: str, path: str) -> Route | None:
        """Return the route for a request; ``host`` comes without a port."""
        host = host.lower()
        named = next((known for known in self._hosts if _host_matches(known, host)), None)
        for route in self.routes:
            if (not named or not route.host or _host_matches(route.host, host)) and route.matches(path):
                return route
        return self._default


def compile_table(ingresses: Iterable[manifests.Ingress]) -> Table:
    """Return the table of all documents. Raises BadRequest for an annotation or a pattern that cannot be read."""
    documents = sorted(ingresses, key=lambda ingress: (ingress.metadata.namespace or "", ingress.metadata.name))
    plain = [document for document in documents if not _flag(document, "canary")]
    routes = [route for document in plain for route in _routes(document)]
    for document in documents:
        if _flag(document, "canary"):
            _add_canary(document, routes)
    hosts = {host for document in documents for tls in document.spec.tls or [] for host in tls.hosts or []}
    return Table(routes, sorted(hosts), _default(plain))


def check(ingress: manifests.Ingress) -> None:
    """Raise BadRequest when the document could not be part of a table."""
    compile_table([ingress])


def not_honoured(ingress: manifests.Ingress) -> list[str]:
    """Return the annotations that mean something to a cluster and nothing here."""
    return [
        f"metadata.annotations[{name}]"
        for name in ingress.metadata.annotations or {}
        if name not in _HONOURED and not name.startswith(_NOT_INSTRUCTIONS)
    ]


def _routes(document: manifests.Ingress) -> list[Route]:
    rewrite = _annotation(document, "rewrite-target")
    uses_patterns = _flag(document, "use-regex") or "$" in rewrite
    limit, wants_https = _limit(document), _flag(document, "ssl-redirect") or _flag(document, "force-ssl-redirect")
    routes = []
    for rule in document.spec.rules or []:
        for path in rule.http.paths if rule.http else []:
            destination = _destination(document, path.backend)
            if destination is None:
                continue
            routes.append(
                Route(
                    ingress=document.metadata.name,
                    host=(rule.host or "").lower(),
                    path=path.path,
                    is_exact=path.path_type == "Exact",
                    destination=destination,
                    pattern=_pattern(document, path.path) if uses_patterns and path.path_type != "Exact" else None,
                    rewrite=rewrite,
                    limit=limit,
                    redirects_to_https=wants_https,
                    read_timeout_s=_number(document, "proxy-read-timeout", READ_TIMEOUT_S),
                )
            )
    return routes


def _add_canary(document: manifests.Ingress, routes: list[Route]) -> None:
    """Attach a canary document to the routes with its hosts and paths; it makes no route of its own."""
    for canary in _routes(document):
        for route in routes:
            if (route.host, route.path) == (canary.host, canary.path):
                route.canary = Canary(
                    canary.destination,
                    weight=int(_number(document, "canary-weight", 0)),
                    total=int(_number(document, "canary-weight-total", 100)),
                    header=_annotation(document, "canary-by-header"),
                    header_value=_annotation(document, "canary-by-header-value"),
                )


def _default(documents: list[manifests.Ingress]) -> Route | None:
    for document in documents:
        backend = document.spec.default_backend
        if backend and (destination := _destination(document, backend)):
            return Route(document.metadata.name, "", "/", is_exact=False, destination=destination)
    return None


def _limit(document: manifests.Ingress) -> Limit:
    """Return the document's limit; the seed's ``rate-limit`` counts as requests a second when nothing else is set."""
    per_minute = _number(document, "limit-rpm", 0)
    per_second = _number(document, "limit-rps", 0) or (0 if per_minute else _number(document, "rate-limit", 0))
    burst = (per_second or per_minute) * _number(document, "limit-burst-multiplier", 5)
    return Limit(per_second or per_minute / 60, int(burst), int(_number(document, "limit-connections", 0)))


def _destination(document: manifests.Ingress, backend: manifests.Backend) -> Destination | None:
    if backend.service is None:
        return None
    namespace = document.metadata.namespace or manifests.DEFAULT_NAMESPACE
    return Destination(namespace, backend.service.name, backend.service.port)


def _pattern(document: manifests.Ingress, path: str) -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    try:
        return re2.compile(path, options)
    except re2.error as error:
        raise BadRequest(f"Ingress {document.metadata.name}: path {path} is not a pattern: {error}") from error


def _annotation(document: manifests.Ingress, name: str) -> str:
    return (document.metadata.annotations or {}).get(_NGINX + name, "")


def _flag(document: manifests.Ingress, name: str) -> bool:
    return _annotation(document, name) == "true"


def _number(document: manifests.Ingress, name: str, default: float) -> float:
    text = _annotation(document, name)
    if not text:
        return default
    try:
        return float(int(text))
    except ValueError:
        raise BadRequest(f"Ingress {document.metadata.name}: annotation {name} is not a number: {text!r}") from None


def _precedence(route: Route) -> tuple[bool, int, bool]:
    """Exact first, then the longest, then rules with a host."""
    return (not route.is_exact, -len(route.path), not route.host)


def _host_matches(pattern: str, host: str) -> bool:
    if pattern.startswith("*."):
        first, dot, rest = host.partition(".")
        return bool(first and dot) and rest == pattern[2:]
    return pattern == host


def _group(match: Any, number: int) -> str:
    try:
        return match.group(number) or ""
    except IndexError:
        return ""
