"""Kubernetes documents as typed values: exactly the fields this runtime understands.

What is declared here is what is honoured; whatever else a document holds is found by comparing it
with these types (``not_honoured``) and shown in live state. Nothing here reads or writes.
Source: the Kubernetes API reference for apps/v1, v1 and networking.k8s.io/v1; defaults are theirs.
"""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Any, Literal

import msgspec

from confighub.errors import BadRequest

Manifest = dict[str, Any]
"""One Kubernetes document as JSON values."""

DEFAULT_NAMESPACE = "default"


class Part(msgspec.Struct, rename="camel"):
    """A piece of a document; unknown keys are ignored when it is read."""


class Meta(Part):
    """What names an object. ``managed`` names of the API server are declared so that they are not reported."""

    name: str
    namespace: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    generation: int | None = None
    creation_timestamp: str | None = None
    uid: str | None = None
    resource_version: str | None = None


class TemplateMeta(Part):
    """Labels of the replicas, which Services select by."""

    name: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    creation_timestamp: str | None = None


class KeyRef(Part):
    """One key of a ConfigMap or a Secret."""

    name: str = ""
    key: str = ""
    optional: bool = False


class FieldRef(Part):
    """A field of the replica itself, such as ``metadata.name``."""

    field_path: str = ""
    api_version: str | None = None


class ValueFrom(Part):
    """Where a variable's value comes from."""

    config_map_key_ref: KeyRef | None = None
    secret_key_ref: KeyRef | None = None
    field_ref: FieldRef | None = None


class EnvVar(Part):
    """One environment variable."""

    name: str
    value: str | None = None
    value_from: ValueFrom | None = None


class SourceRef(Part):
    """A whole ConfigMap or Secret."""

    name: str = ""
    optional: bool = False


class EnvFrom(Part):
    """Variables from every key of a ConfigMap or a Secret."""

    prefix: str = ""
    config_map_ref: SourceRef | None = None
    secret_ref: SourceRef | None = None


class ContainerPort(Part):
    """A port that the program listens on."""

    container_port: int
    name: str = ""
    protocol: str = "TCP"


class HttpHeader(Part):
    """One header of an HTTP probe."""

    name: str
    value: str = ""


class HttpGet(Part):
    """An HTTP probe: 200 to 399 is success."""

    port: int | str
    path: str = "/"
    scheme: str = "HTTP"
    http_headers: list[HttpHeader] | None = None


class TcpSocket(Part):
    """A probe that only connects."""

    port: int | str


class Exec(Part):
    """A probe that runs a command in the replica's environment: exit 0 is success."""

    command: list[str] = []


class Probe(Part):
    """How and how often to ask a container; all times in seconds."""

    http_get: HttpGet | None = None
    tcp_socket: TcpSocket | None = None
    exec: Exec | None = None
    initial_delay_seconds: int = 0
    period_seconds: int = 10
    timeout_seconds: int = 1
    success_threshold: int = 1
    failure_threshold: int = 3


class Container(Part):
    """One program of a replica."""

    name: str
    image: str = ""
    # A process has no image to pull and no container runtime to report to: declared so as not to be reported.
    image_pull_policy: str | None = None
    termination_message_path: str | None = None
    termination_message_policy: str | None = None
    command: list[str] | None = None
    args: list[str] | None = None
    ports: list[ContainerPort] | None = None
    env: list[EnvVar] | None = None
    env_from: list[EnvFrom] | None = None
    liveness_probe: Probe | None = None
    readiness_probe: Probe | None = None
    startup_probe: Probe | None = None


class PodSpec(Part):
    """What one replica runs."""

    containers: list[Container]
    termination_grace_period_seconds: int = 30
    enable_service_links: bool | None = None
    restart_policy: Literal["Always"] = "Always"
    dns_policy: str | None = None
    scheduler_name: str | None = None


class PodTemplate(Part, kw_only=True):
    """Labels and programs of every replica."""

    metadata: TemplateMeta = msgspec.field(default_factory=TemplateMeta)
    spec: PodSpec


class LabelSelector(Part):
    """Labels that must all be equal."""

    match_labels: dict[str, str] | None = None


class RollingUpdate(Part):
    """How far an update may go above and below the wanted number: replicas or percent."""

    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"


class Strategy(Part):
    """How old replicas are replaced."""

    type: Literal["RollingUpdate", "Recreate"] = "RollingUpdate"
    rolling_update: RollingUpdate | None = None


class DeploymentSpec(Part, kw_only=True):
    """How many replicas of what, and how they are replaced."""

    replicas: int = 1
    selector: LabelSelector = msgspec.field(default_factory=LabelSelector)
    template: PodTemplate
    strategy: Strategy = msgspec.field(default_factory=Strategy)
    min_ready_seconds: int = 0
    progress_deadline_seconds: int = 600
    revision_history_limit: int | None = None


class ServicePort(Part):
    """A port that clients use, and the replicas' port behind it."""

    port: int
    name: str = ""
    protocol: str = "TCP"
    target_port: int | str | None = None
    node_port: int | None = None


class ClientIpConfig(Part):
    """How long a client stays with its replica."""

    timeout_seconds: int = 10800


class AffinityConfig(Part):
    """Settings of a Service's affinity."""

    client_ip: ClientIpConfig | None = msgspec.field(default=None, name="clientIP")


