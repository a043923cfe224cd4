"""The files that hold login and context."""

import json
import stat
from pathlib import Path

import pytest

from confighub.client.session import Context, Home, Session, connect, hub_url
from confighub.client.settings import ClientSettings
from confighub.errors import BadRequest


def test_a_session_is_read_back_as_kept_and_hidden_from_others(tmp_path: Path) -> None:
    home = Home(tmp_path / "new")

    home.keep_session(Session(username="alice", auth_type="Basic", password="pw"))

    assert home.session().authorization == "Basic YWxpY2U6cHc="
    assert stat.S_IMODE((tmp_path / "new" / "session.json").stat().st_mode) == 0o600


def test_a_session_written_by_the_public_client_is_understood(tmp_path: Path) -> None:
    (tmp_path / "session.json").write_text(json.dumps({"access_token": "t", "auth_type": "JWT"}))

    assert Home(tmp_path).session().authorization == "Bearer t"


def test_no_files_mean_nobody_and_the_default_hub(tmp_path: Path) -> None:
    settings = ClientSettings(url="", config_dir=tmp_path)

    client = connect(settings)

    assert client.transport.authorization == ""
    assert client.transport.url == "http://127.0.0.1:9090"


def test_the_address_that_is_set_wins_over_the_contexts(tmp_path: Path) -> None:
    Home(tmp_path).keep_context(Context(url="http://kept:1", space="dev"))

    assert hub_url(ClientSettings(url="", config_dir=tmp_path)) == "http://kept:1"
    assert hub_url(ClientSettings(url="http://set:2", config_dir=tmp_path)) == "http://set:2"


def test_a_context_keeps_the_public_clients_keys(tmp_path: Path) -> None:
    Home(tmp_path).keep_context(Context(url="u", space="dev", space_id="1", organization_id="2"), "work")

    stored = json.loads((tmp_path / "context-work.json").read_text())

    assert stored == {"confighub_url": "u", "space": "dev", "space_id": "1", "organization_id": "2"}


def test_a_broken_session_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "session.json").write_text("{")

    with pytest.raises(BadRequest, match=r"session\.json is not JSON"):
        Home(tmp_path).session()


def test_a_context_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="not a name for a context"):
        Home(tmp_path).context("../x")


def test_passwords_of_test_users_are_looked_up_by_name(tmp_path: Path) -> None:
    (tmp_path / "testusers.csv").write_text("alice,a1\nbob,b2\n")

    assert Home(tmp_path).password_of("bob") == "b2"
    assert Home(tmp_path).password_of("eve") is None
