"""Where things live in each kind of resource: the paths that functions visit, by attribute.

The tables are compact: a pod's paths are written once, relative to the pod's ``spec``, and laid out for each kind that
holds one. ``registry`` gives the full table of a toolchain, made on first use.
Source: the Kubernetes API, and kustomize's name references, as the public library registers them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from confighub.data import path as paths
from confighub.functions.signature import KUBERNETES, PROPERTIES

ANY = "*"
Call = tuple[str, ...]
"""A function and its fixed first argument: ``("set-references-of-type", "v1/Secret")``."""

GENERAL = "attribute-value"
NEEDED = "needed-value"
PROVIDED = "provided-value"
DETAIL = "detail"
DEFAULT_NAME = "default-name"

IMAGE = (
    r"^(?P<uri>(?:(?:[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*(?:\:[0-9]+)?)/)?"
    r"(?:[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*))"
    r"(?P<reference>\:(?:[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127})|@(?:[a-z0-9]+(?:[+._-][a-z0-9]+)*\:[a-zA-Z0-9=_-]+))?$"
)
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
HOST = rf"^(?P<subdomain>{_LABEL})\.(?P<domain>{_LABEL}(?:\.{_LABEL}){{0,9}})$"
ACCESSORS = {"uri": IMAGE, "reference": IMAGE, "subdomain": HOST, "domain": HOST}
"""The pattern that finds a named part of a text."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """One known path: where to look, what it is called, and which functions read and write it."""

    visit: str
    attribute: str
    type: str = "string"
    getter: Call | None = None
    setters: tuple[Call, ...] = ()
    except_cluster_scoped: bool = False
    is_found: bool = True
    """False for a path that only names an attribute and is never visited."""
    is_described: bool = False
    """True for details that are fields of the API: they come with what is known of them, even if that is nothing."""


class Table(dict[str, dict[str, Known]]):
    """Resource type → path → what is known of it; one of the registry is ``is_shared`` and never changes."""

    is_shared = False

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


_APPS = ("apps/v1/DaemonSet", "apps/v1/Deployment", "apps/v1/ReplicaSet", "apps/v1/StatefulSet")
_BATCH = ("batch/v1/CronJob", "batch/v1/Job")
WORKLOADS = (*_APPS, *_BATCH, "v1/Pod")
_SCALED = ("apps/v1/Deployment", "apps/v1/ReplicaSet", "apps/v1/StatefulSet")
_REFERRING = (*WORKLOADS, "v1/PodTemplate")
_RUNNING = (
    "apps/v1/DaemonSet",
    "apps/v1/Deployment",
    "apps/v1/StatefulSet",
    *_BATCH,
    "v1/Pod",
    "v1/ReplicationController",
)
_POD_SPECS = {
    "v1/Pod": "spec",
    "v1/PodTemplate": "template.spec",
    "batch/v1/CronJob": "spec.jobTemplate.spec.template.spec",
}
RBAC = "rbac.authorization.k8s.io/v1/"
_ROLES = (f"{RBAC}ClusterRole", f"{RBAC}Role")
_BINDINGS = (f"{RBAC}ClusterRoleBinding", f"{RBAC}RoleBinding")
_INGRESS = "networking.k8s.io/v1/Ingress"
_INGRESS_CLASS = "networking.k8s.io/v1/v1/IngressClass"
_HPA = "autoscaling/v2/HorizontalPodAutoscaler"
_HOOKS = (
    "admissionregistration.k8s.io/v1/MutatingWebhookConfiguration",
    "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration",
)
_POLICY = "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy"
_EXTERNAL_DNS = "metadata.annotations.external-dns~1alpha~1kubernetes~1io/hostname"
CONTAINERS = ("containers", "ephemeralContainers", "initContainers")


def pod_spec(kind: str) -> str:
    """Return where a workload's pod spec stands."""
    return _POD_SPECS.get(kind, "spec.template.spec")


def _versions(group: str, kind: str, *versions: str) -> tuple[str, ...]:
    return tuple(f"{group}/{version}/{kind}" for version in versions)


