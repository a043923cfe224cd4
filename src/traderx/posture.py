"""What protects an environment, as far as it can be seen: nothing is claimed without evidence.

Most of it are settings of what stands around TraderX: the ingress controller, the API server, the provider's network.
Met, missing or unknown is said of each, with where that was read.
Source: the seed, 4.2 and 7.1; requirements C-15, C-27, C-55.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["met", "missing", "unknown"]
Object = Mapping[str, Any]

NGINX = "nginx.ingress.kubernetes.io/"
IGNORED = "laptop.confighub/ignored"
EXTERNAL_DNS = "external-dns.alpha.kubernetes.io/"
SHIELD = "alb.ingress.kubernetes.io/shield-advanced-protection"
ENCRYPTION_FLAG = "--encryption-provider-config"
SIDECAR = "istio-proxy"
WANTED_TLS = "TLS 1.3"


@dataclass(frozen=True)
class Finding:
    """One control: how it is, and how that is known."""

    control: str
    state: State
    evidence: str


@dataclass(frozen=True)
class Facts:
    """What was read about an environment.

    ``cluster`` is the context's name, empty on this machine. None means that something could not be read; ``doors``
    are the TLS versions accepted at the ingress, by address, lowest first. ``pods`` are their containers by name, and
    ``tracing`` the mesh's objects that ask for traces. ``disk`` is the state of this machine's disk with what it was
    read from.
    """

    cluster: str = ""
    ingresses: Sequence[Object] = ()
    doors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    controllers: Mapping[str, str] | None = None
    controller_settings: Mapping[str, Mapping[str, str]] | None = None
    api_server_flags: Mapping[str, Sequence[str]] | None = None
    volumes: Mapping[str, Object] | None = None
    peer_modes: Mapping[str, str] | None = None
    pods: Mapping[str, Sequence[str]] | None = None
    tracing: Sequence[str] | None = None
    disk: tuple[State, str] = ("unknown", "the device of the data folder cannot be told")


def findings(facts: Facts) -> list[Finding]:
    """Return one finding a control, always the same controls in the same order."""
    return [
        _tls(facts),
        _rate_limit(facts),
        _firewall(facts),
        _flood_protection(facts),
        _secrets_at_rest(facts),
        _data_at_rest(facts),
        _geo_dns(facts),
        _mutual_tls(facts),
        _sidecars(facts),
        _tracing(facts),
    ]


def table(found: Sequence[Finding]) -> list[str]:
    """Return the lines that show the findings, aligned."""
    width = max(len(one.control) for one in found)
    return [f"  {one.control:<{width}}  {one.state:<7}  {one.evidence}" for one in found]


def _tls(facts: Facts) -> Finding:
    control = "TLS minimum version"
    for address, versions in facts.doors.items():
        if not versions:
            return Finding(control, "unknown", f"no TLS handshake with {address}")
        if versions[0] != WANTED_TLS:
            return Finding(control, "missing", f"{address} accepts {versions[0]}, wanted is {WANTED_TLS} at least")
    if not facts.doors:
        return Finding(control, "unknown", "the ingress has no address to ask")
    return Finding(control, "met", f"{', '.join(facts.doors)} accept {WANTED_TLS} only")


def _rate_limit(facts: Facts) -> Finding:
    control = "rate limit"
    if not facts.ingresses:
        return Finding(control, "unknown", "no ingress is live")
    for one in facts.ingresses:
        notes, name = _annotations(one), _name(one)
        limit = notes.get(f"{NGINX}limit-rps") or notes.get(f"{NGINX}limit-rpm")
        if not limit:
            return Finding(control, "missing", f"{name} sets no limit that a controller acts on")
        if "limit-rps" in notes.get(IGNORED, "") or not _addresses(one):
            return Finding(control, "unknown", f"{name} asks for {limit}, and no controller serves it")
        controller = _controller(facts, one)
        if facts.cluster and "nginx" not in controller:
            return Finding(
                control, "unknown", f"{name} is served by {controller or 'an unknown controller'}, not nginx"
            )
    return Finding(control, "met", f"limit in force on {', '.join(_name(one) for one in facts.ingresses)}")


def _firewall(facts: Facts) -> Finding:
    control = "web application firewall"
    if not facts.cluster:
        return Finding(control, "missing", "the ingress of this machine has none")
    if facts.controller_settings is None:
        return Finding(control, "unknown", "the settings of the ingress controller cannot be read")
    for name, settings in facts.controller_settings.items():
        if settings.get("enable-modsecurity") == "true":
            return Finding(control, "met", f"ConfigMap {name} has enable-modsecurity")
    marked = [one for one in facts.ingresses if _annotations(one).get(f"{NGINX}enable-modsecurity") == "true"]
    served = [one for one in marked if _addresses(one) and "nginx" in _controller(facts, one)]
    if served and len(served) == len(facts.ingresses):
        return Finding(control, "met", f"enable-modsecurity on {', '.join(_name(one) for one in served)}")
    why = "neither the ingress nor its controller turns one on; one in front of the cluster would not be seen"
    return Finding(control, "missing", why)


def _flood_protection(facts: Facts) -> Finding:
    control = "DDoS protection"
    if not facts.cluster:
        return Finding(control, "missing", "nothing stands in front of this machine's loopback address")
    shielded = [one for one in facts.ingresses if _annotations(one).get(SHIELD) == "true" and _addresses(one)]
    if shielded and all("alb" in _controller(facts, one) for one in shielded):
        return Finding(control, "met", f"{SHIELD} on {', '.join(_name(one) for one in shielded)}")
    return Finding(control, "unknown", "it is the network provider's, outside the cluster")


def _secrets_at_rest(facts: Facts) -> Finding:
    control = "encryption at rest: secrets"
    if not facts.cluster:
        return Finding(control, *facts.disk)
    if not facts.api_server_flags:
        return Finding(control, "unknown", "the API server's settings cannot be read from inside the cluster")
    bare = [name for name, flags in facts.api_server_flags.items() if not _has_flag(flags, ENCRYPTION_FLAG)]
    if bare:
        return Finding(control, "missing", f"{', '.join(bare)} run without {ENCRYPTION_FLAG}")
    return Finding(control, "met", f"{', '.join(facts.api_server_flags)} run with {ENCRYPTION_FLAG}")


def _data_at_rest(facts: Facts) -> Finding:
    control = "encryption at rest: data"
    if not facts.cluster:
        return Finding(control, *facts.disk)
    if not facts.volumes:
        return Finding(control, "unknown", "no volume of the environment can be read; its database is elsewhere")
    bare = [name for name, made in facts.volumes.items() if _parameters(made).get("encrypted") != "true"]
    if bare:
        return Finding(control, "unknown", f"the storage class of {', '.join(bare)} does not say that it encrypts")
    return Finding(control, "met", f"the storage class of {', '.join(facts.volumes)} encrypts")


def _geo_dns(facts: Facts) -> Finding:
    control = "geo-DNS"
    asked = [
        _name(one)
        for one in facts.ingresses
        if any(key.startswith(EXTERNAL_DNS) and "geo" in key for key in _annotations(one))
    ]
    if asked:
        return Finding(control, "unknown", f"{', '.join(asked)} ask for it; how DNS answers elsewhere is not seen here")
    return Finding(control, "missing", "no ingress asks for it: one host, the same address for everybody")


def _mutual_tls(facts: Facts) -> Finding:
    control = "mutual TLS between services"
    if why := _no_mesh(facts):
        return Finding(control, "missing", why)
    if "STRICT" not in (facts.peer_modes or {}).values():
        return Finding(control, "missing", "not enforced: no PeerAuthentication with mode STRICT")
    if bare := _without_sidecar(facts):
        return Finding(control, "missing", bare)
    return Finding(control, "met", f"STRICT, and all {len(facts.pods or ())} pods have a sidecar")


def _sidecars(facts: Facts) -> Finding:
    control = "mesh sidecars"
    if why := _no_mesh(facts) or _without_sidecar(facts):
        return Finding(control, "missing", why)
    return Finding(control, "met", f"all {len(facts.pods or ())} pods have {SIDECAR}")


def _tracing(facts: Facts) -> Finding:
    control = "mesh tracing"
    if why := _no_mesh(facts) or _without_sidecar(facts):
        return Finding(control, "missing", why)
    if not facts.tracing:
        return Finding(control, "missing", "not enforced: no Telemetry asks for traces")
    asked = ", ".join(facts.tracing)
    return Finding(control, "unknown", f"Telemetry {asked} asks for it; whether a collector takes traces is not seen")


def _no_mesh(facts: Facts) -> str:
    """Return why nothing of a mesh can be in force; empty where one may be."""
    if not facts.cluster:
        return "not enforced: no mesh runs on this machine"
    if facts.peer_modes is None or facts.pods is None:
        return f"not enforced: {facts.cluster} has no mesh, or does not show it"
    return ""


def _without_sidecar(facts: Facts) -> str:
    """Return how many pods are outside the mesh; empty when none is."""
    pods = facts.pods or {}
    bare = [name for name, containers in pods.items() if SIDECAR not in containers]
    return f"not enforced: {len(bare)} of {len(pods)} pods have no sidecar" if bare or not pods else ""


def _name(one: Object) -> str:
    return str(one["metadata"]["name"])


def _annotations(one: Object) -> Mapping[str, str]:
    found: Mapping[str, str] = one["metadata"].get("annotations") or {}
    return found


def _addresses(one: Object) -> Sequence[Object]:
    found: Sequence[Object] = ((one.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return found


def _controller(facts: Facts, one: Object) -> str:
    named = str((one.get("spec") or {}).get("ingressClassName") or "")
    return (facts.controllers or {}).get(named, "")


def _has_flag(flags: Sequence[str], name: str) -> bool:
    return any(flag == name or flag.startswith(f"{name}=") for flag in flags)


def _parameters(made: Object) -> Mapping[str, str]:
    found: Mapping[str, str] = made.get("parameters") or {}
    return found
