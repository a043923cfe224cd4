"""Where live objects differ by value from what a unit says, place by place.

A keyed list is compared item by item, whatever the order; quantities are compared as amounts. Fields that a unit
does not set are no drift, unless somebody added them: the worker names those in ``confighub.com/foreign``, and on
the laptop, whose objects hold exactly what was applied, everything more is an addition.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confighub.data import lists
from confighub.errors import BadRequest
from confighub.functions import quantity

Manifest = dict[str, Any]
Step = str | tuple[tuple[str, Any], ...]
"""A key of a map, or what identifies an item of a list: pairs of field and value."""

FOREIGN = "confighub.com/foreign"
"""The annotation in which a worker lists what others own: a line each, ``PATH by MANAGER``."""

STRANGERS = "confighub.com/strangers"
"""The annotation of a live Namespace with what is in it and of no unit: lines ``VERSION KIND NAME by MANAGER``."""

AUTOSCALED = "confighub.com/autoscaled"
"""The annotation of a live workload whose replicas an autoscaler decides over."""

_STRANGE = "of no unit"
_OWN = ("laptop.confighub/", "confighub.com/", "kubectl.kubernetes.io/", "deployment.kubernetes.io/")
_SERVER_SIDE = frozenset(
    {"creationTimestamp", "deletionTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}
)
_AMOUNTS = re.compile(r"\.(limits|requests)\.[^.]+$")


@dataclass(frozen=True)
class Difference:
    """One place where an object is not as its unit says.

    ``path`` is empty when the object as a whole is gone or was added. ``expected`` or ``actual`` is None where
    there is nothing. ``who`` is the field manager that set the live value, empty when nobody knows. An object that
    ``is_strange`` is nobody's: it was found in the unit's namespace, and no unit has it.
    """

    kind: str
    name: str
    namespace: str
    api_version: str
    steps: tuple[Step, ...]
    expected: Any
    actual: Any
    who: str = ""

    @property
    def path(self) -> str:
        """The place as ``spec.template.spec.containers[name=web].image``."""
        return shown(self.steps)

    @property
    def resource(self) -> str:
        """The object as ``Deployment/web``."""
        return f"{self.kind}/{self.name}"

    @property
    def is_strange(self) -> bool:
        """Whether it is a whole object that no unit has."""
        return not self.steps and self.actual == _STRANGE

    def __str__(self) -> str:
        what = f"{self.resource} {self.path}".rstrip()
        if self.is_strange:
            return f"{what} is in namespace {self.namespace} and of no unit"
        if not self.steps:
            return f"{what} is gone" if self.actual is None else f"{what} is not in the unit"
        return f"{what} is {brief(self.actual)} and not {brief(self.expected)}"


def compare(wanted: Sequence[Manifest], live: Sequence[Manifest], *, is_exact: bool) -> list[Difference]:
    """Return every difference, in the order of the unit's documents; objects that were added come last.

    ``is_exact`` says that the live objects hold nothing that was not applied.
    """
    there = {identity(item): item for item in live}
    found: list[Difference] = []
    for document in wanted:
        item = there.pop(identity(document), None)
        if item is None:
            found.append(_of(document, (), expected="present", actual=None))
            continue
        found += _strangers(item)
        owners = _owners(item)
        pairs = list(_differing(_plain(document), _plain(item), (), is_exact))
        known = {shown(steps) for steps, _, _ in pairs}
        found += [_of(document, steps, expected=ours, actual=theirs, owners=owners) for steps, ours, theirs in pairs]
        if not is_exact:
            found += [
                Difference(**_names(document), steps=(path,), expected=None, actual="added", who=who)
                for path, who in owners.items()
                if not any(_is_within(path, one) or _is_within(one, path) for one in known)
                and not _says(document, path)
            ]
    return found + [_of(item, (), expected=None, actual="present") for item in there.values()]


def is_autoscaled(item: Manifest) -> bool:
    """Whether the worker says that an autoscaler decides over the object's replicas."""
    return ((item.get("metadata") or {}).get("annotations") or {}).get(AUTOSCALED) == "true"


def shown(steps: Iterable[Step]) -> str:
    """Return the place as text."""
    text = ""
    for step in steps:
        if isinstance(step, str):
            text += f".{step}" if text else step
        else:
            text += "[" + ",".join(f"{key}={value}" for key, value in step) + "]"
    return text


def brief(value: Any) -> str:
    """Return a value in a few words."""
    if isinstance(value, dict | list):
        return f"{len(value)} entries"
    text = "unset" if value is None else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _of(
    document: Manifest,
    steps: tuple[Step, ...],
    *,
    expected: Any,
    actual: Any,
    owners: Mapping[str, str] | None = None,
) -> Difference:
    path = shown(steps)
    who = next((one for place, one in (owners or {}).items() if _is_within(place, path)), "")
    return Difference(**_names(document), steps=steps, expected=expected, actual=actual, who=who)