CLUSTER_SCOPED = frozenset(
    {
        *_HOOKS,
        *_ROLES[:1],
        *_BINDINGS[:1],
        "v1/Namespace",
        "apiextensions.k8s.io/v1/CustomResourceDefinition",
        "apiregistration.k8s.io/v1/APIService",
        "cert-manager.io/v1/ClusterIssuer",
        "networking.k8s.io/v1/IngressClass",
        "storage.k8s.io/v1/CSIDriver",
        "storage.k8s.io/v1/StorageClass",
        "trident.netapp.io/v1/TridentConfigurator",
        *_versions("external-secrets.io", "ClusterExternalSecret", "v1", "v1alpha1", "v1beta1"),
        *_versions("external-secrets.io", "ClusterPushSecret", "v1", "v1alpha1", "v1beta1"),
        *_versions("external-secrets.io", "ClusterSecretStore", "v1", "v1alpha1", "v1beta1"),
        *_versions("gateway.networking.k8s.io", "GatewayClass", "v1", "v1alpha1", "v1beta1"),
        *_versions("generators.external-secrets.io", "ClusterGenerator", "v1", "v1alpha1", "v1beta1"),
        *_versions("hub.traefik.io", "AccessControlPolicy", "v1", "v1alpha1", "v1beta1"),
    }
)
"""Kinds that live outside namespaces."""

_NAMESPACES: tuple[tuple[tuple[str, ...], str], ...] = (
    ((ANY,), "metadata.namespace"),
    (_BINDINGS, "subjects.*.namespace"),
    (("apiextensions.k8s.io/v1/CustomResourceDefinition",), "spec.conversion.webhook.clientConfig.service.namespace"),
    (("apiregistration.k8s.io/v1/APIService",), "spec.service.namespace"),
    (("helm.toolkit.fluxcd.io/v2/HelmRelease",), "spec.chartRef.namespace"),
    (("kustomize.toolkit.fluxcd.io/v1/Kustomization",), "spec.targetNamespace"),
)

