"""What a text needs and what another provides: references that are still placeholders, and names of resources.

A reference fits a name when it is to a resource of that type. Which attributes there are is for the functions
``get-needed`` and ``get-provided`` to say; hosts and ports for environment variables come beside them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from confighub.data.document import parse
from confighub.data.resource import identity
from confighub.hub.domain import endpoints
from confighub.records.functions import FunctionArgument, FunctionInvocation
from confighub.records.mutations import ResourceInfo, ResourceMutation

PLACEHOLDER = "confighubplaceholder"
"""The value of a text that is still to be chosen. Source: the public library."""


@dataclass(frozen=True)
class Attribute:
    """One place in a text that holds a reference, or the name of a resource; ``about`` is what it refers to."""

    resource: ResourceInfo
    path: str
    about: str
    value: Any
    data_type: str


def needed(text: str, toolchain: str) -> list[Attribute]:
    """Return the references that are still placeholders, in the order of the function, then the variables that are."""
    if PLACEHOLDER not in text:
        return []
    return [*_attributes(text, toolchain, "get-needed"), *map(_variable, endpoints.asked(text, PLACEHOLDER))]


def provided(text: str, toolchain: str) -> list[Attribute]:
    """Return the names that others may refer to, those left out that are placeholders themselves."""
    found = [*_attributes(text, toolchain, "get-provided"), *map(_variable, endpoints.offered(text))]
    return [one for one in found if PLACEHOLDER not in str(one.value)]


def fitting(need: Attribute, offers: list[Attribute]) -> Attribute | None:
    """Return the one offer for this need; None also when there are several, since a guess would be a wrong one."""
    found = [one for one in offers if (one.about, one.data_type) == (need.about, need.data_type)]
    return found[0] if len({str(one.value) for one in found}) == 1 else None


def filled(text: str, toolchain: str, places: list[Attribute], value: Any) -> tuple[str, list[ResourceMutation]]:
    """Return the text with the value at each place, and the records of that."""
    from confighub.functions.invoke import Context, invoke

    wanted = [
        {
            "ResourceName": place.resource.resource_name,
            "ResourceType": place.resource.resource_type,
            "Path": place.path,
            "DataType": place.data_type,
            "Value": value,
        }
        for place in places
    ]
    # A resource is found by its name, which its own namespace is part of: that one comes last.
    wanted.sort(key=lambda one: one["Path"] == "metadata.namespace")
    call = FunctionInvocation(function_name="set-attributes", arguments=[FunctionArgument(value=json.dumps(wanted))])
    result = invoke(text, [call], context=Context(), toolchain=toolchain)
    return result.text, result.mutations


def named_now(text: str, recorded: ResourceMutation) -> ResourceInfo | None:
    """Return the resource of the text that the record is about, under any of its names; None when it is gone."""
    names = {recorded.resource.resource_name_without_scope, *recorded.aliases_without_scopes}
    for placed in parse(text).documents:
        info = identity(placed.document)
        if info.resource_type == recorded.resource.resource_type and info.resource_name_without_scope in names:
            return info
    return None


def _variable(one: endpoints.Endpoint) -> Attribute:
    return Attribute(one.resource, one.path, f"variable {one.variable}", one.value, "string")


def _attributes(text: str, toolchain: str, function: str) -> list[Attribute]:
    from confighub.functions.invoke import Context, invoke

    result = invoke(text, [FunctionInvocation(function_name=function)], context=Context(), toolchain=toolchain)
    return [_attribute(one) for one in json.loads(result.output) or []] if result.success else []


def _attribute(one: dict[str, Any]) -> Attribute:
    info = one.get("Info") or {}
    calls = [*(info.get("SetterInvocations") or []), info.get("GetterInvocation") or {}]
    arguments = [argument for call in calls for argument in call.get("Arguments") or []]
    types = [str(each["Value"]) for each in arguments if each.get("ParameterName") == "resource-type"]
    resource = ResourceInfo(
        resource_name=one["ResourceName"],
        resource_name_without_scope=one["ResourceNameWithoutScope"],
        resource_type=one["ResourceType"],
        resource_category=one["ResourceCategory"],
    )
    about = f"{one.get('AttributeName')} {' '.join(types)}"
    return Attribute(resource, one["Path"], about, one["Value"], one["DataType"])
