"""Documents like those of Kubernetes in the forms that people write: strategies, and a writer that is not ours.

The writer knows where it put each scalar, so that a test can say which line an edit may touch.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from random import Random
from typing import Any

import yaml
from hypothesis import strategies as st

Steps = tuple[str | int, ...]

WORDS = ("web", "api", "v1.2.0", "yes", "on", "null", "~", "1e3", "0x1F", "8080", "a: b", "one #two", "it's", "- x", "")
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9/_-]*(?: [a-z]+)*\Z")
NOT_PLAIN = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false", "null", "nan", "inf"})

texts = st.sampled_from(WORDS) | st.text("abcXYZ019 :#-_./'\"\\{}[],&*!|>%@`~=äß日🚀", max_size=12)
block_texts = st.lists(st.text("abc:#- {}", max_size=8), min_size=2, max_size=4).map(
    lambda lines: "\n".join(["x" + lines[0].rstrip(), *(line.rstrip() for line in lines[1:]), "end"]) + "\n"
)
scalars = texts | st.integers(-5, 100_000) | st.booleans() | st.none() | block_texts
keys = st.sampled_from(
    ("app", "tier", "image", "replicas", "port", "example.com/key", "data", "on", "args", "spec", "a b", "ü", "1")
)
values = st.recursive(
    scalars,
    lambda below: st.dictionaries(keys, below, max_size=4) | st.lists(below, max_size=3),
    max_leaves=10,
)
names = st.sampled_from(("web", "api", "db"))


@st.composite
def manifests(draw: st.DrawFn, name: str = "") -> dict[str, Any]:
    """One resource's data: a Deployment with containers that have names, and arbitrary parts."""
    containers = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name or draw(names), "labels": draw(st.dictionaries(keys, texts, max_size=3))},
        "spec": {
            "replicas": draw(st.integers(0, 9)),
            "extra": draw(values),
            "template": {"spec": {"containers": [draw(_container(one)) for one in containers]}},
        },
    }


@st.composite
def _container(draw: st.DrawFn, name: str) -> dict[str, Any]:
    variables = draw(st.lists(st.sampled_from("ABCD"), max_size=3, unique=True))
    container: dict[str, Any] = {
        "name": name,
        "image": f"{name}:v{draw(st.integers(1, 9))}",
        "args": draw(st.lists(texts, max_size=2)),
    }
    if variables:
        container["env"] = [{"name": one, "value": draw(texts)} for one in variables]
    return container


@dataclass
class Written:
    """A text, and where things stand in it: the line of each one-line scalar, and the maps and lists in block form."""

    lines: list[str] = field(default_factory=list)
    line_of: dict[Steps, int] = field(default_factory=dict)
    blocks: set[Steps] = field(default_factory=set)

    @property
    def text(self) -> str:
        """The text, with a line end at its end."""
        return "\n".join(self.lines) + "\n"


def written(data: Any, seed: int) -> Written:
    """Return the data as a text whose form, odd spaces and comments the seed chooses."""
    writer = _Writer(Random(seed))
    writer.block(data, (), 0)
    return writer.out


class _Writer:
    def __init__(self, random: Random) -> None:
        self.random, self.out = random, Written()
        self.step, self.dash = random.choice((2, 2, 2, 3, 4)), random.choice((0, 2))

    def block(self, data: Any, steps: Steps, indent: int) -> None:
        self.out.blocks.add(steps)
        pairs = list(data.items()) if isinstance(data, dict) else list(enumerate(data))
        for step, value in pairs:
            self._between(indent)
            lead = f"{self._key(step)}:" if isinstance(data, dict) else "-"
            self._value(" " * indent + lead, value, (*steps, step), indent, in_list=not isinstance(data, dict))

    def _value(self, lead: str, value: Any, steps: Steps, indent: int, *, in_list: bool) -> None:
        if isinstance(value, dict | list) and value and self.random.random() < 0.85:
            self.out.lines.append(lead + self._comment(beside=True))
            deeper = indent + (2 if in_list else self.dash if isinstance(value, list) else self.step)
            self.block(value, steps, deeper)
        elif isinstance(value, str) and value.count("\n") > 1:
            self.out.lines.append(lead + " |")
            self.out.lines += [" " * (indent + 2) + line if line else "" for line in value.split("\n")[:-1]]
        else:
            self._note(value, steps)
            text = self._flow(value)
            self.out.lines.append(lead + " " * self.random.choice((1, 1, 3)) + text + self._comment(beside=True))

    def _note(self, value: Any, steps: Steps) -> None:
        if isinstance(value, dict | list):
            for step, item in value.items() if isinstance(value, dict) else enumerate(value):
                self._note(item, (*steps, step))
        else:
            self.out.line_of[steps] = len(self.out.lines)

    def _flow(self, value: Any) -> str:
        if isinstance(value, dict):
            return "{" + ", ".join(f"{self._key(key)}: {self._flow(item)}" for key, item in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self._flow, value)) + "]"
        return self._scalar(value)

    def _scalar(self, value: Any) -> str:
        if not isinstance(value, str):
            return json.dumps(value)
        if PLAIN.match(value) and value.lower() not in NOT_PLAIN and self.random.random() < 0.7:
            return value
        if value.isprintable() and self.random.random() < 0.5:
            return "'" + value.replace("'", "''") + "'"
        return json.dumps(value, ensure_ascii=False)

    def _key(self, key: Any) -> str:
        if re.match(r"[a-z][a-z./]*\Z", key) and key not in NOT_PLAIN and self.random.random() < 0.9:
            return str(key)
        return json.dumps(key, ensure_ascii=False)

    def _between(self, indent: int) -> None:
        if self.random.random() < 0.1:
            self.out.lines.append("")
        if self.random.random() < 0.15:
            self.out.lines.append(" " * indent + "# " + self.random.choice(("about this: x", "- no item", "{ not")))

    def _comment(self, *, beside: bool) -> str:
        return "  # " + self.random.choice(("why", "a: b", "'quote")) if self.random.random() < 0.2 else ""


class _Loader(yaml.SafeLoader):
    """Reads like YAML 1.2: only true and false are booleans, and no text is a date."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in known if tag != "tag:yaml.org,2002:timestamp"]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _first in "yYnNoO":
    _Loader.yaml_implicit_resolvers[_first] = [
        (tag, expression)
        for tag, expression in _Loader.yaml_implicit_resolvers.get(_first, [])
        if tag != "tag:yaml.org,2002:bool"
    ]


def read(text: str) -> list[Any]:
    """Return the documents of a text, read by a parser that is not ours."""
    return [one for one in yaml.load_all(text, Loader=_Loader) if one is not None]


def leaves(data: Any, steps: Steps = ()) -> list[Steps]:
    """Return where the scalars stand."""
    if isinstance(data, dict):
        return [found for key, item in data.items() for found in leaves(item, (*steps, key))]
    if isinstance(data, list):
        return [found for at, item in enumerate(data) for found in leaves(item, (*steps, at))]
    return [steps]


def containers(data: Any, steps: Steps = ()) -> list[Steps]:
    """Return where the maps and lists stand, the whole first."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    below = [found for step, item in pairs for found in containers(item, (*steps, step))]
    return [steps, *below] if isinstance(data, dict | list) else []


def at(data: Any, steps: Steps) -> Any:
    """Return what stands at the steps."""
    for step in steps:
        data = data[step]
    return data
