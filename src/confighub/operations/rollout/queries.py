"""What to ask Prometheus of the two versions: queries as data, each of which finds counters that only rise.

In a query ``$name`` (the service's), ``$service`` and ``$deployment`` (the side's own), ``$namespace``,
``$environment``, ``$version`` (the image's tag) and ``$limit`` (seconds; ``$limit_ms``) stand for what is known.
``or 0 *`` gives a side that has requests and no errors its zero, while a side without any series has no answer at all:
the query tells what is missing from what is zero, an empty answer never does.
Source: ingress-nginx's exporter (label ``canary`` since its 1.0.5), Istio's standard metrics, kube-state-metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Template

import msgspec

from confighub.errors import BadRequest

VARIABLES = frozenset({"name", "service", "deployment", "namespace", "environment", "version", "limit", "limit_ms"})


class Side(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The queries of one version: all requests, those answered with an error, those within the limit of latency."""

    requests: str
    errors: str
    quick: str


class Queries(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The queries of a rollout. ``restarts`` counts how often the new version's programs ended; it may be empty."""

    old: Side
    new: Side
    restarts: str = ""


def _side(requests: str, buckets: str, chosen: str, *, error: str, bound: str) -> Side:
    own = f"{requests}{{{chosen}}}"
    return Side(
        requests=own,
        errors=f"{requests}{{{chosen},{error}}} or 0 * {own}",
        quick=f"{buckets}{{{chosen},{bound}}}",
    )


def _same(requests: str, buckets: str, chosen: str, *, error: str, bound: str, restarts: str) -> Queries:
    side = _side(requests, buckets, chosen, error=error, bound=bound)
    return Queries(old=side, new=side, restarts=restarts)


_SECONDS = r'le=~"$limit(\\.0)?"'
# the hash of the ReplicaSet and the pod's own: else shop-green's pods would be counted as shop's too
_POD_RESTARTS = (
    'kube_pod_container_status_restarts_total{namespace="$namespace",pod=~"$deployment-[a-z0-9]+-[a-z0-9]{5}"}'
)
_NGINX = ("nginx_ingress_controller_requests", "nginx_ingress_controller_request_duration_seconds_bucket")

KNOWN: dict[str, Queries] = {
    "laptop": _same(
        "confighub_ingress_requests_total",
        "confighub_ingress_request_duration_seconds_bucket",
        'environment="$environment",service="$service"',
        error='status=~"5.."',
        bound=_SECONDS,
        restarts='confighub_replica_restarts{environment="$environment",deployment="$deployment"}',
    ),
    "nginx": Queries(
        old=_side(
            *_NGINX, 'namespace="$namespace",service="$service",canary=~"-?"', error='status=~"5.."', bound=_SECONDS
        ),
        new=_side(
            *_NGINX, 'namespace="$namespace",canary=~"$namespace-$service-.+"', error='status=~"5.."', bound=_SECONDS
        ),
        restarts=_POD_RESTARTS,
    ),
    "istio": _same(
        "istio_requests_total",
        "istio_request_duration_milliseconds_bucket",
        'reporter="destination",destination_workload_namespace="$namespace",destination_workload="$deployment"',
        error='response_code=~"5.."',
        bound=r'le=~"$limit_ms(\\.0)?"',
        restarts=_POD_RESTARTS,
    ),
    "services": _same(
        "http_requests_total",
        "http_request_duration_seconds_bucket",
        'service="$name",version="$version",route!~"/health.*|/metrics|/info"',
        error='status=~"5.."',
        bound=_SECONDS,
        restarts="",
    ),
}
"""Queries by name: the laptop's ingress, ingress-nginx, Istio, and the services' own metrics, told by their version."""


def read_queries(raw: object, *, where: str) -> Queries:
    """Return the queries that a schedule names, or holds. Raises: BadRequest, naming ``where``."""
    if isinstance(raw, str):
        if raw not in KNOWN:
            raise BadRequest(f"{where}: there are no queries called {raw}", hint=f"one of: {', '.join(KNOWN)}")
        return KNOWN[raw]
    try:
        queries = msgspec.convert(raw, Queries)
    except msgspec.ValidationError as error:
        raise BadRequest(
            f"{where} holds no queries: {error}",
            hint=f"one of: {', '.join(KNOWN)}; or old and new with requests, errors and quick, and restarts",
        ) from error
    for query in _all(queries):
        unknown = {name for name in Template(query).get_identifiers() if name not in VARIABLES}
        if unknown or not Template(query).is_valid():
            raise BadRequest(
                f"{where}: a query names what is not known: {', '.join(sorted(unknown)) or query}",
                hint=f"known are {', '.join(f'${name}' for name in sorted(VARIABLES))}; a dollar sign itself is $$",
            )
    return queries


def filled(query: str, values: Mapping[str, str]) -> str:
    """Return the query with what is known of a side in place of its variables."""
    quoted = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in values.items()}
    return Template(query).substitute(quoted)


def _all(queries: Queries) -> list[str]:
    sides = (queries.old, queries.new)
    return [query for side in sides for query in (side.requests, side.errors, side.quick)] + [queries.restarts]
