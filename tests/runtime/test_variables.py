"""A container's environment: sources, precedence, references."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from confighub.runtime import manifests, variables

REPLICA = variables.Replica("web-1", "traderx-dev", "127.9.1.7", {"app": "web"})


def resolve(tmp_path: Path, **container: object) -> dict[str, str]:
    (tmp_path / "db.json").write_text(json.dumps({"USER": "u", "URL": "sqlite://"}))
    sources = variables.Sources({"settings": {"MODE": "fast", "URL": "map"}}, str(tmp_path), lambda *_: None)
    typed = msgspec.convert({"name": "web", **container}, manifests.Container)
    return variables.resolve(typed, replica=REPLICA, sources=sources, tag="v1.0.0").values


def test_later_sources_win_and_env_wins_over_all(tmp_path: Path) -> None:
    values = resolve(
        tmp_path,
        envFrom=[
            {"configMapRef": {"name": "settings"}},
            {"secretRef": {"name": "db"}},
            {"prefix": "P_", "secretRef": {"name": "db"}},
        ],
        env=[{"name": "USER", "value": "me"}],
    )

    assert (values["MODE"], values["URL"], values["USER"], values["P_USER"]) == ("fast", "sqlite://", "me", "u")


def test_keys_and_fields_are_resolved(tmp_path: Path) -> None:
    values = resolve(
        tmp_path,
        env=[
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "USER"}}},
            {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "MODE"}}},
            {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "E", "valueFrom": {"secretKeyRef": {"name": "db", "key": "none", "optional": True}}},
            {"name": "F", "value": "$(A)-$(B)-$$(A)-$(missing)"},
        ],
    )

    assert [values.get(name) for name in "ABCDEF"] == [
        "u",
        "fast",
        "traderx-dev",
        "web",
        None,
        "u-fast-$(A)-$(missing)",
    ]


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"envFrom": [{"secretRef": {"name": "gone"}}]}, "secret gone not found"),
        ({"envFrom": [{"configMapRef": {"name": "gone"}}]}, "configmap gone not found"),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "no"}}}]},
            "secret db has no key no",
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}]},
            "field spec.x is not known here",
        ),
    ],
)
def test_what_is_missing_is_told_by_name(tmp_path: Path, container: dict[str, object], message: str) -> None:
    with pytest.raises(variables.Unresolved, match=message):
        resolve(tmp_path, **container)


def test_a_broken_secret_is_told_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"PASSWORD": hunter2}')

    with pytest.raises(variables.Unresolved) as told:
        variables.secret(str(tmp_path), "bad")

    assert "hunter2" not in str(told.value)
    assert "secret bad cannot be read" in str(told.value)