# "~" stands for the pod spec. A backslash is part of two annotation keys in kustomize's table, so they never match.
_REFERENCES: dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]] = {
    _POLICY: (((f"{_POLICY}Binding",), ("spec.policyName",)),),
    "apps/v1/Deployment": (((_HPA,), ("spec.scaleTargetRef.name",)),),
    "v1/ReplicationController": (((_HPA,), ("spec.scaleTargetRef.name",)),),
    "apps/v1/ReplicaSet": (((_HPA,), ("spec.scaleTargetRef.name",)),),
    "apps/v1/StatefulSet": (((_HPA,), ("spec.scaleTargetRef.name",)),),
    _INGRESS_CLASS: (((_INGRESS,), ("spec.ingressClassName",)),),
    f"{RBAC}Role": (((f"{RBAC}RoleBinding",), ("roleRef.name",)),),
    f"{RBAC}ClusterRole": ((_BINDINGS, ("roleRef.name",)),),
    "scheduling.k8s.io/v1/PriorityClass": ((_RUNNING, ("~.priorityClassName",)),),
    "storage.k8s.io/v1/StorageClass": (
        (("apps/v1/StatefulSet",), ("spec.volumeClaimTemplates.spec.storageClassName",)),
        (("v1/PersistentVolume", "v1/PersistentVolumeClaim"), ("spec.storageClassName",)),
    ),
    "v1/ConfigMap": (
        (
            _REFERRING,
            (
                "~.containers.*.env.*.valueFrom.configMapKeyRef.name",
                "~.containers.*.envFrom.*.configMapRef.name",
                "~.initContainers.*.env.*.valueFrom.configMapKeyRef.name",
                "~.initContainers.*.envFrom.*.configMapRef.name",
                "~.volumes.*.configMap.name",
                "~.volumes.*.projected.sources.*.configMap.name",
            ),
        ),
        ((_INGRESS,), (r"metadata.annotations.nginx.ingress.kubernetes.io\.fastcgi-params-configmap",)),
        (_ROLES, ("rules.*.resourceNames.*",)),
        (("v1/Node",), ("spec.configSource.configMap",)),
    ),
    "v1/Secret": (
        (
            _REFERRING,
            (
                "~.containers.*.env.*.valueFrom.secretKeyRef.name",
                "~.containers.*.envFrom.*.secretRef.name",
                "~.imagePullSecrets.*.name",
                "~.initContainers.*.env.*.valueFrom.secretKeyRef.name",
                "~.initContainers.*.envFrom.*.secretRef.name",
                "~.volumes.*.projected.sources.*.secret.name",
                "~.volumes.*.secret.secretName",
            ),
        ),
        (("serving.knative.dev/v1/Service",), ("~.containers.*.env.*.valueFrom.secretKeyRef.name",)),
        (
            (_INGRESS,),
            (
                r"metadata.annotations.ingress.kubernetes.io\.auth-secret",
                r"metadata.annotations.nginx.ingress.kubernetes.io\.auth-secret",
                r"metadata.annotations.nginx.ingress.kubernetes.io\.auth-tls-secret",
                "spec.tls.secretName",
            ),
        ),
        (_ROLES, ("rules.*.resourceNames.*",)),
        (("v1/PersistentVolume",), ("spec.azureFile.secretName",)),
        (("v1/ServiceAccount",), ("imagePullSecrets.*.name",)),
        (
            ("v1/StorageClass",),
            (
                "parameters.*.adminSecretName",
                "parameters.*.secretName",
                "parameters.*.secretRef",
                "parameters.*.userSecretName",
            ),
        ),
    ),
    "v1/PersistentVolume": (
        (_ROLES[:1], ("rules.*.resourceNames.*",)),
        (("v1/PersistentVolumeClaim",), ("spec.volumeName",)),
    ),
    "v1/PersistentVolumeClaim": ((_RUNNING, ("~.volumes.*.persistentVolumeClaim.claimName",)),),
    "v1/Service": (
        (_HOOKS, ("webhooks.*.clientConfig.service.name",)),
        (("apiregistration.k8s.io/v1/APIService",), ("spec.service.name",)),
        (("apps/v1/StatefulSet",), ("spec.serviceName",)),
        (
            (_INGRESS,),
            (
                "spec.backend.serviceName",
                "spec.defaultBackend.service.name",
                "spec.rules.*.http.paths.*.backend.service.name",
                "spec.rules.*.http.paths.*.backend.serviceName",
            ),
        ),
    ),
    "v1/ServiceAccount": ((_RUNNING, ("~.serviceAccountName",)), (_BINDINGS, ("subjects.*.name",))),
}
"""Type of the thing named → who names it, and where; in the order in which setters are listed."""

_DETAILS: tuple[tuple[tuple[str, ...], tuple[tuple[str, str, str], ...]], ...] = (
    (
        (_INGRESS,),
        (
            ("spec.rules.*.host", "hostname", "string"),
            ("spec.rules.*.http.paths.*.backend.service.name", "backend-service-name", "string"),
            ("spec.rules.*.http.paths.*.backend.service.port.number", "backend-service-port", "int"),
            ("spec.rules.*.http.paths.*.path", "uri-path", "string"),
        ),
    ),
    (("networking.k8s.io/v1/IngressClass",), (("spec.controller", "ingress-controller", "string"),)),
    (
        _ROLES,
        (
            ("rules.*.apiGroups.*", "api-group", "string"),
            ("rules.*.resourceNames.*", "resource-name", "string"),
            ("rules.*.resources.*", "resource-type", "string"),
            ("rules.*.verbs.*", "verb", "string"),
        ),
    ),
    (
        _BINDINGS,
        (
            ("roleRef.kind", "role-kind", "string"),
            ("roleRef.name", "role-name", "string"),
            ("subjects.*.apiGroup", "subject-api-group", "string"),
            ("subjects.*.kind", "subject-kind", "string"),
            ("subjects.*.name", "subject-name", "string"),
            ("subjects.*.namespace", "subject-namespace", "string"),
        ),
    ),
    (("v1/Service",), (("spec.ports.*.port", "port", "int"), ("spec.ports.*.targetPort", "target-port", "int"))),
    (("v1/ServiceAccount",), (("automountServiceAccountToken", "automount-token", "bool"),)),
)


