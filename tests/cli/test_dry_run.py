"""``--dry-run``: on every command that changes something, and nothing is stored by it."""

import json
import re
from itertools import count
from pathlib import Path

import pytest

from confighub.cli.command import Command
from confighub.cli.tree import every_command
from tests.cli.conftest import Terminal

CHANGING = re.compile(r"(create|update|delete|edit|set-target|push-upgrade|approve|destroy|refresh|apply|tag|import)$")
COMMANDS = dict(every_command())

MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: it\n  namespace: n\ndata:\n  a: b\n"

LINES = [
    ("space create SPACE-x", "dry run: space SPACE-x would be created"),
    ("space update SPACE --label a=b", "would be updated"),
    ("space delete SPACE-empty", "would be deleted"),
    ("worker create other", "bridgeworker other would be created"),
    ("target delete spare", "target spare would be deleted"),
    ("unit create new FILE", "dry run: unit new would be created"),
    ("unit create it FILE --allow-exists", "exists already"),
    ("unit create --unit it --name-prefix a-,b-", "dry run: create of 2 units"),
    ('unit update it --patch --data {"data":{"a":"c"}}', "+  a: c"),
    ('unit update --patch --unit it --data {"data":{"a":"c"}}', "1 of 1 would have another head"),
    ("unit set-target it -", "would have the target -"),
    ("unit set-target - --unit it", "dry run: update of 1 units"),
    ("unit approve it", "would be approved at revision 1"),
    ("unit approve --unit it", "dry run: approve of 1 units"),
    ("unit apply it", "dry run: apply of 1 units"),
    ("unit apply it --revision 1", "apply of unit it would be queued"),
    ("unit destroy it", "destroy of unit it would be queued"),
    ("unit refresh --unit it", "refresh of unit it would be queued"),
    ("unit push-upgrade it", "dry run: upgrade of 0 units"),
    ("unit import new --where kind='X'", "unit new would be filled from its target"),
    ("unit delete it", "dry run: unit it would be deleted"),
    ("unit delete --unit it", "dry run: delete of 1 units"),
    ("unit tag v1 it", "dry run: tag of 1 units"),
    ("function do --unit it set-string-path v1/ConfigMap data.a c", "1 of 1 units would change"),
    ("tag delete v1", "tag v1 would be deleted"),
    ("filter update all --where Slug='x'", "filter all would be updated"),
    ("set create s", "set s would be created"),
    ("changeset create c --filter all", "changeset c would be created"),
    ("trigger create t Mutation Kubernetes/YAML no-placeholders", "trigger t would be created"),
    ("invocation create i Kubernetes/YAML set-replicas 2", "invocation i would be created"),
    ("organization create other", "organization other would be created"),
    ("organization-member create bo", "organization-member bo would be created"),
]

_numbers = count(1)


@pytest.fixture
def space(alice: Terminal, tmp_path: Path) -> str:
    """A space with one of what can be changed; it is the current one."""
    name = f"dry-{next(_numbers)}"
    (tmp_path / "it.yaml").write_text(MAP)
    for line in (f"space create {name}", f"space create {name}-empty", f"context set --space {name}"):
        alice.must(*line.split())
    alice.must("worker", "create", "w")
    for target in ("t", "spare"):
        alice.must("target", "create", target, "{}", "w")
    alice.must("unit", "create", "it", str(tmp_path / "it.yaml"), "--target", "t")
    alice.must("tag", "create", "v1")
    alice.must("filter", "create", "all", "Unit")
    return name


def stored(alice: Terminal, space: str) -> object:
    """Return all that a command could have changed."""
    nouns = ("unit", "tag", "filter", "set", "changeset", "trigger", "invocation", "target", "worker")
    found = {noun: json.loads(alice.must(noun, "list", "--select", "*", "--json").out) for noun in nouns}
    found["space"] = json.loads(alice.must("space", "list", "--where", f"Slug LIKE '{space}%'", "--json").out)
    return found


def test_every_command_that_changes_something_has_a_dry_run() -> None:
    changing = {path: one for path, one in COMMANDS.items() if CHANGING.search(path) and isinstance(one, Command)}

    without = [
        path
        for path, one in changing.items()
        if "--dry-run" not in {spelling for p in one.params for spelling in p.opts}
    ]

    assert len(changing) > 50
    assert without == []


def test_a_dry_run_tells_what_would_be_and_stores_nothing(alice: Terminal, space: str, tmp_path: Path) -> None:
    before = stored(alice, space)
    wrong = []

    for line, told in LINES:
        words = line.replace("SPACE", space).replace("FILE", str(tmp_path / "it.yaml")).split()
        ran = alice.run(*words, "--dry-run")
        if ran.status or told.replace("SPACE", space) not in ran.out:
            wrong.append((line, ran.out, ran.err))

    assert wrong == []
    assert stored(alice, space) == before


def test_a_dry_run_says_what_would_be_refused(alice: Terminal, space: str, tmp_path: Path) -> None:
    ran = alice.run("unit", "create", "it", str(tmp_path / "it.yaml"), "--dry-run")

    assert ran.status == 1
    assert "it" in ran.err
