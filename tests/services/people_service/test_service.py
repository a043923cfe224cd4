"""people-service, in any case of its paths and names."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.running import Desk, ServiceProcess, call

PERSON = {
    "logonId": "user01",
    "fullName": "Amara Okafor",
    "email": "amara.okafor@example.com",
    "employeeId": "E0001",
    "department": "Equities",
    "photoUrl": "",
}


@pytest.mark.parametrize(
    "path",
    [
        "/People/GetPerson?LogonId=user01",
        "/people/getperson?logonid=user01",
        "/People/GetPerson?EmployeeId=E0001",
        "/People/GetPerson/?LogonId=user01&EmployeeId=E0002",
        "/api/people/user01",
    ],
)
def test_a_person_is_found(desk: Desk, path: str) -> None:
    reply = call(desk.url("people-service") + path)

    assert (reply.status, reply.json) == (200, PERSON)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/People/GetPerson", 400),
        ("/People/GetPerson?LogonId=%20", 400),
        ("/People/GetPerson?LogonId=nobody", 404),
        ("/People/ValidatePerson?LogonId=nobody", 404),
        ("/People/GetMatchingPeople", 400),
        ("/People/GetMatchingPeople?SearchText=ab", 400),
        ("/People/GetMatchingPeople?SearchText=zzz", 404),
        ("/People/GetMatchingPeople?SearchText=user&Take=few", 400),
        ("/api/people/nobody", 404),
    ],
)
def test_a_wrong_question_is_a_problem_document(desk: Desk, path: str, status: int) -> None:
    reply = call(desk.url("people-service") + path)

    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json["status"] == status
    assert len(reply.json["traceId"]) == 32


def test_a_valid_person_is_answered_with_nothing(desk: Desk) -> None:
    reply = call(f"{desk.url('people-service')}/People/ValidatePerson?LogonId=user01")

    assert (reply.status, reply.text) == (200, "")


@pytest.mark.parametrize(("take", "count"), [("", 10), ("&Take=3", 3), ("&Take=0", 10), ("&Take=-1", 10)])
def test_matching_people_are_cut_at_take(desk: Desk, take: str, count: int) -> None:
    found = call(f"{desk.url('people-service')}/People/GetMatchingPeople?SearchText=user{take}").json

    assert len(found["people"]) == count


def test_matching_is_case_sensitive(desk: Desk) -> None:
    url = f"{desk.url('people-service')}/People/GetMatchingPeople?SearchText="

    assert call(url + "Amara").json["people"] == [PERSON]
    assert call(url + "amara").status == 404


def test_another_directory_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "people.json"
    file.write_text('[{"LogonId": "zoe", "FullName": "Zoe Park", "EmployeeId": "Z1"}]')
    process = ServiceProcess("people-service", {"PeopleJsonFilePath": str(file)}).wait_ready()

    people = call(f"{process.url}/api/people").json
    process.stop()

    assert [one["fullName"] for one in people] == ["Zoe Park"]


def test_a_missing_directory_ends_the_start(tmp_path: Path) -> None:
    process = ServiceProcess("people-service", {"PeopleJsonFilePath": str(tmp_path / "none.json")})

    assert process.wait() == 2
    assert "cannot read people from" in process.lines[0]
