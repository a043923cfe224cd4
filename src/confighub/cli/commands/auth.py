"""``cub auth``: who asks. The login is kept in the client's folder, never printed but by get-token."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from confighub.cli.asking import ask
from confighub.cli.command import Group, argument, command, flag, option
from confighub.cli.output import pairs
from confighub.cli.showing import DATA_OUTPUT
from confighub.client.hub import HubClient
from confighub.client.session import Context, Session, hub_url
from confighub.client.transport import Transport, Wire
from confighub.errors import BadRequest, Unauthenticated

if TYPE_CHECKING:
    from confighub.cli.call import Call

_SECRET_INPUT = (
    flag("password-stdin", "Read the password from standard input."),
    flag("token-stdin", "Read a bearer token from standard input."),
)


@command(
    argument("organization", required=False),
    flag("as-worker", "Log in with CONFIGHUB_WORKER_ID and CONFIGHUB_WORKER_SECRET."),
    option("username", "The user's name.", metavar="NAME"),
    *_SECRET_INPUT,
    example="confighub token create alice --data .hub | cub auth login --token-stdin",
)
def login(call: Call) -> None:
    """Log in with a password, a token, or as a worker.

    Without options the name and the password are asked for on the terminal.
    """
    if call.yes("as-worker"):
        _log_in(call, _worker_session(call))
        return
    if call.yes("token-stdin"):
        token = sys.stdin.read().strip()
        if not token:
            raise BadRequest("no token on standard input")
        _log_in(call, Session(access_token=token, auth_type="Bearer"))
        return
    if not call.text("username") and not sys.stdin.isatty():
        raise BadRequest(
            "who? there is no terminal to ask on", hint="--username NAME --password-stdin, or --token-stdin"
        )
    username = call.text("username") or ask("User")
    _log_in(call, Session(username=username, auth_type="Basic", password=_password(call, username)))


@command(argument("username"), *_SECRET_INPUT[:1], example="cub auth test-login alice")
def test_login(call: Call) -> None:
    """Log in as a user whose password stands in testusers.csv (name,password), or is asked for."""
    username = call.arg("username")
    password = call.home.password_of(username)
    if password is None or call.yes("password-stdin"):
        password = _password(call, username)
    _log_in(call, Session(username=username, auth_type="Basic", password=password))


@command(example="cub auth logout")
def logout(call: Call) -> None:
    """Forget the login; the context stays."""
    call.home.forget_session()
    call.out.say("Logged out")


@command(*DATA_OUTPUT, example="cub auth status")
def status(call: Call) -> None:
    """Show who is logged in, and whether the hub agrees; exit 1 when it does not."""
    session = call.home.session()
    if not session.authorization:
        raise Unauthenticated("nobody is logged in", hint="cub auth test-login NAME")
    member = call.hub.me()
    rows = [
        ("Hub", call.hub.transport.url),
        ("User", str(member.get("Username") or session.username)),
        ("User ID", str(member.get("UserID") or "")),
        ("Login", session.auth_type or "Bearer"),
        ("Organization ID", str(member.get("OrganizationID") or "")),
    ]
    call.out.show(member, lambda: pairs(rows))


@command(example="cub auth get-token")
def get_token(call: Call) -> None:
    """Print the bearer token of the login, for other programs."""
    token = call.home.session().access_token
    if not token:
        raise Unauthenticated("the login has no token", hint="cub auth login --token-stdin")
    call.out.write(token)


@command(argument("organization", required=False), example="cub auth switch acme")
def switch(call: Call) -> None:
    """Change to another organization that the user belongs to."""
    wanted = call.arg("organization")
    current = call.hub.me()
    if wanted and wanted not in (current.get("OrganizationID"), current.get("ExternalOrganizationID")):
        found = [one.get("Slug") or one.get("DisplayName") for one in call.hub.organizations.list()]
        if wanted not in found:
            raise BadRequest(f"not a member of organization {wanted}", hint=f"there is: {', '.join(map(str, found))}")
    call.out.say(f"Current organization is {current.get('OrganizationID')}")


def _log_in(call: Call, session: Session) -> None:
    """Keep the session once the hub has accepted it, with the space that the context names, else the first."""
    url = hub_url(call.settings)
    hub = HubClient(Transport(url, session.authorization, debug=call.settings.debug))
    context = call.home.context()
    spaces = hub.spaces.list(where=f"Slug = '{context.space}'") if context.space else []
    spaces = spaces or hub.spaces.list()
    if not spaces:
        raise BadRequest(f"no spaces found in the hub at {url}")
    space: Wire = spaces[0]["Space"]
    context = Context(url, str(space["Slug"]), str(space["SpaceID"]), str(space.get("OrganizationID") or ""))
    call.home.keep_session(session)
    call.home.keep_context(context)
    call.out.say(f"Current space set to {context.space} ({context.space_id})")


def _worker_session(call: Call) -> Session:
    worker_id, secret = os.environ.get("CONFIGHUB_WORKER_ID"), os.environ.get("CONFIGHUB_WORKER_SECRET")
    if not worker_id or not secret:
        raise BadRequest(
            "CONFIGHUB_WORKER_ID and CONFIGHUB_WORKER_SECRET are not set", hint='eval "$(cub worker get-envs WORKER)"'
        )
    transport = Transport(hub_url(call.settings), debug=False)
    body = {"worker_id": worker_id, "worker_secret": secret}
    answer: Wire = transport.request("POST", "/auth/worker", body=body, at_root=True)
    if not answer.get("access_token"):
        raise Unauthenticated("the hub gave no token for the worker")
    return Session(
        access_token=str(answer["access_token"]),
        organization_id=str(answer.get("organization_id") or ""),
        auth_type="Bearer",
        user=answer.get("user") or {},
    )


def _password(call: Call, username: str) -> str:
    if call.yes("password-stdin"):
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise BadRequest(f"no password for {username}, and no terminal to ask on", hint="--password-stdin")
    return ask(f"Password of {username}", is_secret=True)


GROUP = Group(
    "Logging in and out.",
    {
        "login": login,
        "test-login": test_login,
        "logout": logout,
        "status": status,
        "get-token": get_token,
        "switch": switch,
    },
)