def _names(document: Manifest) -> dict[str, str]:
    metadata = document.get("metadata") or {}
    return {
        "kind": str(document.get("kind", "")),
        "name": str(metadata.get("name", "")),
        "namespace": str(metadata.get("namespace") or "default"),
        "api_version": str(document.get("apiVersion", "")),
    }


def identity(item: Manifest) -> tuple[str, ...]:
    """Return group, kind, namespace and name of an object."""
    names = _names(item)
    return names["api_version"].rpartition("/")[0], names["kind"], names["namespace"], names["name"]


def _plain(item: Manifest) -> Manifest:
    """Return the object without what the far side keeps for itself."""
    metadata = {key: value for key, value in (item.get("metadata") or {}).items() if key not in _SERVER_SIDE}
    notes = {key: value for key, value in (metadata.get("annotations") or {}).items() if not key.startswith(_OWN)}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if not key.startswith(_OWN)}
    metadata = {**metadata, "annotations": notes, "labels": labels}
    return {**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata}


def _owners(item: Manifest) -> dict[str, str]:
    text = str(((item.get("metadata") or {}).get("annotations") or {}).get(FOREIGN) or "")
    split = (line.rpartition(" by ") for line in text.splitlines() if " by " in line)
    return {path: who for path, _, who in split}


def _strangers(item: Manifest) -> Iterable[Difference]:
    metadata = item.get("metadata") or {}
    text = str((metadata.get("annotations") or {}).get(STRANGERS) or "") if item.get("kind") == "Namespace" else ""
    for line in text.splitlines():
        what, _, who = line.partition(" by ")
        if len(names := what.split()) == 3:
            version, kind, name = names
            namespace = str(metadata.get("name", ""))
            yield Difference(kind, name, namespace, version, (), expected=None, actual=_STRANGE, who=who)


Found = tuple[tuple[Step, ...], Any, Any]


def _differing(wanted: Any, live: Any, steps: tuple[Step, ...], is_exact: bool) -> Iterable[Found]:
    if isinstance(wanted, dict) and isinstance(live, dict):
        more = [key for key in live if key not in wanted] if is_exact else []
        for key in [*wanted, *more]:
            yield from _differing(wanted.get(key), live.get(key), (*steps, str(key)), is_exact)
    elif isinstance(wanted, list) and isinstance(live, list):
        yield from _in_lists(wanted, live, steps, is_exact)
    elif not _is_equal(wanted, live, steps):
        yield steps, wanted, live


def _in_lists(wanted: list[Any], live: list[Any], steps: tuple[Step, ...], is_exact: bool) -> Iterable[Found]:
    name = str(steps[-1])
    keys = lists.key_fields(name, wanted, live) if all(isinstance(one, dict) for one in [*wanted, *live]) else None
    if keys is None:
        if wanted != live and (is_exact or not _holds(live, wanted, steps)):
            yield steps, wanted, live
        return
    there = {lists.key_of(item, keys): item for item in live}
    for item in wanted:
        key = lists.key_of(item, keys)
        step = tuple((field, item[field]) for field in keys if field in item)
        yield from _differing(item, there.pop(key, None), (*steps, step), is_exact)
    for item in there.values() if is_exact else ():
        yield (*steps, tuple((field, item[field]) for field in keys if field in item)), None, item


def _holds(live: list[Any], wanted: list[Any], steps: tuple[Step, ...]) -> bool:
    """Whether a list without keys has, place by place, all that is wanted; a server fills defaults in there too."""
    pairs = zip(wanted, live, strict=False)
    return len(live) == len(wanted) and not any(found for one in pairs for found in _differing(*one, steps, False))


def _is_equal(wanted: Any, live: Any, steps: tuple[Step, ...]) -> bool:
    if wanted == live and isinstance(wanted, bool) == isinstance(live, bool):
        return True
    if _is_nothing(wanted) and _is_nothing(live):
        return True
    if _AMOUNTS.search(shown(steps)):
        try:
            return quantity.parse(str(wanted)) == quantity.parse(str(live))
        except BadRequest:
            return False
    return False


def _is_nothing(value: Any) -> bool:
    return value is None or value in ({}, [])


def _is_within(path: str, outer: str) -> bool:
    return path == outer or path.startswith((f"{outer}.", f"{outer}["))


def _says(document: Manifest, path: str) -> bool:
    """Whether the unit sets the place itself, so that its value has been compared already."""
    here: Any = document
    for name, key in re.findall(r"([^.\[\]]+)|\[([^\]]*)\]", path):
        if name:
            here = here.get(name) if isinstance(here, dict) else None
        else:
            pairs = dict(pair.split("=", 1) for pair in key.split(",") if "=" in pair)
            items = here if isinstance(here, list) else []
            here = next((one for one in items if isinstance(one, dict) and _fits(one, pairs)), None)
        if here is None:
            return False
    return True


def _fits(item: Mapping[str, Any], pairs: Mapping[str, str]) -> bool:
    return all(str(item.get(field, "TCP" if field == "protocol" else "")) == value for field, value in pairs.items())
