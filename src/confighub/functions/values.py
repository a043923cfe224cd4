"""Functions that get and set values at known paths or at a path of the caller's choice."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from confighub.data import path as paths
from confighub.errors import NotAResource
from confighub.functions import known_paths, visit
from confighub.functions.known_paths import GENERAL, NEEDED, PROVIDED, WORKLOADS
from confighub.functions.signature import KUBERNETES, PROPERTIES, Function, function, parameter
from confighub.functions.work import Failed, Work

BOTH = (KUBERNETES, PROPERTIES)
CONTAINER = parameter(
    "container-name",
    "Name of the container, * for all",
    pattern=r"^\*|[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
    example="web",
)
_TYPE = parameter("resource-type", "Type of the resources, apiVersion/kind, * for all", example="apps/v1/Deployment")
_PATH = parameter("path", "Path within the resource", example="spec.template.spec.containers.?name=web.image")
_PYTHON = {"string": str, "int": int, "bool": bool}
_VALUES = "AttributeValueList"

URI = known_paths.IMAGE[: known_paths.IMAGE.index("(?P<reference>")] + "$"
REFERENCE = "^" + known_paths.IMAGE[known_paths.IMAGE.index("(?P<reference>") : -2] + "$"
_DOMAIN = "^" + known_paths.HOST[known_paths.HOST.index("(?P<domain>") :]
_SUBDOMAIN = known_paths.HOST[: known_paths.HOST.index(r"\.(?P<domain>")] + "$"


def _get_path(kind: str) -> Function:
    def run(work: Work, arguments: list[Any]) -> Any:
        table = visit.table_for_path(work.provider.toolchain, arguments[0], arguments[1])
        return visit.read(work, table, wanted=kind)

    return function(
        f"get-{kind}-path",
        f"Get the {kind} values at a path",
        run,
        _TYPE,
        _PATH,
        output=("path", _VALUES, f"The {kind} values found at the path"),
        toolchains=BOTH,
    )


def _set_path(kind: str) -> Function:
    def run(work: Work, arguments: list[Any]) -> None:
        table = visit.table_for_path(work.provider.toolchain, arguments[0], arguments[1])
        visit.update(work, table, lambda _: arguments[2], _PYTHON[kind], upsert=True)

    return function(
        f"set-{kind}-path",
        f"Set the {kind} value at a path, adding missing map keys",
        run,
        _TYPE,
        _PATH,
        parameter("attribute-value", f"The new {kind}", kind=kind),
        mutates=True,
        toolchains=BOTH,
    )


def _pair(
    noun: str,
    attribute: str,
    *keys: Any,
    value: Any = None,
    kind: str = "string",
    result: str = "",
    upsert: bool = False,
    types: tuple[str, ...] = ("*",),
) -> list[Function]:
    """Return the getter and the setter of an attribute at its known paths; ``keys`` choose among the places."""

    def get(work: Work, arguments: list[Any]) -> Any:
        return visit.read(
            work, known_paths.table(work.provider.toolchain, attribute), keys=tuple(arguments), wanted=kind
        )

    def put(work: Work, arguments: list[Any]) -> None:
        new = arguments[-1]
        table = known_paths.table(work.provider.toolchain, attribute)
        visit.update(work, table, lambda _: new, _PYTHON[kind], keys=tuple(arguments[:-1]), upsert=upsert)

    words = noun.replace("-", " ")
    getter = function(
        f"get-{noun}",
        f"Get the {words} of each resource",
        get,
        *keys,
        output=(result or attribute, _VALUES, f"The {words} of each resource"),
        attribute=attribute,
        kind="PathVisitor",
        types=types,
    )
    if value is None:
        return [getter]
    setter = function(
        f"set-{noun}",
        f"Set the {words} of each resource",
        put,
        *keys,
        value,
        mutates=True,
        attribute=attribute,
        kind="PathVisitor",
        types=types,
    )
    return [getter, setter]


def _get_known(name: str, attribute: str, description: str, *, wanted: str = "", needed_only: bool = False) -> Function:
    def run(work: Work, _: list[Any]) -> Any:
        table = known_paths.table(work.provider.toolchain, attribute)
        return visit.read(work, table, wanted=wanted, needed_only=needed_only)

    return function(name, description, run, output=("attribute", _VALUES, description), toolchains=BOTH)


def _get_needed_namespaces(work: Work, _: list[Any]) -> Any:
    table = known_paths.table(work.provider.toolchain, "namespace-name-reference")
    return visit.read(work, table, wanted="string", needed_only=True)


def _get_provided(work: Work, _: list[Any]) -> Any:
    from confighub.data.document import parse
    from confighub.data.resource import identity

    values = visit.read(work, known_paths.table(work.provider.toolchain, PROVIDED), wanted="string")
    if not work.context.live_state:
        return values
    for placed in parse(work.context.live_state).documents:
        info = identity(placed.document)
        values.append(
            {
                "ResourceName": info.resource_name,
                "ResourceNameWithoutScope": info.resource_name_without_scope,
                "ResourceType": info.resource_type,
                "ResourceCategory": info.resource_category,
                "Path": "metadata.name",
                "InLiveState": True,
                "AttributeName": "resource-name",
                "DataType": "string",
                "Info": {
                    "GetterInvocation": {
                        "FunctionName": "get-resources-of-type",
                        "Arguments": [{"ParameterName": "resource-type", "Value": info.resource_type}],
                    }
                },
                "Value": info.resource_name_without_scope,
            }
        )
    return values


def _set_references(work: Work, arguments: list[Any]) -> None:
    kind, name = arguments
    if kind == "v1/Namespace" and work.context.as_recorded:
        # the public library files namespaces under another name and finds none here
        return
    table = known_paths.table(work.provider.toolchain, f"resource-name/{kind}")
    if not table:
        return
    visit.update(work, table, lambda _: name, str)


def _set_attributes(work: Work, arguments: list[Any]) -> None:
    try:
        attributes = msgspec.json.decode(arguments[0])
    except msgspec.DecodeError as error:
        raise Failed(f"attribute-list is not JSON: {error}") from None
    attributes = [] if attributes is None else attributes
    if not isinstance(attributes, list) or not all(isinstance(one, dict) for one in attributes):
        raise Failed("attribute-list is not a JSON list of attributes")
    set_attributes(work, attributes)


def _constant(value: Any, _: Any) -> Any:
    return value


def set_attributes(work: Work, attributes: list[dict[str, Any]]) -> None:
    """Set each attribute's value at its path, in the resource it names, or in all of its type; only what exists is set.

    Raises: Failed for all that could not be set.
    """
    errors: list[str] = []
    for attribute in attributes:
        kind, value = attribute.get("DataType"), attribute.get("Value")
        name = attribute.get("AttributeName") or attribute.get("Path")
        if kind not in _PYTHON:
            errors.append(f"data type of attribute {name} is not supported: {kind}")
            continue
        if kind == "int" and isinstance(value, float):
            value = round(value)
        if type(value) is not _PYTHON[kind]:
            errors.append(f"value of attribute {name} is not of type {kind}")
            continue
        table = visit.table_for_path(
            work.provider.toolchain, str(attribute.get("ResourceType", "")), str(attribute.get("Path", ""))
        )
        # recorded cases come from a server that ignores the name
        only = "" if work.context.as_recorded else str(attribute.get("ResourceName") or "")
        try:
            visit.update(work, table, partial(_constant, value), _PYTHON[kind], only=only)
        except Failed as error:
            errors.append(error.message)
    visit.raise_for(errors)


def found_by_value(work: Work, wanted: str | int) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the places whose value contains the text or is the number, sorted, and what was no resource."""
    found: list[dict[str, Any]] = []
    errors: list[str] = []
    for position in range(len(work.documents)):
        holder = work.documents[position]
        if str(wanted).encode() not in holder.source and "\\" not in str(wanted) and b"\\" not in holder.source:
            continue
        try:
            info = work.identity(position)
        except NotAResource as error:
            errors.append(error.message)
            continue
        is_match = partial(_contains, wanted) if isinstance(wanted, str) else partial(_is_same, wanted)
        for steps, value in leaves(work.data(position), is_match):
            found.append(
                {
                    "ResourceName": info.resource_name,
                    "ResourceNameWithoutScope": info.resource_name_without_scope,
                    "ResourceType": info.resource_type,
                    "ResourceCategory": info.resource_category,
                    "Path": paths.join(steps),
                    "AttributeName": GENERAL,
                    "DataType": "string" if isinstance(value, str) else "int",
                    "Value": value,
                }
            )
    found.sort(key=visit.attribute_order)
    return found, errors


