"""Who gets in, and what every answer looks like."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.cookies import SimpleCookie

import pytest

from tests.api.running import PASSWORD, HubProcess, basic


def test_info_is_open_and_names_the_port_of_workers(shared_hub: HubProcess) -> None:
    answer = shared_hub.request("GET", "/api/info", authorization="")

    assert answer.status == 200
    assert answer.json["WorkerPort"] == str(shared_hub.port)


@pytest.mark.parametrize(
    "authorization",
    ["", "Basic", "Basic !", basic("alice@example.com", "wrong"), basic("nobody", PASSWORD), "Bearer no", "Digest x"],
)
def test_without_the_right_credentials_nobody_gets_in(shared_hub: HubProcess, authorization: str) -> None:
    answer = shared_hub.request("GET", "/api/space", authorization=authorization)

    assert answer.status == 401
    assert answer.json["Code"] == "401"
    assert PASSWORD not in answer.json["Message"]


def test_a_user_gets_in_by_password(shared_hub: HubProcess) -> None:
    me = shared_hub.ok("GET", "/api/me")

    assert me["Username"] == "alice@example.com"
    assert me["OrganizationID"]


def test_a_worker_logs_in_and_sees_the_first_space(
    shared_hub: HubProcess, new_space: Callable[..., tuple[str, str]]
) -> None:
    space_id, _ = new_space()
    worker_id, secret = shared_hub.worker(space_id)

    body = {"worker_id": worker_id, "worker_secret": secret}
    session = shared_hub.request("POST", "/auth/worker", body=body, authorization="").json

    bearer = f"Bearer {session['access_token']}"
    assert shared_hub.request("GET", "/api/space", authorization=bearer).json
    assert session["organization_id"]


def test_a_worker_with_a_wrong_secret_is_refused(
    shared_hub: HubProcess, new_space: Callable[..., tuple[str, str]]
) -> None:
    worker_id, _ = shared_hub.worker(new_space()[0])

    body = {"worker_id": worker_id, "worker_secret": "ch_wrongwrong"}
    answer = shared_hub.request("POST", "/auth/worker", body=body, authorization="")

    assert answer.status == 401


def test_a_worker_may_not_speak_for_another(shared_hub: HubProcess, new_space: Callable[..., tuple[str, str]]) -> None:
    space_id, _ = new_space()
    _, secret = shared_hub.worker(space_id, "w1")
    other, _ = shared_hub.worker(space_id, "w2")

    answer = shared_hub.request("GET", f"/api/bridge_worker/{other}/me", authorization=f"Bearer {secret}")

    assert answer.status == 401


def test_every_answer_has_an_id_of_its_own(shared_hub: HubProcess) -> None:
    ids = {shared_hub.request("GET", path).headers["x-request-id"] for path in ("/api/info", "/api/space", "/nowhere")}

    assert len(ids) == 3


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/nowhere"), ("GET", "/api/nowhere"), ("GET", "/api/space/x/y/z")]
)
def test_an_unknown_path_is_not_found(shared_hub: HubProcess, method: str, path: str) -> None:
    answer = shared_hub.request(method, path)

    assert answer.status == 404
    assert path in answer.json["Message"]


def test_a_method_that_does_not_exist_names_those_that_do(shared_hub: HubProcess) -> None:
    answer = shared_hub.request("DELETE", "/api/space")

    assert answer.status == 405
    assert answer.headers["allow"] == "GET, POST"


def test_the_interactive_page_loads_nothing_from_outside(shared_hub: HubProcess) -> None:
    page = shared_hub.request("GET", "/api/docs", authorization="").body.decode()

    assert "http://" not in page
    assert "https://" not in page
    for name in ("swagger-ui.css", "swagger-ui-bundle.js"):
        assert shared_hub.request("GET", f"/api/docs/{name}", authorization="").status == 200
    assert shared_hub.request("GET", "/api/docs/other.js", authorization="").status == 404


def test_a_token_is_turned_into_those_for_another_organization(shared_hub: HubProcess, hub_token: str) -> None:
    other = shared_hub.ok("POST", "/api/organization", None, {"Slug": "elsewhere"})
    target = f"/auth/switch-organization?organization_id={other['ExternalID']}"

    answer = shared_hub.request(
        "GET", target, authorization="", headers={"Cookie": f"{{of}}=others; confighub_refresh_token={hub_token}"}
    )

    cookies = SimpleCookie("; ".join(value for name, value in answer.all_headers if name.lower() == "set-cookie"))
    assert answer.status == 302
    for name in ("confighub_session", "confighub_refresh_token"):
        me = shared_hub.request("GET", "/api/me", authorization=f"Bearer {cookies[name].value}").json
        assert (me["Username"], me["OrganizationID"]) == ("alice@example.com", other["OrganizationID"])


def test_nobody_switches_to_what_is_not_theirs_or_without_a_token(shared_hub: HubProcess, hub_token: str) -> None:
    target = "/auth/switch-organization?organization_id=org_unknown"

    unknown = shared_hub.request(
        "GET", target, authorization="", headers={"Cookie": f"confighub_refresh_token={hub_token}"}
    )
    nobody = shared_hub.request("GET", target)
    foreign = shared_hub.request("GET", target, authorization="", headers={"Cookie": "{of}=others"})

    assert (unknown.status, nobody.status, foreign.status) == (404, 401, 401)


@pytest.fixture(scope="module")
def hub_token(shared_hub: HubProcess) -> str:
    """A token of the hub's user."""
    return shared_hub.confighub("token", "create", "alice@example.com").strip()


def test_a_changed_password_counts_at_once_although_logins_are_remembered(either_hub: HubProcess) -> None:
    either_hub.confighub("user", "add", "carol", "--password-stdin", typed="first\n")
    for _ in range(3):
        assert either_hub.request("GET", "/api/me", authorization=basic("carol", "first")).status == 200

    either_hub.confighub("user", "add", "carol", "--password-stdin", typed="second\n")

    eventually_refused(either_hub, basic("carol", "first"))
    assert either_hub.request("GET", "/api/me", authorization=basic("carol", "second")).status == 200


def test_a_revoked_token_is_refused_although_logins_are_remembered(either_hub: HubProcess) -> None:
    token = either_hub.confighub("token", "create", "alice@example.com", "--name", "short").strip()
    assert either_hub.request("GET", "/api/me", authorization=f"Bearer {token}").status == 200
    listed = either_hub.confighub("token", "list").splitlines()
    token_id = next(line.split("\t")[0] for line in listed if "\tshort\tvalid" in line)

    either_hub.confighub("token", "revoke", token_id)

    eventually_refused(either_hub, f"Bearer {token}")


def eventually_refused(hub: HubProcess, authorization: str) -> None:
    """Ask until the credentials are refused: on PostgreSQL another process hears of a change a moment later."""
    while hub.request("GET", "/api/me", authorization=authorization).status != 401:
        time.sleep(0.01)
