"""Secrets are made once, at random, for their owner's eyes only."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from traderx.project import find_project
from traderx.secrets import addon_secret, cluster_secret, ensure_secrets, manifest, path_of


@pytest.mark.requirement("R-246", "R-243")
def test_the_database_secret_has_the_seeds_user_and_a_random_password(tmp_path: Path) -> None:
    project = find_project(str(tmp_path), environ={})

    made = ensure_secrets(project, "dev")

    content = json.loads(path_of(project, "dev").read_text())
    assert made == ["traderx-db-credentials"]
    assert content["username"] == "traderx_user"
    assert len(base64.b64decode(content["password"])) == 32
    assert content["DATABASE_URL"] == f"sqlite:///{tmp_path}/databases/dev.sqlite"


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    project = find_project(str(tmp_path), environ={})
    ensure_secrets(project, "dev")
    path = path_of(project, "dev")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_secret_that_is_there_is_left_alone(tmp_path: Path) -> None:
    project = find_project(str(tmp_path), environ={})
    ensure_secrets(project, "dev")
    before = path_of(project, "dev").read_bytes()

    assert ensure_secrets(project, "dev") == []
    assert path_of(project, "dev").read_bytes() == before


def test_each_environment_has_its_own(tmp_path: Path) -> None:
    project = find_project(str(tmp_path), environ={})
    passwords = set()
    for environment in ("dev", "prod"):
        ensure_secrets(project, environment)
        passwords.add(json.loads(path_of(project, environment).read_text())["password"])

    assert len(passwords) == 2


def test_the_object_for_a_cluster_names_the_namespace_and_holds_the_url() -> None:
    found = yaml.safe_load(manifest("postgresql+psycopg://db/traderx", namespace="traderx-prod"))

    assert (found["kind"], found["metadata"]["name"]) == ("Secret", "traderx-db-credentials")
    assert found["metadata"]["namespace"] == "traderx-prod"
    assert base64.b64decode(found["data"]["DATABASE_URL"]) == b"postgresql+psycopg://db/traderx"


def test_the_secret_of_a_database_that_is_there_has_the_login_of_its_address() -> None:
    found = cluster_secret("postgresql+psycopg://ann:p%40ss@db/traderx")

    assert (found["username"], found["password"]) == ("ann", "p@ss")


def test_the_secret_of_the_addon_leaves_host_and_port_to_the_link() -> None:
    found = addon_secret()
    at = urlsplit(found["DATABASE_URL"])

    assert (at.hostname, at.port, at.path) == (None, None, "/traderx")
    assert unquote(at.password or "") == found["password"]
