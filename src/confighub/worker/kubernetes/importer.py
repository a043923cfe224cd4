"""Which objects of a cluster an import brings in: what people made, and never a Secret."""

from __future__ import annotations

from confighub.errors import ConfigHubError
from confighub.records.work import ImportRequest
from confighub.worker.apply_order import in_apply_order
from confighub.worker.documents import Manifest
from confighub.worker.importing import included, is_asked_for
from confighub.worker.kubernetes.api import Resource
from confighub.worker.kubernetes.cluster import Cluster
from confighub.worker.kubernetes.inventory import unmarked

_SYSTEM = frozenset({"kube-system", "kube-public", "kube-node-lease"})
# Kinds that clusters keep for themselves, or that hold what no unit may hold.
_LEFT_OUT = frozenset(
    {
        "APIService",
        "CertificateSigningRequest",
        "ComponentStatus",
        "ControllerRevision",
        "CSINode",
        "Endpoints",
        "EndpointSlice",
        "Event",
        "FlowSchema",
        "IPAddress",
        "Lease",
        "LeaseCandidate",
        "Node",
        "PriorityLevelConfiguration",
        "RuntimeClass",
        "Secret",
        "ServiceCIDR",
        "VolumeAttachment",
    }
)
_MADE_BY_CLUSTERS = {
    ("ConfigMap", "kube-root-ca.crt"),
    ("ServiceAccount", "default"),
    ("Service", "kubernetes"),
    ("Namespace", "default"),
}
# What the server chooses when a Service comes into being; another cluster would refuse it.
_CHOSEN = {"Service": ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")}
_OWN_ANNOTATIONS = ("deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration")


async def importable(cluster: Cluster, request: ImportRequest) -> list[Manifest]:
    """Return the objects that the request asks for, in apply order, as a unit would hold them."""
    kinds, namespaces = _kinds(request), included(request, "metadata.namespace")
    found: list[Manifest] = []
    for resource in await cluster.api.all_resources():
        type_ = f"{resource.group_version}/{resource.kind}"
        if "list" not in resource.verbs or resource.kind in _LEFT_OUT or (kinds is not None and type_ not in kinds):
            continue
        if namespaces is not None and not resource.is_namespaced:
            continue
        found += [item for item in await _all(cluster, resource, namespaces) if _is_somebodys(item)]
    return in_apply_order([_as_in_a_unit(item) for item in found if is_asked_for(item, request)])


def _kinds(request: ImportRequest) -> set[str] | None:
    listed = {one.resource_type for one in request.resource_info_list or []}
    if listed and "" not in listed:
        return listed
    return included(request, "resource_type")


async def _all(cluster: Cluster, resource: Resource, namespaces: set[str] | None) -> list[Manifest]:
    found: list[Manifest] = []
    for namespace in sorted(namespaces) if namespaces is not None else [""]:
        try:
            found += (await cluster.api.listed(resource, namespace))[0]
        except ConfigHubError:
            continue  # a kind that the account may not read is not the account's to bring in
    return found


def _is_somebodys(item: Manifest) -> bool:
    metadata = item["metadata"]
    name, namespace = str(metadata["name"]), metadata.get("namespace") or ""
    if metadata.get("ownerReferences") or namespace in _SYSTEM:
        return False
    if item.get("kind") == "Namespace" and name in _SYSTEM:
        return False
    return (item.get("kind"), name) not in _MADE_BY_CLUSTERS and not name.startswith("system:")


def _as_in_a_unit(item: Manifest) -> Manifest:
    item = unmarked(item)
    annotations = {
        key: value for key, value in (item["metadata"].get("annotations") or {}).items() if key not in _OWN_ANNOTATIONS
    }
    metadata = {key: value for key, value in item["metadata"].items() if key != "annotations"}
    item = {**item, "metadata": metadata | ({"annotations": annotations} if annotations else {})}
    chosen = _CHOSEN.get(str(item.get("kind")))
    if chosen and item["spec"].get("clusterIP") != "None":
        item = {**item, "spec": {key: value for key, value in item["spec"].items() if key not in chosen}}
    return item