class ServiceSpec(Part):
    """Ports and the labels of the replicas behind them."""

    type: str = "ClusterIP"
    selector: dict[str, str] | None = None
    ports: list[ServicePort] | None = None
    session_affinity: Literal["None", "ClientIP"] = "None"
    session_affinity_config: AffinityConfig | None = None
    cluster_ip: str | None = msgspec.field(default=None, name="clusterIP")


class BackendPort(Part):
    """A Service's port by number or by name."""

    number: int | None = None
    name: str | None = None


class BackendService(Part):
    """The Service that gets a request."""

    name: str
    port: BackendPort = msgspec.field(default_factory=BackendPort)


class Backend(Part):
    """Where an Ingress path leads."""

    service: BackendService | None = None


class IngressPath(Part):
    """One path of one host."""

    backend: Backend
    path: str = "/"
    path_type: Literal["Prefix", "Exact", "ImplementationSpecific"] = "ImplementationSpecific"


class IngressPaths(Part):
    """The paths of one host."""

    paths: list[IngressPath] = []


class IngressRule(Part):
    """The paths of one host; no host means every host."""

    host: str | None = None
    http: IngressPaths | None = None


class IngressTls(Part):
    """The hosts of one certificate and the Secret that holds it."""

    hosts: list[str] | None = None
    secret_name: str | None = None


class IngressSpec(Part):
    """Rules, certificates and what gets the rest."""

    ingress_class_name: str | None = None
    default_backend: Backend | None = None
    rules: list[IngressRule] | None = None
    tls: list[IngressTls] | None = None


class Deployment(Part):
    """apps/v1 Deployment."""

    api_version: str
    kind: str
    metadata: Meta
    spec: DeploymentSpec


class Service(Part):
    """v1 Service."""

    api_version: str
    kind: str
    metadata: Meta
    spec: ServiceSpec = msgspec.field(default_factory=ServiceSpec)


class Ingress(Part):
    """networking.k8s.io/v1 Ingress."""

    api_version: str
    kind: str
    metadata: Meta
    spec: IngressSpec = msgspec.field(default_factory=IngressSpec)


class ConfigMap(Part):
    """v1 ConfigMap; its data become variables."""

    api_version: str
    kind: str
    metadata: Meta
    data: dict[str, str] | None = None


class Namespace(Part):
    """v1 Namespace: a name only."""

    api_version: str
    kind: str
    metadata: Meta


class Other(Part):
    """Any kind that has no meaning on one machine."""

    api_version: str
    kind: str
    metadata: Meta


KINDS: dict[tuple[str, str], type[Part]] = {
    ("apps/v1", "Deployment"): Deployment,
    ("v1", "Service"): Service,
    ("networking.k8s.io/v1", "Ingress"): Ingress,
    ("v1", "ConfigMap"): ConfigMap,
    ("v1", "Namespace"): Namespace,
}
"""Every kind that does something here."""


def kind_of(manifest: Manifest) -> type[Part]:
    """Return the type that reads the document, ``Other`` when the kind does nothing here."""
    return KINDS.get((str(manifest.get("apiVersion", "")), str(manifest.get("kind", ""))), Other)


PartType = typing.TypeVar("PartType", bound=Part)


def read(manifest: Manifest, kind: type[PartType]) -> PartType:
    """Return the typed form of a document. Raises BadRequest that names the object and the place."""
    try:
        return msgspec.convert(manifest, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(f"{describe(manifest)} cannot be read: {error}") from error


def describe(manifest: Manifest) -> str:
    """Return kind and name for a message, as in ``Deployment trade-service``."""
    metadata = manifest.get("metadata")
    name = metadata.get("name", "") if isinstance(metadata, dict) else ""
    return f"{manifest.get('kind', 'document')} {name}".strip()


def not_honoured(manifest: Manifest) -> list[str]:
    """Return the paths that the document sets and this runtime does not act on, in document order.

    Metadata and status are not walked; ``Other`` kinds answer empty, their status says it all.
    """
    kind = kind_of(manifest)
    if kind is Other:
        return []
    places: list[str] = []
    for key, value in manifest.items():
        if key in ("metadata", "status"):
            continue
        places += _unknown(value, _field_types(kind).get(key), key)
    return places


@cache  # resolving annotations takes a tenth of a millisecond, and live state asks for every object
def _field_types(kind: type[Part]) -> dict[str, Any]:
    return {field.encode_name: field.type for field in msgspec.structs.fields(kind)}


def _unknown(value: Any, declared: Any, place: str) -> list[str]:
    """Walk value and type together; a key that the type lacks is one place."""
    if declared is None:
        return [place]
    declared = _without_none(declared)
    if isinstance(value, dict) and isinstance(declared, type) and issubclass(declared, Part):
        names = _field_types(declared)
        return [found for key, inner in value.items() for found in _unknown(inner, names.get(key), f"{place}.{key}")]
    if isinstance(value, list) and typing.get_origin(declared) is list:
        (item,) = typing.get_args(declared)
        return [
            found
            for position, inner in enumerate(value)
            for found in _unknown(inner, item, f"{place}[{_item_name(inner, position)}]")
        ]
    return []


def _without_none(declared: Any) -> Any:
    if isinstance(declared, types.UnionType) or typing.get_origin(declared) is typing.Union:
        options = [option for option in typing.get_args(declared) if option is not type(None)]
        return options[0] if len(options) == 1 else declared
    return declared


def _item_name(item: Any, position: int) -> str:
    return str(item["name"]) if isinstance(item, dict) and "name" in item else str(position)
