"""Who gets in, and what every answer looks like."""

from __future__ import annotations

from collections.abc import Callable

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