def _contains(wanted: str, value: Any) -> bool:
    return type(value) is str and wanted in value


def _is_same(wanted: int, value: Any) -> bool:
    return type(value) is type(wanted) and bool(value == wanted)


def leaves(data: Any, is_match: Callable[[Any], bool]) -> list[tuple[paths.Steps, Any]]:
    """Return the scalars that match with the steps that lead there, in document order."""
    found: list[tuple[paths.Steps, Any]] = []
    way: list[paths.Step] = []

    def look(value: Any) -> None:
        pairs = value.items() if type(value) is dict else enumerate(value)
        for step, item in pairs:
            if type(item) is dict or type(item) is list:
                way.append(step)
                look(item)
                way.pop()
            elif is_match(item):
                found.append(((*way, step), item))

    look([data])
    return [(steps[1:], value) for steps, value in found]


def placeholders(work: Work) -> list[dict[str, Any]]:
    """Return every place that still holds a placeholder: texts first, then numbers, each sorted."""
    found = []
    for wanted in (visit.PLACEHOLDER, visit.OLD_PLACEHOLDER, visit.PLACEHOLDER_INT):
        found += found_by_value(work, wanted)[0]
    return found


def _get_placeholders(work: Work, _: list[Any]) -> Any:
    return placeholders(work)