class _Builder:
    """Lays the compact tables out."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = {}

    def add(self, name: str, kinds: Iterable[str], visit: str, known: Known, *, path: str = "") -> None:
        """Add a path to an attribute's table for some kinds; another setter for a known path joins the first."""
        for kind in kinds:
            at = visit.replace("~.", pod_spec(kind) + ".", 1) if visit.startswith("~.") else visit
            key = (
                (path or visit).replace("~.", pod_spec(kind) + ".", 1)
                if (path or visit).startswith("~.")
                else path or visit
            )
            table = self.tables.setdefault(name, Table()).setdefault(kind, {})
            old = table.get(key)
            if old is not None:
                known_setters = old.setters + tuple(one for one in known.setters if one not in old.setters)
                table[key] = replace(old, setters=known_setters)
            else:
                table[key] = replace(known, visit=at)

    def pod(self, name: str, tail: str, known: Known, *, path_tail: str = "", where: str = "*") -> None:
        """Add a path of every container of every workload."""
        for group in CONTAINERS:
            visit = f"~.{group}.{where}{tail}"
            self.add(name, WORKLOADS, visit, known, path=f"~.{group}.*{path_tail}" if path_tail else "")


def _kubernetes() -> dict[str, Table]:
    build = _Builder()
    _labels(build)
    _containers(build)
    _hosts(build)
    _names(build)
    _details(build)
    return build.tables


def _labels(build: _Builder) -> None:
    for noun in ("annotation", "label"):
        known = Known("", f"{noun}-value", getter=(f"get-{noun}",), setters=((f"set-{noun}",),))
        build.add(f"{noun}-value", (ANY,), f"metadata.{noun}s.@%s:{noun}-key", known)
    replicas = Known("", "replicas", "int", getter=("get-replicas",), setters=(("set-replicas",),))
    for name in ("replicas", GENERAL, DETAIL):
        build.add(name, _SCALED, "spec.replicas", replicas)
    build.add(GENERAL, ("v1/Service",), "spec.type", Known("", "service-type"))
    default = Known("", "resource-name", setters=(("set-default-names",),))
    label = replace(default, attribute="app-label")
    for name in (GENERAL, DEFAULT_NAME):
        build.add(name, (ANY,), "metadata.name", default)
        for kinds, above in (((*_APPS, "v1/Pod"), "metadata.labels"), (_APPS, "spec.selector.matchLabels")):
            _default_label(build, name, kinds, above, label)
        _default_label(build, name, _APPS, "spec.template.metadata.labels", label)


def _default_label(build: _Builder, name: str, kinds: tuple[str, ...], above: str, label: Known) -> None:
    build.add(name, kinds, f"{above}.app", label)
    dotted = replace(label, is_found=name != GENERAL)
    build.add(name, kinds, f"{above}.app~1kubernetes~1io/name", dotted)


def _containers(build: _Builder) -> None:
    named = "*?name:container-name"
    asked = "?name:container-name=%s"
    for part, noun in (("", "image"), ("#reference", "image-reference"), ("#uri", "image-uri")):
        attribute = {"image": "container-image", "image-uri": "container-repository-uri"}.get(noun, f"container-{noun}")
        known = Known("", attribute, getter=(f"get-{noun}",), setters=((f"set-{noun}",),))
        build.pod(attribute, f".image{part}", known, where=asked)
        build.pod(GENERAL, f".image{part}", known, where=named, path_tail=f".image{part}")
    build.pod("container-images", ".image", Known("", "container-image"), where=named, path_tail=".image")
    reference = Known("", "container-image-reference", is_described=True)
    uri = Known("", "container-repository-uri", setters=(("set-image-uri",),))
    build.pod(DETAIL, ".image#reference", reference, where=named, path_tail=".image#reference")
    build.pod(DETAIL, ".image#uri", uri, where=named, path_tail=".image#uri")
    build.pod(NEEDED, ".image#uri", uri, where=named)
    name = Known("", "container-name", getter=("get-container-name",))
    build.pod("container-name", ".name", name)
    build.pod(GENERAL, ".name", name)
    build.pod("container-resources", ".resources", Known("", "container-resources", "YAML"), where=asked)
    env = Known("", "env-value", getter=("get-env-var",), setters=(("set-env-var",),))
    build.pod("env-value", ".env.?name:env-var=%s.value", env, where=asked)


