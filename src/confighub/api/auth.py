"""Who calls: from the Authorization header to a caller.

Basic is a user with a password, Bearer a token; on its three endpoints a worker sends its secret
as Bearer. ``POST /auth/worker`` turns a worker's id and secret into a token, and
``GET /auth/switch-organization`` any token of a user into those for another organization.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from confighub.api.call import Answer, Call
from confighub.api.routing import Parameter, Route
from confighub.errors import Unauthenticated
from confighub.hub.caller import Caller
from confighub.hub.hub import Hub
from confighub.hub.usecases import people
from confighub.records.base import NIL_ID, Record

NOBODY = Caller(user_id=NIL_ID, username="", organization_id=NIL_ID)
"""The caller of what anybody may call."""

SESSION_COOKIE, REFRESH_COOKIE = "confighub_session", "confighub_refresh_token"
"""The cookies of a session, as the public client names them."""

_HINT = "send Authorization: Basic or Bearer; with cub: cub auth test-login NAME"


def shown(route: Route, headers: Mapping[str, str]) -> str:
    """Return what the request shows of its caller, as an Authorization header does."""
    if route.access == "refresh":
        token = _cookie(headers.get("cookie", ""), REFRESH_COOKIE)
        return f"Bearer {token}" if token else ""
    return headers.get("authorization", "")


def _cookie(header: str, name: str) -> str:
    """Return the value of the cookie, empty without one; those of others may be written as they like."""
    pairs = (piece.partition("=") for piece in header.split(";"))
    return next((value.strip().strip('"') for key, _, value in pairs if key.strip() == name), "")


def authenticate(hub: Hub, route: Route, path: dict[str, str], authorization: str, user_agent: str) -> Caller:
    """Return who calls the route.

    Raises: Unauthenticated when the header is missing, cannot be read or is not accepted.
    """
    if route.access == "open":
        return NOBODY
    worker_id = path["bridge_worker_id"] if route.access == "worker" else ""
    mark, moment = hub.callers.mark(worker_id, authorization), hub.callers.moment()
    caller = hub.callers.known(mark, user_agent)
    if caller is None:
        caller = _looked_up(hub, route, worker_id, authorization, user_agent)
        hub.callers.keep(mark, caller, moment)
    return caller


def _looked_up(hub: Hub, route: Route, worker_id: str, authorization: str, user_agent: str) -> Caller:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer" and credentials:
        if route.access == "worker":
            return people.authenticate_worker(hub, worker_id, credentials.strip(), user_agent=user_agent)
        return people.authenticate_token(hub, credentials.strip(), user_agent=user_agent)
    if scheme.lower() == "basic" and route.access == "caller":
        username, password = _basic(credentials)
        return people.authenticate_password(hub, username, password, user_agent=user_agent)
    raise Unauthenticated("this needs a login", hint=_HINT)


def _basic(credentials: str) -> tuple[str, str]:
    try:
        username, colon, password = b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as bad:
        raise Unauthenticated("the Basic credentials cannot be read", hint=_HINT) from bad
    if not colon:
        raise Unauthenticated("the Basic credentials have no colon", hint=_HINT)
    return username, password


class WorkerLogin(Record, rename=None):
    """The body of ``POST /auth/worker``."""

    worker_id: str = ""
    worker_secret: str = ""


class SessionUser(Record, rename=None):
    """The user of a session file, as the public client keeps it."""

    id: str
    email: str
    first_name: str = ""
    last_name: str = ""


class WorkerSession(Record, rename=None):
    """The answer of ``POST /auth/worker``: what the public client writes into its session file."""

    access_token: str
    organization_id: str
    user: SessionUser


def login_worker(call: Call) -> Any:
    """Return a session for a worker that shows its id and secret."""
    login = call.record(WorkerLogin)
    token, caller = people.create_worker_token(call.hub, login.worker_id, login.worker_secret)
    user = SessionUser(id=caller.worker_id or "", email=caller.username)
    return WorkerSession(access_token=token, organization_id=caller.organization_id, user=user)


def switch_organization(call: Call) -> Any:
    """Return new tokens for another organization of the caller, as the cookies that the public client reads."""
    organization_id = call.required("organization_id")
    tokens = people.switch_organization(call.hub, call.caller, organization_id)
    cookies = zip((SESSION_COOKIE, REFRESH_COOKIE), tokens, strict=True)
    headers = [(b"set-cookie", f"{name}={token}; Path=/; HttpOnly; SameSite=Lax".encode()) for name, token in cookies]
    return Answer(b"", status=302, headers=((b"location", b"/"), *headers))


ROUTES = (
    Route(
        "POST",
        "/auth/worker",
        "LoginWorker",
        login_worker,
        "Turn a worker's id and secret into a token",
        WorkerSession,
        WorkerLogin,
        tag="auth",
        access="open",
        is_at_root=True,
        is_ours=True,
    ),
    Route(
        "GET",
        "/auth/switch-organization",
        "SwitchOrganization",
        switch_organization,
        "Turn a token into those for another organization",
        None,
        query=(Parameter("organization_id", "The organization's id or external id.", is_required=True),),
        tag="auth",
        access="refresh",
        is_at_root=True,
        is_ours=True,
    ),
)