def _search_replace(work: Work, arguments: list[Any]) -> None:
    search, new = arguments
    found, _ = found_by_value(work, search)
    for attribute in found:
        attribute["Value"] = attribute["Value"].replace(search, new)
    set_attributes(work, found)


def _set_path_comment(work: Work, arguments: list[Any]) -> None:
    kind, path, comment = arguments
    table = visit.table_for_path(work.provider.toolchain, kind, path)

    def act(spot: visit.Spot) -> None:
        work.editor(spot.position).set_comment(spot.place.steps, comment)

    visit.raise_for(visit.visit(work, table, act))


def _set_default_names(work: Work, _: list[Any]) -> None:
    provider, context = work.provider, work.context
    name = provider.separator.join(provider.normal_name(part) for part in (context.unit_slug, context.space_slug))

    def change(old: Any) -> Any:
        needs_one = visit.PLACEHOLDER in old or visit.OLD_PLACEHOLDER in old
        return name if needs_one else old

    visit.update(work, known_paths.table(provider.toolchain, known_paths.DEFAULT_NAME), change, str)


def _key(noun: str) -> Any:
    return parameter(f"{noun}-key", f"Key of the {noun}", example="app.kubernetes.io/part-of")


_SCALED = ("apps/v1/Deployment", "apps/v1/ReplicaSet", "apps/v1/StatefulSet")
_HOSTED = ("networking.k8s.io/v1/Ingress", "v1/Service")
_NAMESPACED = (
    "*",
    "apiextensions.k8s.io/v1/CustomResourceDefinition",
    "apiregistration.k8s.io/v1/APIService",
    "helm.toolkit.fluxcd.io/v2/HelmRelease",
    "kustomize.toolkit.fluxcd.io/v1/Kustomization",
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
    "rbac.authorization.k8s.io/v1/RoleBinding",
)

