"""Which objects of a cluster an import brings in: what people made, and never a Secret.

Three options of the request widen where it looks; its terms narrow what is taken, there too.
Source: the public worker's options of the same names, all off unless asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

from confighub.errors import ConfigHubError
from confighub.records.work import ImportRequest
from confighub.worker.apply_order import in_apply_order
from confighub.worker.documents import Manifest
from confighub.worker.importing import included, is_asked_for, without
from confighub.worker.kubernetes.api import Resource
from confighub.worker.kubernetes.cluster import Cluster
from confighub.worker.kubernetes.inventory import unmarked

_SYSTEM = frozenset({"kube-system", "kube-public", "kube-node-lease"})
_DEFINITION = "CustomResourceDefinition"
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
MADE_BY_CLUSTERS = {
    ("ConfigMap", "kube-root-ca.crt"),
    ("ServiceAccount", "default"),
    ("Service", "kubernetes"),
    ("Namespace", "default"),
}
# What the server chooses when a Service comes into being; another cluster would refuse it.
_CHOSEN = {"Service": ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy")}
_OWN_ANNOTATIONS = ("deployment.kubernetes.io/revision", "kubectl.kubernetes.io/last-applied-configuration")


@dataclass(frozen=True)
class Width:
    """Where an import looks beside the namespaces of people.

    ``system`` adds the cluster's own namespaces, ``custom`` the definitions of custom kinds, and ``cluster`` what
    belongs to no namespace; an object that the request lists by name needs neither of the last two.
    """

    system: bool = False
    custom: bool = False
    cluster: bool = False

    @classmethod
    def of(cls, request: ImportRequest) -> Width:
        """Return how wide the request looks; what is not ``true`` is false, as at the public worker."""
        options = request.options or {}
        is_listed = bool(request.resource_info_list)
        return cls(
            system=options.get("include_system") is True,
            custom=is_listed or options.get("include_custom") is True,
            cluster=is_listed or options.get("include_cluster") is True,
        )

    @property
    def hint(self) -> str:
        """The terms that would let the import see more, empty when there are none."""
        off = [name for name in ("system", "custom", "cluster") if not getattr(self, name)]
        return ", ".join(f"import.include_{name} = true" for name in off)


async def importable(cluster: Cluster, request: ImportRequest) -> list[Manifest]:
    """Return the objects that the request asks for, in apply order, as a unit would hold them."""
    width, kinds, namespaces = Width.of(request), _kinds(request), included(request, "metadata.namespace")
    if namespaces is not None and width.system:
        namespaces |= _SYSTEM
    # the lists below are of these namespaces alone, and a definition is in none
    narrowed = without(request, "metadata.namespace")
    found: list[Manifest] = []
    for resource in await cluster.api.all_resources():
        type_ = f"{resource.group_version}/{resource.kind}"
        if "list" not in resource.verbs or resource.kind in _LEFT_OUT or (kinds is not None and type_ not in kinds):
            continue
        if not resource.is_namespaced:
            is_definition = resource.kind == _DEFINITION
            if not (width.custom if is_definition else width.cluster and namespaces is None):
                continue
        within = namespaces if resource.is_namespaced else None
        found += [item for item in await _all(cluster, resource, within) if _is_somebodys(item, width)]
    return in_apply_order([_as_in_a_unit(item) for item in found if is_asked_for(item, narrowed)])


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


def _is_somebodys(item: Manifest, width: Width) -> bool:
    metadata = item["metadata"]
    name, namespace = str(metadata["name"]), metadata.get("namespace") or ""
    if item.get("kind") == "Namespace":
        namespace = name
    if metadata.get("ownerReferences") or (namespace in _SYSTEM and not width.system):
        return False
    return (item.get("kind"), name) not in MADE_BY_CLUSTERS and not name.startswith("system:")


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
