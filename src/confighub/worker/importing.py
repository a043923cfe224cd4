"""Which live objects an import asks for.

Source: the import filters of the public API; a term includes or excludes by what stands at a path, or by labels.
"""

from __future__ import annotations

import msgspec

from confighub.data.path import pattern, places
from confighub.records.work import ImportFilter, ImportRequest
from confighub.worker.documents import Manifest

_INCLUDES = frozenset({"include", "equals"})
_PAIRS = frozenset({"metadata.labels", "metadata.annotations"})


def is_asked_for(item: Manifest, request: ImportRequest) -> bool:
    """True when the request lists the object, or its filters let it pass; no list and no filter means all."""
    metadata = item.get("metadata", {})
    name, namespace = str(metadata.get("name", "")), str(metadata.get("namespace") or "default")
    if request.resource_info_list:
        return any(
            wanted.resource_type in ("", resource_type(item)) and wanted.resource_name in (name, f"{namespace}/{name}")
            for wanted in request.resource_info_list
        )
    return all(_passes(item, term) for term in request.filters or [])


def resource_type(item: Manifest) -> str:
    """Return the type as the API writes it, such as ``apps/v1/Deployment``."""
    return f"{item.get('apiVersion', '')}/{item.get('kind', '')}"


def included(request: ImportRequest, where: str) -> set[str] | None:
    """Return the values to which the request's terms restrict what stands at the path, None for no restriction."""
    terms = [set(term.values) for term in request.filters or [] if term.type == where and term.operator in _INCLUDES]
    return set.intersection(*terms) if terms else None


def without(request: ImportRequest, where: str) -> ImportRequest:
    """Return the request without the terms that restrict what stands at the path."""
    kept = [term for term in request.filters or [] if term.type != where or term.operator not in _INCLUDES]
    return msgspec.structs.replace(request, filters=kept)


def _passes(item: Manifest, term: ImportFilter) -> bool:
    found = resource_type(item) if term.type == "resource_type" else None
    there = {found} if found else _values(item, term.type)
    return bool(there & set(term.values)) == (term.operator in _INCLUDES)


def _values(item: Manifest, where: str) -> set[str]:
    """Return what stands at the path, as text; several for a path with a star, none where there is nothing.

    Labels and annotations stand there by key and as ``key=value``.
    """
    if where in _PAIRS:
        pairs = item.get("metadata", {}).get(where.rpartition(".")[2]) or {}
        return {*pairs, *(f"{key}={value}" for key, value in pairs.items())}
    found = [place.value for place in places(item, pattern(where)) if place.exists]
    if where == "metadata.namespace":
        found = found or ["default"]
    return {str(value).lower() if isinstance(value, bool) else str(value) for value in found}
