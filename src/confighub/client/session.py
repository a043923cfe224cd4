"""The login and the current space, kept in files that the public client reads too.

``session.json`` and ``context.json`` in the client's folder (``CONFIGHUB_HOME``, by default
``~/.confighub``); named copies are ``session-NAME.json`` and ``context-NAME.json``.
Source: spec of the public client, facts in its session and context files.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from confighub.client.hub import HubClient
from confighub.client.settings import DEFAULT_URL, ClientSettings
from confighub.client.transport import Transport, Wire, basic, bearer
from confighub.errors import BadRequest


class Session(NamedTuple):
    """Who is logged in, as ``session.json`` says; every field may be empty."""

    username: str = ""
    access_token: str = ""
    refresh_token: str = ""
    organization_id: str = ""
    auth_type: str = ""
    password: str = ""
    user: Mapping[str, Any] = MappingProxyType({})

    def __repr__(self) -> str:
        """Tell whose it is, and no secret."""
        return f"Session(username={self.username!r}, auth_type={self.auth_type!r})"

    @property
    def authorization(self) -> str:
        """The header to send; empty when nobody is logged in."""
        if self.auth_type == "Basic":
            return basic(self.username, self.password)
        return bearer(self.access_token) if self.access_token else ""


class Context(NamedTuple):
    """Which hub and which space are meant when a command does not say, as ``context.json`` says."""

    url: str = ""
    space: str = ""
    space_id: str = ""
    organization_id: str = ""


class Home:
    """The client's folder with its session and context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def session(self, name: str = "") -> Session:
        """Return the stored session; an empty one when there is none."""
        stored = self._read(_file("session", name))
        user = stored.get("user") or {}
        return Session(
            username=user.get("email") or "",
            access_token=stored.get("access_token") or "",
            refresh_token=stored.get("refresh_token") or "",
            organization_id=stored.get("organization_id") or "",
            auth_type=stored.get("auth_type") or "",
            password=stored.get("basic_auth_password") or "",
            user=user,
        )

    def keep_session(self, session: Session, name: str = "") -> None:
        """Write the session for the owner's eyes only."""
        self._write(
            _file("session", name),
            {
                "user": {"id": "", **session.user, "email": session.username},
                "access_token": session.access_token,
                "refresh_token": session.refresh_token,
                "organization_id": session.organization_id,
                "auth_type": session.auth_type,
                "basic_auth_password": session.password,
            },
        )

    def forget_session(self) -> None:
        """Remove the session; nothing happens when there is none."""
        (self.folder / "session.json").unlink(missing_ok=True)

    def context(self, name: str = "") -> Context:
        """Return the stored context; an empty one when there is none."""
        stored = self._read(_file("context", name))
        return Context(
            url=stored.get("confighub_url") or "",
            space=stored.get("space") or "",
            space_id=stored.get("space_id") or "",
            organization_id=stored.get("organization_id") or "",
        )

    def keep_context(self, context: Context, name: str = "") -> None:
        """Write the context."""
        self._write(
            _file("context", name),
            {
                "confighub_url": context.url,
                "space": context.space,
                "space_id": context.space_id,
                "organization_id": context.organization_id,
            },
        )

    def has(self, name: str) -> bool:
        """Tell whether a context was saved under that name."""
        return (self.folder / _file("context", name)).exists()

    def password_of(self, username: str) -> str | None:
        """Return the user's password from ``testusers.csv`` (name,password); None when not listed."""
        path = self.folder / "testusers.csv"
        if not path.exists():
            return None
        for line in path.read_text().splitlines():
            name, _, password = line.partition(",")
            if name.strip() == username:
                return password.strip()
        return None

    def _read(self, name: str) -> Wire:
        path = self.folder / name
        try:
            stored = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise BadRequest(f"{path} is not JSON: {error}", hint="log in again: cub auth test-login NAME") from error
        return stored if isinstance(stored, dict) else {}

    def _write(self, name: str, value: Wire) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.folder / name
        # written beside and moved, so that a reader never sees half a file
        draft = path.with_name(f".{name}.{os.getpid()}.{time.monotonic_ns()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(value, file, indent=2)
            file.write("\n")
        draft.replace(path)


def hub_url(settings: ClientSettings) -> str:
    """Return the hub's address: the one set, else the context's, else the loopback default."""
    return settings.url or Home(settings.config_dir).context().url or DEFAULT_URL


def connect(settings: ClientSettings, *, timeout_s: float = 120.0) -> HubClient:
    """Return a client of the hub in the name of whoever is logged in; nothing is sent yet."""
    session = Home(settings.config_dir).session()
    return HubClient(Transport(hub_url(settings), session.authorization, timeout_s=timeout_s, debug=settings.debug))


def _file(kind: str, name: str) -> str:
    if name and (not name.replace("-", "").replace("_", "").isalnum()):
        raise BadRequest(f"not a name for a context: {name}", hint="letters, digits, - and _")
    return f"{kind}-{name}.json" if name else f"{kind}.json"