def _hosts(build: _Builder) -> None:
    for noun, part in (("hostname", ""), ("domain", "#domain"), ("subdomain", "#subdomain")):
        verb = noun if noun == "hostname" else f"hostname-{noun}"
        known = Known("", noun, getter=(f"get-{verb}",), setters=((f"set-{verb}",),))
        for kind, visit in ((_INGRESS, "spec.rules.*.host"), ("v1/Service", _EXTERNAL_DNS)):
            build.add(noun, (kind,), visit + part, known)
            build.add(GENERAL, (kind,), visit + part, replace(known, is_found=kind == _INGRESS))
        if noun == "domain":
            build.add(NEEDED, (_INGRESS,), "spec.rules.*.host#domain", known)
            build.add(NEEDED, ("v1/Service",), f"{_EXTERNAL_DNS}#domain", known)


def _names(build: _Builder) -> None:
    namespace = Known("", "resource-name", setters=(("set-references-of-type", "v1/Namespace"),))
    for kinds, visit in _NAMESPACES:
        known = replace(namespace, except_cluster_scoped=visit == "metadata.namespace")
        for name in ("namespace-name-reference", "resource-name", "resource-name/v1/Namespace", NEEDED, GENERAL):
            build.add(name, kinds, visit, known)
    for target, places in _REFERENCES.items():
        reference = Known("", "resource-name", setters=(("set-references-of-type", target),))
        for kinds, visits in places:
            for visit in visits:
                build.add(f"resource-name/{target}", kinds, visit, reference)
                build.add(NEEDED, kinds, visit, reference)
    for kind in (*_REFERENCES, "v1/Namespace"):
        known = Known("", "resource-name", getter=("get-resources-of-type", kind))
        build.add(PROVIDED, (kind,), "metadata.name", known)


def _details(build: _Builder) -> None:
    for kinds, entries in _DETAILS:
        for visit, attribute, kind in entries:
            build.add(DETAIL, kinds, visit, Known("", attribute, kind, is_described=not visit.endswith("*")))


def _properties() -> dict[str, Table]:
    name = Known("configHub.configName", "resource-name", setters=(("set-default-names",),))
    namespace = Known(
        "configHub.kubernetes.namespace", "resource-name", setters=(("set-references-of-type", "v1/Namespace"),)
    )
    return {
        GENERAL: Table({ANY: {name.visit: name}}),
        DEFAULT_NAME: Table({ANY: {name.visit: name}}),
        NEEDED: Table({ANY: {namespace.visit: namespace}}),
    }


_NOWHERE = Table()


@lru_cache(maxsize=4)
def registry(toolchain: str) -> dict[str, Table]:
    """Return a toolchain's tables by attribute; empty for a toolchain without any."""
    tables = _kubernetes() if toolchain == KUBERNETES else _properties() if toolchain == PROPERTIES else {}
    for one in tables.values():
        one.is_shared = True
    return tables


def table(toolchain: str, attribute: str) -> Table:
    """Return where an attribute lives, by resource type; empty for an unknown one."""
    return registry(toolchain).get(attribute, _NOWHERE)


@lru_cache(maxsize=2048)
def lookup(toolchain: str, kind: str, path: str) -> Known | None:
    """Return what is known of the place that a caller's path leads to, list positions and lookups taken for ``*``."""
    tables = _general_by_normal_path(toolchain)
    for owner in (kind, ANY):
        known = tables.get(owner)
        if known is not None:
            found = known.get(_normal(path))
            if found is not None:
                return found
    return None


@lru_cache(maxsize=4)
def _general_by_normal_path(toolchain: str) -> dict[str, dict[str, Known]]:
    return {
        kind: {_normal(path): known for path, known in known_paths.items()}
        for kind, known_paths in table(toolchain, GENERAL).items()
    }


def _normal(path: str) -> str:
    segments = paths.split(path)
    return ".".join("*" if _is_variable(segment) else segment for segment in segments)


def _is_variable(segment: str) -> bool:
    return segment.isdigit() or any(sign in segment for sign in "?*@%")
