"""Who owns which field of an object, read from its managedFields.

Server-side apply leaves alone what another manager added, even when forced, and a dry run does not show it:
such additions are found here. Field paths are lists of steps as the server writes them: ``f:name`` a field,
``k:{…}`` the item of a list with these keys, ``v:…`` a value of a set.
Source: Kubernetes structured-merge-diff, fieldsV1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from confighub.worker.documents import Manifest
from confighub.worker.kubernetes.api import MANAGER

Fields = dict[str, Any]

_CONTENT = ("f:spec", "f:data", "f:binaryData", "f:rules", "f:subjects", "f:webhooks")
"""Only what an author writes can be added to by another; labels and annotations are everybody's notebook."""

# `kubectl rollout restart` writes here, and taking it away would restart again.
_LEFT_ALONE = (("f:spec", "f:template", "f:metadata", "f:annotations"),)
# Controllers write into specs as part of their work: a volume's name, a cluster address, a replica count.
_CONTROLLERS = (
    "kube-",
    "kubelet",
    "cloud-controller",
    "cluster-autoscaler",
    "vpa-",
    "keda",
    "cert-manager",
    "istio",
    "pilot-",
    "linkerd",
    "velero",
    "kwok",
    "nginx-ingress",
)
_CONTROLLER_ENDINGS = ("-controller", "-controller-manager", "-operator", "-autoscaler", "-webhook", "-injector")


@dataclass(frozen=True)
class Addition:
    """A field that only others own: ``steps`` lead to it, ``manager`` set it."""

    manager: str
    steps: tuple[str, ...]

    def __str__(self) -> str:
        """As ``spec.containers[name=web].env[name=DEBUG] by kubectl-edit``."""
        return f"{shown(self.steps)} by {self.manager}"


def is_controller(manager: str) -> bool:
    """True for managers that are programs of the cluster and not people or other deployers."""
    return manager.startswith(_CONTROLLERS) or manager.endswith(_CONTROLLER_ENDINGS)


def additions(item: Manifest, *, to_leaves: bool = False) -> list[Addition]:
    """Return the outermost fields of the content that people or other deployers own and we do not.

    In the order of managedFields; empty for an object that we have not applied. ``to_leaves`` gives the innermost
    fields instead: an outermost one may hold what was ours until another took it over.
    """
    entries = (item.get("metadata") or {}).get("managedFields") or []
    ours: Fields = {}
    for entry in entries:
        if entry.get("manager") == MANAGER and entry.get("operation") == "Apply":
            ours = entry.get("fieldsV1") or {}
    if not ours or item.get("kind") == "Namespace":  # all that a Namespace's spec holds are the server's finalizers
        return []
    kept = [_fields(entry) for entry in entries if is_controller(str(entry.get("manager", "")))]
    found: list[Addition] = []
    for entry in entries:
        manager = str(entry.get("manager", ""))
        if manager == MANAGER or entry.get("subresource") or is_controller(manager):
            continue
        theirs = {key: value for key, value in _fields(entry).items() if key in _CONTENT}
        for steps in _beyond(theirs, ours, (), to_leaves=to_leaves):
            if not any(_has(fields, steps) for fields in kept) and steps not in [one.steps for one in found]:
                found.append(Addition(manager, steps))
    return found


def makers(item: Manifest) -> tuple[str, ...]:
    """Return the managers of the object's content that are no programs of the cluster, in the order of managedFields.

    An object that says nothing, such as a ConfigMap without data, has no manager: its maker is ``unknown``.
    """
    entries = (item.get("metadata") or {}).get("managedFields") or []
    if not entries:
        return ("unknown",)
    named = [str(entry.get("manager", "")) for entry in entries if not entry.get("subresource")]
    return tuple(dict.fromkeys(one for one in named if not is_controller(one)))


def owners(item: Manifest, steps: Sequence[str]) -> list[str]:
    """Return the managers that own the field, in the order of managedFields; status entries included."""
    entries = (item.get("metadata") or {}).get("managedFields") or []
    return [str(entry.get("manager", "")) for entry in entries if _has(_fields(entry), steps)]


def placed(item: Manifest, steps: Sequence[str]) -> tuple[str, Any] | None:
    """Return the field's JSON pointer in this object and its value, None when it is not there (any more)."""
    at: Any = item
    found = ""
    for step in steps:
        key = _key_in(at, step)
        if key is None:
            return None
        at = at[key]
        found += "/" + str(key).replace("~", "~0").replace("/", "~1")
    return found, at


def removal(item: Manifest, wanted: Sequence[Addition]) -> list[Manifest]:
    """Return the JSON patch that takes the additions away; it fails when one of them has changed in between.

    Later items of a list go first, so that the places of the earlier ones hold.
    """
    places = dict(filter(None, (placed(item, one.steps) for one in wanted)))
    patch: list[Manifest] = []
    for place in sorted(places, key=_place, reverse=True):
        patch.append({"op": "test", "path": place, "value": places[place]})
        patch.append({"op": "remove", "path": place})
    return patch


def shown(steps: Sequence[str]) -> str:
    """Return the path as people write it."""
    text = ""
    for step in steps:
        kind, _, rest = step.partition(":")
        if kind == "f":
            text += f".{rest}" if text else rest
        elif kind == "k":
            keys = msgspec.json.decode(rest)
            text += "[" + ",".join(f"{key}={value}" for key, value in keys.items()) + "]"
        else:
            text += f"[{rest}]"
    return text


def _fields(entry: Manifest) -> Fields:
    fields: Fields = entry.get("fieldsV1") or {}
    return fields


def _has(fields: Fields, steps: Sequence[str]) -> bool:
    for step in steps:
        if step not in fields:
            return False
        fields = fields[step]
    return True


def _beyond(theirs: Fields, ours: Fields, before: tuple[str, ...], *, to_leaves: bool) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for step, inner in theirs.items():
        steps = (*before, step)
        if step == "." or steps in _LEFT_ALONE:
            continue
        is_map = any(key.startswith("f:") for key in inner) and step.startswith("f:")
        if step not in ours and not (to_leaves and is_map):
            found.append(steps)
        elif inner:
            found += _beyond(inner, ours.get(step, {}), steps, to_leaves=to_leaves)
    return found


def _key_in(at: Any, step: str) -> str | int | None:
    kind, _, rest = step.partition(":")
    if kind == "f":
        return rest if isinstance(at, dict) and rest in at else None
    if not isinstance(at, list):
        return None
    if kind == "i":
        return int(rest) if int(rest) < len(at) else None
    wanted = msgspec.json.decode(rest)
    for place, item in enumerate(at):
        if kind == "v" and item == wanted:
            return place
        if kind == "k" and isinstance(item, dict) and all(_same(item, key, wanted[key]) for key in wanted):
            return place
    return None


def _same(item: Manifest, key: str, value: Any) -> bool:
    # The server keys ports by protocol too, and its default may be left out.
    return bool(item.get(key, "TCP" if key == "protocol" else None) == value)


def _place(path: str) -> list[tuple[int, int, str]]:
    return [(1, int(step), "") if step.isdigit() else (0, 0, step) for step in path.split("/")]
