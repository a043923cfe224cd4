"""people-service: who works here. Read-only.

Paths and query names are matched in any case, as the FINOS service does.
"""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from traderx.services.errors import BadInput, Unavailable, Unknown
from traderx.services.people_service.directory import Person, load_people
from traderx.services.platform.answers import people_failure, whole_number
from traderx.services.platform.environment import Environment
from traderx.services.platform.metrics import Metrics
from traderx.services.platform.service import Service

SHORTEST_SEARCH = 3
DEFAULT_TAKE = 10


def build(environment: Environment, metrics: Metrics) -> Service:
    """Return the service with its directory loaded."""
    people = load_people(environment.variables)
    metrics.gauge("traderx_people", "People in the directory").set(len(people))

    async def get_person(request: Request) -> Response:
        """Return the person with this LogonId, or else this EmployeeId."""
        return JSONResponse(_named(people, request).as_answer())

    async def validate_person(request: Request) -> Response:
        """Answer 200 with nothing when the person exists."""
        _named(people, request)
        return Response()

    async def match_people(request: Request) -> Response:
        """List people whose full name or logon id contains SearchText, at most Take."""
        return JSONResponse({"people": [person.as_answer() for person in _matching(people, request)]})

    async def list_people(request: Request) -> Response:
        """List all people; ?search= narrows by full name or logon id in any case."""
        wanted = request.query_params.get("search", "").lower()
        found = [p for p in people if wanted in p.full_name.lower() or wanted in p.logon_id.lower()]
        return JSONResponse([person.as_answer() for person in found])

    async def get_by_logon(request: Request) -> Response:
        """Return the person with this logon id."""
        return JSONResponse(_by_logon(people, request.path_params["logon_id"]).as_answer())

    async def has_data() -> None:
        if not people:
            raise Unavailable("no people loaded")

    return Service(
        routes=[
            Route("/people/getperson", get_person),
            Route("/people/getmatchingpeople", match_people),
            Route("/people/validateperson", validate_person),
            Route("/api/people", list_people),
            Route("/api/people/{logon_id}", get_by_logon),
        ],
        checks={"people": has_data},
        failure=people_failure,
        folds_case=True,
    )


def _query(request: Request) -> dict[str, str]:
    return {name.lower(): value for name, value in request.query_params.items()}


def _named(people: Sequence[Person], request: Request) -> Person:
    query = _query(request)
    logon_id, employee_id = query.get("logonid", "").strip(), query.get("employeeid", "").strip()
    if logon_id:
        return _by_logon(people, logon_id)
    if not employee_id:
        raise BadInput("Either LogonId or EmployeeId must be provided")
    for person in people:
        if person.employee_id == employee_id:
            return person
    raise Unknown(f"no person with employee id: {employee_id}")


def _by_logon(people: Sequence[Person], logon_id: str) -> Person:
    for person in people:
        if person.logon_id == logon_id:
            return person
    raise Unknown(f"no person with logon id: {logon_id}")


def _matching(people: Sequence[Person], request: Request) -> list[Person]:
    query = _query(request)
    wanted = query.get("searchtext", "").strip()
    if len(wanted) < SHORTEST_SEARCH:
        raise BadInput(f"SearchText must have at least {SHORTEST_SEARCH} characters: {wanted}")
    take = whole_number(query.get("take", str(DEFAULT_TAKE)), name="Take")
    found = [p for p in people if wanted in p.full_name or wanted in p.logon_id]
    if not found:
        raise Unknown(f"no person matches: {wanted}")
    return found[: take if take > 0 else DEFAULT_TAKE]
