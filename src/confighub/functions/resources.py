"""Functions on whole resources: list, add, replace, repeat and delete them; and what the hub notes on them."""

from __future__ import annotations

from typing import Any

import msgspec

from confighub.data import normal
from confighub.data.document import parse
from confighub.data.path import MISSING, get
from confighub.errors import NotYaml
from confighub.functions import visit
from confighub.functions.known_paths import CLUSTER_SCOPED
from confighub.functions.signature import KUBERNETES, PROPERTIES, Function, function, parameter
from confighub.functions.work import Failed, Work

BOTH = (KUBERNETES, PROPERTIES)
_TYPE = parameter("resource-type", "Type of the resource, apiVersion/kind", example="v1/Service")
_NAME = parameter("resource-name", "Name of the resource, namespace/name; the namespace is ignored", example="dev/web")


def _info(work: Work, position: int) -> dict[str, Any]:
    info = work.identity(position)
    return {
        "ResourceName": info.resource_name,
        "ResourceNameWithoutScope": info.resource_name_without_scope,
        "ResourceType": info.resource_type,
        "ResourceCategory": info.resource_category,
    }


def _get_resources(work: Work, arguments: list[Any]) -> Any:
    form = arguments[0] if arguments else "yaml"
    found = []
    for position, holder in enumerate(work.documents):
        resource = _info(work, position)
        if form == "none":
            found.append(resource)
            continue
        if form == "json":
            body = msgspec.json.encode(_sorted(holder.data)).decode()
        else:
            body = normal.document_text(holder)
            if form == "native":
                body = work.provider.from_yaml(body)
        resource["ResourceBody"] = body
        found.append(resource)
    return found


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def _get_resources_of_type(work: Work, arguments: list[Any]) -> Any:
    infos = [_info(work, position) for position in range(len(work.documents))]
    return [info for info in infos if info["ResourceType"] == arguments[0]]


def _position(work: Work, kind: str, name: str) -> int | None:
    wanted, found = work.provider.without_scope(name), None
    for position in range(len(work.documents)):
        info = work.identity(position)
        if info.resource_type == kind and info.resource_name_without_scope == wanted:
            found = position
    return found


def _kept(work: Work) -> list[tuple[int | None, bytes]]:
    return [(position, holder.source) for position, holder in enumerate(work.documents)]


def _delete_resource(work: Work, arguments: list[Any]) -> None:
    kind, name = arguments
    position = _position(work, kind, name)
    if position is None:
        raise Failed(f"resource of type {kind} not found: {name}")
    sources = _kept(work)
    del sources[position]
    work.put_documents(sources)


def _upsert_resource(work: Work, arguments: list[Any]) -> None:
    listed, kind, name = arguments
    try:
        resources = msgspec.json.decode(listed)
    except msgspec.DecodeError as error:
        raise Failed(f"resource-list is not JSON: {error}") from None
    if not isinstance(resources, list) or not resources:
        raise Failed("resource-list cannot be empty")
    wanted = work.provider.without_scope(name)
    body = next(
        (
            str(one.get("ResourceBody", ""))
            for one in resources
            if one.get("ResourceType") == kind
            and work.provider.without_scope(str(one.get("ResourceName", ""))) == wanted
        ),
        None,
    )
    if body is None:
        raise Failed(f"resource of type {kind} not found in resource-list: {name}")
    try:
        documents = parse(body).documents
    except NotYaml as error:
        raise Failed(f"the resource's body cannot be read: {error.message}") from None
    if len(documents) != 1:
        raise Failed(f"the resource's body holds {len(documents)} documents, one is needed")
    source = documents[0].document.source
    position = _position(work, kind, name)
    sources = _kept(work)
    if position is None:
        sources.append((None, source))
    else:
        sources[position] = (None, source)
    work.put_documents(sources)


def _replicate(work: Work, arguments: list[Any]) -> None:
    kind, name, count = arguments[:3]
    category = arguments[3] if len(arguments) > 3 else work.provider.category
    for position in range(len(work.documents)):
        info = work.identity(position)
        if (info.resource_category, info.resource_type, info.resource_name_without_scope) != (category, kind, name):
            continue
        copies = [(None, _renamed(work, position, f"{name}{number}")) for number in range(count)]
        sources = _kept(work)
        sources[position : position + 1] = copies
        work.put_documents(sources)
        return


def _renamed(work: Work, position: int, name: str) -> bytes:
    from confighub.data.editor import Editor

    editor = Editor(work.documents[position])
    editor.set(work.provider.name_path, name)
    return editor.finish()[0]


def _ensure_context(work: Work, arguments: list[Any]) -> None:
    fields = {"UnitSlug": work.context.unit_slug, "SpaceID": work.context.space_id}
    for position in range(len(work.documents)):
        if work.provider.toolchain == KUBERNETES:
            work.identity(position)
        editor = work.editor(position)
        paths = {work.provider.context_path(field): value for field, value in fields.items()}
        above = next(iter(paths))[:-1]
        if not arguments[0] and work.context.as_recorded and get(editor.data, above) is MISSING:
            raise Failed("field not found")
        if not arguments[0]:
            for field in ("UnitSlug", "SpaceID", "RevisionNum"):
                editor.remove(work.provider.context_path(field))
        elif get(editor.data, above) is MISSING:
            editor.set(above, {steps[-1]: value for steps, value in paths.items()})
        else:
            for steps, value in paths.items():
                editor.set(steps, value)


def _ensure_namespaces(work: Work, _: list[Any]) -> None:
    for position in range(len(work.documents)):
        info = work.identity(position)
        if info.resource_name.startswith("/") and info.resource_type not in CLUSTER_SCOPED:
            work.editor(position).set(("metadata", "namespace"), visit.PLACEHOLDER)


FUNCTIONS: list[Function] = [
    function(
        "get-resources",
        "Get every resource, with its text",
        _get_resources,
        parameter(
            "body",
            "Form of the resources' text",
            kind="enum",
            required=False,
            choices=("yaml", "none", "json", "native"),
        ),
        output=("resource", "ResourceList", "The resources in document order"),
        toolchains=BOTH,
    ),
    function(
        "get-resources-of-type",
        "Get the names of the resources of a type",
        _get_resources_of_type,
        _TYPE,
        output=("resource-name", "ResourceInfoList", "The resources of the type"),
        toolchains=BOTH,
    ),
    function(
        "delete-resource",
        "Delete a resource",
        _delete_resource,
        _TYPE,
        _NAME,
        mutates=True,
        idempotent=False,
        toolchains=BOTH,
    ),
    function(
        "upsert-resource",
        "Add a resource, or replace the one of its type and name",
        _upsert_resource,
        parameter("resource-list", "JSON list of resources", kind="ResourceList"),
        _TYPE,
        _NAME,
        mutates=True,
        toolchains=BOTH,
    ),
    function(
        "replicate",
        "Replace a resource by numbered copies of it",
        _replicate,
        _TYPE,
        parameter("resource-name", "Name of the resource, without its namespace"),
        parameter("replicas", "How many copies", kind="int"),
        parameter("resource-category", "Category of the resource", required=False),
        mutates=True,
        toolchains=BOTH,
    ),
    function(
        "ensure-context",
        "Note the unit and its space on each resource, or take the notes away",
        _ensure_context,
        parameter("add-context", "true to add the notes, false to remove them", kind="bool"),
        mutates=True,
        toolchains=BOTH,
    ),
    function(
        "ensure-namespaces",
        "Give every namespaced resource a namespace, a placeholder at first",
        _ensure_namespaces,
        mutates=True,
    ),
]