FUNCTIONS: list[Function] = [
    *(make(kind) for kind in _PYTHON for make in (_get_path, _set_path)),
    *_pair(
        "namespace",
        "namespace-name-reference",
        value=parameter("namespace-name", "The new namespace", example="traderx-dev"),
        result="namespace-name",
        types=_NAMESPACED,
    ),
    *_pair("label", "label-value", _key("label"), value=parameter("label-value", "The new value"), upsert=True),
    *_pair(
        "annotation",
        "annotation-value",
        _key("annotation"),
        value=parameter("annotation-value", "The new value"),
        upsert=True,
    ),
    *_pair(
        "replicas",
        "replicas",
        value=parameter("replicas", "How many replicas", kind="int", low=0, example="3"),
        kind="int",
        types=_SCALED,
    ),
    *_pair(
        "image",
        "container-image",
        CONTAINER,
        value=parameter("container-image", "The new image", pattern=known_paths.IMAGE, example="nginx:1.29"),
        types=WORKLOADS,
    ),
    *_pair(
        "image-uri",
        "container-repository-uri",
        CONTAINER,
        value=parameter(
            "repository-uri", "The new repository, the tag stays", pattern=URI, example="ghcr.io/finos/web"
        ),
        result="repository-uri",
        types=WORKLOADS,
    ),
    *_pair(
        "image-reference",
        "container-image-reference",
        CONTAINER,
        value=parameter("image-reference", "The new :tag or @digest", pattern=REFERENCE, example=":v1.2.0"),
        result="image-reference",
        types=WORKLOADS,
    ),
    *_pair(
        "env-var",
        "env-value",
        CONTAINER,
        parameter("env-var", "Name of the variable", pattern="^[-._a-zA-Z][-._a-zA-Z0-9]*$"),
        value=parameter("env-value", "The new value"),
        types=WORKLOADS,
    ),
    *_pair(
        "hostname",
        "hostname",
        value=parameter("hostname", "The new host name", pattern=f"^{known_paths.HOST}$", example="web.example.com"),
        types=_HOSTED,
    ),
    *_pair(
        "hostname-domain",
        "domain",
        value=parameter("domain", "The new domain, the first label stays", pattern=_DOMAIN, example="example.com"),
        types=_HOSTED,
    ),
    *_pair(
        "hostname-subdomain",
        "subdomain",
        value=parameter("subdomain", "The new first label", pattern=_SUBDOMAIN, example="web"),
        types=_HOSTED,
    ),
    *_pair("container-name", "container-name", types=WORKLOADS),
    _get_known("get-attributes", GENERAL, "Get the known attributes of each resource"),
    _get_known("get-details", known_paths.DETAIL, "Get the details that describe each resource"),
    _get_known("get-needed", NEEDED, "Get the attributes that need a value", wanted="string", needed_only=True),
    function(
        "get-provided",
        "Get the attributes that other units may need",
        _get_provided,
        output=("attribute", _VALUES, "The names that other units may refer to"),
        toolchains=BOTH,
    ),
    function(
        "get-needed-namespaces",
        "Get the namespaces that need a value",
        _get_needed_namespaces,
        output=("namespace-name", _VALUES, "The namespaces that are still placeholders"),
        attribute="namespace-name-reference",
        kind="PathVisitor",
    ),
    function(
        "get-placeholders",
        "Get the places that still hold a placeholder",
        _get_placeholders,
        output=("path", _VALUES, "The places that still hold a placeholder"),
        toolchains=BOTH,
    ),
    function(
        "set-references-of-type",
        "Set every reference to a resource of a type",
        _set_references,
        parameter("resource-type", "Type of what is referred to", example="v1/Service"),
        parameter("resource-name", "The new name"),
        mutates=True,
        toolchains=BOTH,
    ),
    function(
        "set-attributes",
        "Set the values of a list of attributes where they exist",
        _set_attributes,
        parameter("attribute-list", "JSON list of attributes", kind="AttributeValueList"),
        mutates=True,
        toolchains=BOTH,
    ),
    function(
        "search-replace",
        "Replace a text in every string value",
        _search_replace,
        parameter("search-value", "The text to look for"),
        parameter("replace-value", "The text to put in its place"),
        mutates=True,
        toolchains=BOTH,
    ),
    function(
        "set-path-comment",
        "Put a comment beside the value at a path",
        _set_path_comment,
        _TYPE,
        _PATH,
        parameter("comment", "The comment, without its sign"),
        mutates=True,
        toolchains=BOTH,
    ),
    function(
        "set-default-names",
        "Give every placeholder name the name of the unit and its space",
        _set_default_names,
        mutates=True,
        attribute="default-name",
        toolchains=BOTH,
    ),
]
