"""A change in a sentence: what went from what to what, for revision lists and the audit log.

The words come from the mutation records and the text before; values are cut to a line.
"""

from __future__ import annotations

import re
from typing import Any

from confighub.data.path import MISSING, Steps, get, positioned, split
from confighub.hub.domain.positions import tree_of, trees_of
from confighub.records.mutations import MutationInfo, ResourceMutation

MAX_CHANGES = 3
"""Changes that are told one by one; the rest is counted."""

MAX_VALUE = 60

_MAP = re.compile(r"[\w./-]+:( |$)|- ")
"""How the text of a map or a list on one line begins; no scalar does."""


def described(records: list[ResourceMutation], old: str) -> str:
    """Return the changes that the records tell of, such as ``replicas from 1 to 3``; empty when there are none."""
    found = changes(records, old)
    if len(found) <= MAX_CHANGES:
        return ", ".join(found)
    return f"{', '.join(found[:MAX_CHANGES])} and {len(found) - MAX_CHANGES} more"


def changes(records: list[ResourceMutation], old: str) -> list[str]:
    """Return one phrase for each change, in the order of the records, none twice."""
    trees = trees_of(old) if old else {}
    found: dict[str, None] = {}
    for record in records:
        what = record.resource_mutation_info.mutation_type
        name = f"{record.resource.resource_type.rpartition('/')[2]} {record.resource.resource_name_without_scope}"
        if what in ("Add", "Delete", "Replace"):
            found[f"{_VERBS[what]} {name}"] = None
            continue
        tree = tree_of(record, trees)
        for path, info in record.path_mutation_map.items():
            found[_change(path, info, tree)] = None
    return list(found)


_VERBS = {"Add": "adds", "Delete": "removes", "Replace": "replaces"}


def _change(path: str, info: MutationInfo, tree: Any) -> str:
    steps = positioned(tree, split(path))
    was = get(tree, steps) if tree is not MISSING else MISSING
    name = _name(steps, tree)
    if info.mutation_type == "Delete":
        return f"removes {name}"
    now = _shown(info.value)
    if was is MISSING:
        return f"adds {name}" if now is None or _MAP.match(now) else f"sets {name} to {now}"
    before = _shown("" if was is None else str(was)) if not isinstance(was, (dict, list)) else None
    if before is None or now is None:
        return f"changes {name}"
    if steps[-1] == "image":
        repository, separator, tag = before.rpartition(":")
        if separator and now.startswith(f"{repository}:"):
            return f"image tag of {name} from {tag} to {now.rpartition(':')[2]}"
        return f"image of {name} from {before} to {now}"
    return f"{name} from {before} to {now}"


def _name(steps: Steps, tree: Any) -> str:
    """Return what people call the place: ``replicas``, ``env LOG_LEVEL``, the container of an image."""
    if "env" in steps and steps[-1] == "value":
        return f"env {_item_name(tree, steps[:-1])}"
    if steps[-1] == "image":
        return _item_name(tree, steps[:-1])
    if len(steps) >= 2 and steps[-2] in ("labels", "annotations"):
        return f"{str(steps[-2])[:-1]} {steps[-1]}"
    if steps[:1] in (("metadata",), ("spec",)) and len(steps) == 2:
        return str(steps[1])
    if "resources" in steps:
        return " ".join(str(step) for step in steps[steps.index("resources") + 1 :])
    last = next((at for at in range(len(steps) - 1, -1, -1) if isinstance(steps[at], int)), -1)
    rest = ".".join(str(step) for step in steps[last + 1 :])
    if last < 0:
        return rest
    return f"{rest} of {_item_name(tree, steps[: last + 1])}" if rest else f"item {_item_name(tree, steps)}"


def _item_name(tree: Any, steps: Steps) -> str:
    item = get(tree, steps) if tree is not MISSING else MISSING
    name = item.get("name") if isinstance(item, dict) else None
    if name is not None:
        return str(name)
    return " ".join(str(step) for step in steps[-2:])


def _shown(value: str) -> str | None:
    """Return a scalar on one line, None for anything bigger."""
    text = value.strip()
    if "\n" in text:
        return None
    text = text.partition(" #")[0].strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 1]}…"
