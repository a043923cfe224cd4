"""Reads what the posture report needs: live state from the hub, the cluster's own objects, and a handshake or two."""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from confighub.client.collection import quoted
from confighub.errors import ConfigHubError
from traderx import topology
from traderx.clusters import ClusterApi, clusters_of
from traderx.posture import Facts, Object, State
from traderx.site import Site

_Answer = TypeVar("_Answer")
_HANDSHAKE_S = 3.0
_MESH_NAMESPACE = "istio-system"
_VERSIONS = (("TLS 1.2", ssl.TLSVersion.TLSv1_2), ("TLS 1.3", ssl.TLSVersion.TLSv1_3))


def read_facts(site: Site, environment: str) -> Facts:
    """Return what can be seen of the environment; what may not be read is left open, never guessed.

    Raises: NotFound when there is no such environment.
    """
    ingresses = _live(site, environment, "ingress", "Ingress")
    doors = {f"{host}:{port}": accepted(host, port, name) for host, port, name in _doors(ingresses)}
    if not site.is_on_cluster(environment):
        return Facts(ingresses=ingresses, doors=doors, disk=disk(site.project.data))
    clusters = clusters_of(site.project, environment)
    if not clusters:
        # another machine set it up: only the hub's view is to be had
        return Facts(cluster="the cluster", ingresses=ingresses, doors=doors)
    api, place = ClusterApi(clusters[0]), topology.namespace(environment)
    return Facts(
        cluster=clusters[0].context,
        ingresses=ingresses,
        doors=doors,
        controllers=_allowed(lambda: _controllers(api)),
        controller_settings=_allowed(lambda: _settings(api)),
        api_server_flags=_allowed(lambda: _flags(api)),
        volumes=_allowed(lambda: _volumes(api, place)),
        peer_modes=_allowed(lambda: _peer_modes(api, place)),
        pods=_allowed(lambda: _pods(api, place)),
        tracing=_allowed(lambda: _tracing(api, place)),
    )


def accepted(host: str, port: int, server_name: str) -> list[str]:
    """Return the TLS versions that the address accepts, lowest first; empty when it does none or does not answer."""
    found = []
    for name, version in _VERSIONS:
        context = ssl.create_default_context()
        # whether the certificate is good is another question
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        try:
            with (
                socket.create_connection((host, port), timeout=_HANDSHAKE_S) as plain,
                context.wrap_socket(plain, server_hostname=server_name),
            ):
                found.append(name)
        except OSError:
            continue
    return found


def disk(folder: Path) -> tuple[State, str]:
    """Return whether the folder's device is encrypted, as far as the system shows."""
    device = folder.stat().st_dev
    block = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    if not block.exists():
        return "unknown", f"{folder} is on no device that this system shows"
    mapped = block / "dm" / "uuid"
    if mapped.exists() and mapped.read_text(encoding="utf-8").startswith("CRYPT-"):
        return "met", f"{folder} is on an encrypted device"
    return "missing", f"{folder} is on a device without dm-crypt"


def _live(site: Site, environment: str, slug: str, kind: str) -> list[Object]:
    space_id = site.space_id(environment)
    found = site.hub.units.list(where=f"Slug = {quoted(slug)}", space_id=space_id, include="", select="UnitID,Slug")
    if not found:
        return []
    state = site.hub.units.live_state(found[0]["Unit"]["UnitID"], space_id=space_id)
    objects = json.loads(state or b"[]")
    return [one for one in objects if isinstance(one, dict) and one.get("kind") == kind]


def _doors(ingresses: Sequence[Object]) -> list[tuple[str, int, str]]:
    """Return host, port and server name of each HTTPS address, without repetition."""
    found: list[tuple[str, int, str]] = []
    for one in ingresses:
        hosts = [host for tls in (one.get("spec") or {}).get("tls") or [] for host in tls.get("hosts") or []]
        for address in ((one.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []:
            ports = address.get("ports") or []
            # the laptop names its HTTP and HTTPS ports in this order; a load balancer has the usual one
            port = int(ports[1]["port"]) if len(ports) > 1 else 443
            door = (str(address.get("ip") or address.get("hostname")), port, hosts[0] if hosts else "localhost")
            if door not in found:
                found.append(door)
    return found


def _allowed(read: Callable[[], _Answer]) -> _Answer | None:
    """Return what was read; None when the cluster does not let us, which is no failure of the report."""
    try:
        return read()
    except ConfigHubError:
        return None


def _items(api: ClusterApi, path: str, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (api.get(path, **query) or {}).get("items") or []
    return found


def _controllers(api: ClusterApi) -> Mapping[str, str]:
    classes = _items(api, "/apis/networking.k8s.io/v1/ingressclasses")
    return {one["metadata"]["name"]: str(one["spec"].get("controller", "")) for one in classes}


def _settings(api: ClusterApi) -> Mapping[str, Mapping[str, str]]:
    found = _items(api, "/api/v1/namespaces/ingress-nginx/configmaps")
    return {one["metadata"]["name"]: one.get("data") or {} for one in found}


def _flags(api: ClusterApi) -> Mapping[str, Sequence[str]]:
    pods = _items(api, "/api/v1/namespaces/kube-system/pods", labelSelector="component=kube-apiserver")
    return {one["metadata"]["name"]: one["spec"]["containers"][0].get("command") or [] for one in pods}


def _volumes(api: ClusterApi, place: str) -> Mapping[str, Object]:
    classes = {one["metadata"]["name"]: one for one in _items(api, "/apis/storage.k8s.io/v1/storageclasses")}
    claims = _items(api, f"/api/v1/namespaces/{place}/persistentvolumeclaims")
    return {one["metadata"]["name"]: classes.get(str(one["spec"].get("storageClassName")), {}) for one in claims}


def _peer_modes(api: ClusterApi, place: str) -> Mapping[str, str] | None:
    found = api.get(f"/apis/security.istio.io/v1beta1/namespaces/{place}/peerauthentications")
    if found is None:
        return None
    return {
        one["metadata"]["name"]: str((one["spec"].get("mtls") or {}).get("mode", ""))
        for one in found.get("items") or []
    }


def _tracing(api: ClusterApi, place: str) -> Sequence[str]:
    """Return what asks the mesh for traces of the environment: its own objects, and those of all namespaces."""
    found = []
    for namespace in (place, _MESH_NAMESPACE):
        items = _items(api, f"/apis/telemetry.istio.io/v1/namespaces/{namespace}/telemetries")
        found += [f"{namespace}/{one['metadata']['name']}" for one in items if (one.get("spec") or {}).get("tracing")]
    return found


def _pods(api: ClusterApi, place: str) -> Mapping[str, Sequence[str]]:
    found = _items(api, f"/api/v1/namespaces/{place}/pods", labelSelector="app.kubernetes.io/part-of=traderx")
    return {
        one["metadata"]["name"]: [
            container["name"] for container in (*one["spec"]["containers"], *(one["spec"].get("initContainers") or []))
        ]
        for one in found
    }
