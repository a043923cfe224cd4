"""A change in words: one line for each thing that a reader would care about."""

from __future__ import annotations

from typing import Any

from confighub.data import compare, lists
from confighub.data.compare import Naming, Pair
from confighub.data.document import Document, parse
from confighub.data.path import MISSING, Step, Steps, get, positioned, split
from confighub.functions.signature import KUBERNETES, PROPERTIES, Function, function, parameter
from confighub.functions.work import Work

_WORDS = {"metadata.labels": "label", "metadata.annotations": "annotation"}
_MAX_VALUE = 60


def sentences(old: str, new: str, naming: Naming) -> list[str]:
    """Return the change from the old to the new text, by resource in the new text's order; empty when there is none.

    Raises: NotYaml, NotAResource.
    """
    found: list[str] = []
    for pair in compare.pairs(parse(old), parse(new), naming):
        name = f"{pair.info.resource_type.rpartition('/')[2]} {pair.info.resource_name_without_scope}"
        if pair.old is None:
            found.append(f"adds {name}")
        elif pair.new is None:
            found.append(f"removes {name}")
        else:
            found += [f"{name}: {line}" for line in _lines(pair, pair.old, pair.new)]
    return found


def _lines(pair: Pair, old: Document, new: Document) -> list[str]:
    found = []
    for path, (what, _) in sorted(pair.changes.items()):
        segments = split(path)
        was, now = (get(one.data, positioned(one.data, segments)) for one in (old, new))
        holder = new if what != "Delete" else old
        place = _place(holder.data, positioned(holder.data, segments))
        if what == "Add":
            found.append(f"adds {place}{_shown(now, ': ')}")
        elif what == "Delete":
            found.append(f"removes {place}{_shown(was, ', which was ')}")
        elif was == now:
            found.append(f"rewrites {place}, its value stays")
        else:
            found.append(f"changes {place} from {_text(was)} to {_text(now)}")
    return found


def _shown(value: Any, lead: str) -> str:
    return "" if isinstance(value, (dict, list)) else f"{lead}{_text(value)}"


def _text(value: Any) -> str:
    if value is MISSING:
        return "nothing"
    if isinstance(value, dict):
        return f"a map of {len(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = "true" if value is True else "false" if value is False else "null" if value is None else str(value)
    text = text.replace("\n", "⏎")
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 1] + "…"


def _place(data: Any, steps: Steps) -> str:
    """Return a place in words: list items by their key, known maps by their noun."""
    for prefix, noun in _WORDS.items():
        above = tuple(prefix.split("."))
        if steps[: len(above)] == above and len(steps) == len(above) + 1:
            return f"{noun} {steps[-1]}"
    parts: list[str] = []
    for depth, step in enumerate(steps):
        if isinstance(step, int):
            parts[-1] = f"{parts[-1]} {_item(data, steps[:depth], step)}" if parts else str(step)
        else:
            parts.append(step)
    skipped = [part for part in parts if part not in ("spec", "template")] or parts
    return " ".join(skipped[-3:]) if len(skipped) > 1 else skipped[0]


def _item(data: Any, above: Steps, position: int) -> str:
    items = get(data, above)
    name: Step = above[-1] if above else ""
    if isinstance(items, list) and position < len(items):
        fields = lists.key_fields(str(name), items)
        if fields:
            key = lists.key_of(items[position], fields)
            return "/".join(str(value) for value in key or ())
    return str(position)


def _explain_diff(work: Work, arguments: list[Any]) -> Any:
    old = work.provider.to_yaml(arguments[0])
    return "\n".join(sentences(old, work.stream.text, work.provider))


FUNCTIONS: list[Function] = [
    function(
        "explain-diff",
        "Say in words what changed since an earlier text",
        _explain_diff,
        parameter("previous-config", "The earlier text", kind="YAML"),
        output=("explanation", "Opaque", "One line for each change, empty when there is none"),
        toolchains=(KUBERNETES, PROPERTIES),
    )
]
