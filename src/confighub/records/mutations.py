"""Who set which path: mutation records as the wire shows them, with positional paths."""

from __future__ import annotations

from typing import Any, Literal

from confighub.records.base import Record

MutationType = Literal["None", "Add", "Update", "Replace", "Delete"]


class ResourceInfo(Record):
    """The identity of one document, such as ``apps/v1/Deployment`` ``traderx-dev/web``."""

    resource_name: str = ""
    resource_name_without_scope: str = ""
    resource_type: str = ""
    resource_category: str = ""


class MutationInfo(Record):
    """What happened to one place, and which change did it (``index``).

    ``value`` is YAML text: the new value, or the removed one of a delete.
    ``predicate`` true means that a merge may overwrite the place.
    """

    mutation_type: MutationType = "None"
    index: int = 0
    predicate: bool = False
    value: str = ""


class ResourceMutation(Record):
    """Everything recorded about one resource; paths are dotted, a dot in a key is ``~1``."""

    resource: ResourceInfo
    resource_mutation_info: MutationInfo
    path_mutation_map: dict[str, MutationInfo] = {}
    aliases: dict[str, dict[str, Any]] = {}
    aliases_without_scopes: dict[str, dict[str, Any]] = {}
