"""Organizations, users, passwords and tokens.

found(hub) -> Organization                        first start: organization and space ``default``
add_user(hub, username, password, *, role="admin", display_name="") -> User          (the command line; no caller)
set_password(hub, username, password) -> None
create_token(hub, username, *, name="", lifetime=None) -> str                        shown once
switch_organization(hub, caller, organization_id) -> tuple[str, str]                 new access and refresh token
create_worker_token(hub, bridge_worker_id, secret) -> tuple[str, Caller]             ``POST /auth/worker``
authenticate_password(hub, username, password, *, user_agent="") -> Caller
authenticate_token(hub, token, *, user_agent="") -> Caller
authenticate_worker(hub, bridge_worker_id, secret, *, user_agent="") -> Caller       the three worker endpoints
get_me(hub, caller) -> OrganizationMember
list_users / get_user / list_organizations / get_organization / update_organization / create_organization /
list_members / get_member / create_member / delete_member: as on the wire
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections import OrderedDict
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from confighub.errors import BadRequest, NotFound, Unauthenticated
from confighub.hub.caller import ROLES, Caller
from confighub.hub.callers import PEOPLE
from confighub.hub.domain.slugs import slugify
from confighub.hub.hub import Hub
from confighub.hub.kinds import ORGANIZATION, SPACE, USER
from confighub.hub.store.database import FOUNDING, one_at_a_time
from confighub.hub.store.entities import bridge_workers
from confighub.hub.store.people import organization_members, organizations, tokens, users
from confighub.hub.store.rows import columns, insert_row, own_id, record
from confighub.hub.usecases import audit
from confighub.records.people import Organization, User
from confighub.records.spaces import Space

SYSTEM = "system"
"""Who did what no user did."""

SCRYPT = {"n": 1 << 14, "r": 8, "p": 1}
"""About 16 MiB and 50 ms a check; verified ones are remembered, since Basic comes with every request."""


def found(hub: Hub) -> Organization:
    """Return the organization, made together with a space ``default`` when the store is empty."""
    from confighub.hub.usecases.entities import create_in

    with hub.read() as tx:
        row = tx.execute(select(*columns(ORGANIZATION)).order_by(organizations.c.cursor_id).limit(1)).first()
    if row is not None:
        return _organization(row)
    with hub.write() as tx:
        one_at_a_time(tx, FOUNDING)
        row = tx.execute(select(*columns(ORGANIZATION)).order_by(organizations.c.cursor_id).limit(1)).first()
        if row is not None:
            return _organization(row)
        made = insert_organization(tx, hub, Organization(slug="default", display_name="Default"))
        caller = system(made)
        create_in(tx, hub, caller, SPACE, Space(slug="default"), None)
        return made


def system(organization: Organization) -> Caller:
    """Return the caller that stands for the hub itself."""
    return Caller(
        user_id="", username=SYSTEM, organization_id=organization.organization_id or "", roles=frozenset({"admin"})
    )


def insert_organization(tx: Connection, hub: Hub, one: Organization) -> Organization:
    """Insert the organization inside a transaction; its external id is made here."""
    one.organization_id = hub.new_id()
    one.external_id = one.external_id or f"org_{one.organization_id.replace('-', '')}"
    one.version, one.created_at, one.updated_at = 1, hub.now(), hub.now()
    values = {name: getattr(one, name) for name in ORGANIZATION.stored if name != "cursor_id"}
    try:
        one.cursor_id = insert_row(tx, organizations, values)
    except IntegrityError as error:
        raise BadRequest(f"an organization has this slug already: {one.slug}") from error
    one.entity_type = ORGANIZATION.name
    return one


def add_user(hub: Hub, username: str, password: str, *, role: str = "admin", display_name: str = "") -> User:
    """Return the new user, a member of the organization with the role; the password may be empty for none."""
    if role not in ROLES:
        raise BadRequest(f"no such role: {role}", hint=f"one of {', '.join(sorted(ROLES))}")
    organization = found(hub)
    hashed = hash_password(password) if password else ""
    with hub.write() as tx:
        return insert_user(tx, hub, system(organization), username, hashed, role=role, display_name=display_name)


def insert_user(
    tx: Connection, hub: Hub, caller: Caller, username: str, password_hash: str, *, role: str, display_name: str = ""
) -> User:
    """Insert the user as a member of the caller's organization."""
    if not username or ":" in username or username != username.strip():
        raise BadRequest(f"a user name is not empty and has no colon: {username!r}")
    one = User(user_id=hub.new_id(), username=username, display_name=display_name or username)
    one.slug, one.external_id = slugify(username), f"user_{(one.user_id or '').replace('-', '')}"
    one.version, one.created_at, one.updated_at = 1, hub.now(), hub.now()
    values = {name: getattr(one, name) for name in USER.stored if name != "cursor_id"}
    try:
        one.cursor_id = insert_row(tx, users, values | {"password_hash": password_hash})
    except IntegrityError as error:
        raise BadRequest(f"there is such a user already: {username}") from error
    tx.execute(
        insert(organization_members).values(organization_id=caller.organization_id, user_id=one.user_id, role=role)
    )
    audit.note(tx, hub, caller, "create", USER, one, role=role)
    return one


def set_password(hub: Hub, username: str, password: str) -> None:
    """Replace the user's password."""
    if not password:
        raise BadRequest("the password is empty")
    hashed = hash_password(password)
    organization = found(hub)
    with hub.write() as tx:
        user = find_user(tx, username)
        tx.execute(update(users).where(users.c.user_id == user.user_id).values(password_hash=hashed))
        hub.wake(tx, PEOPLE)
        audit.note(tx, hub, system(organization), "set-password", USER, user)


def create_token(hub: Hub, username: str, *, name: str = "", lifetime: timedelta | None = None) -> str:
    """Return a new bearer token of the user; only its hash is kept."""
    organization = found(hub)
    with hub.write() as tx:
        user = find_user(tx, username)
        token = _insert_token(
            tx, hub, organization.organization_id or "", name=name, lifetime=lifetime, user_id=user.user_id
        )
        audit.note(tx, hub, system(organization), "create-token", USER, user, name=name)
        return token


def switch_organization(hub: Hub, caller: Caller, organization_id: str) -> tuple[str, str]:
    """Return an access and a refresh token of the caller for another organization, valid for 30 days.

    Raises: NotFound, when it is none of the caller's; BadRequest for a worker.
    """
    if not own_id(caller.user_id):
        raise BadRequest("a worker stays in its organization")
    member, c = organization_members.c, organizations.c
    named = (c.organization_id == own_id(organization_id)) | (c.external_id == organization_id)
    own = select(c.organization_id).join(organization_members, member.organization_id == c.organization_id)
    with hub.write() as tx:
        found = tx.execute(own.where(named, member.user_id == caller.user_id, c.deleted_at.is_(None))).scalar()
        if found is None:
            raise NotFound(f"no such organization of {caller.username}: {organization_id}")
        name, lifetime = "switched organization", timedelta(days=30)
        made = [_insert_token(tx, hub, found, name=name, lifetime=lifetime, user_id=caller.user_id) for _ in range(2)]
    return made[0], made[1]


def create_worker_token(hub: Hub, bridge_worker_id: str, secret: str) -> tuple[str, Caller]:
    """Return an access token for a worker that shows its id and secret, valid for 30 days, and who it is."""
    caller = authenticate_worker(hub, bridge_worker_id, secret)
    with hub.write() as tx:
        token = _insert_token(
            tx,
            hub,
            caller.organization_id,
            name="worker login",
            lifetime=timedelta(days=30),
            bridge_worker_id=caller.worker_id,
        )
    return token, caller


def authenticate_password(hub: Hub, username: str, password: str, *, user_agent: str = "") -> Caller:
    """Return who this is.

    Raises: Unauthenticated, without saying whether the name or the password is wrong.
    """
    with hub.read() as tx:
        own = users.c.username == username, users.c.deleted_at.is_(None)
        row = tx.execute(select(users.c.user_id, users.c.password_hash).where(*own)).first()
        if row is None or not row.password_hash or not _VERIFIED.check(row.password_hash, password):
            raise Unauthenticated("wrong user name or password")
        return _member(tx, row.user_id, username, user_agent)


def authenticate_token(hub: Hub, token: str, *, user_agent: str = "") -> Caller:
    """Return whose token this is.

    Raises: Unauthenticated, when it is unknown, expired or revoked.
    """
    with hub.read() as tx:
        row = tx.execute(select(tokens).where(tokens.c.token_hash == _token_hash(token))).first()
        if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= hub.now()):
            raise Unauthenticated("the token is unknown, expired or revoked")
        if row.bridge_worker_id:
            return _worker(tx, row.bridge_worker_id, user_agent)[0]
        user = tx.execute(
            select(users.c.username).where(users.c.user_id == row.user_id, users.c.deleted_at.is_(None))
        ).first()
        if user is None:
            raise Unauthenticated("the user of this token is gone")
        return _member(tx, row.user_id, user.username, user_agent, row.organization_id)


def authenticate_worker(hub: Hub, bridge_worker_id: str, secret: str, *, user_agent: str = "") -> Caller:
    """Return the worker whose id and secret these are.

    Raises: Unauthenticated.
    """
    with hub.read() as tx:
        caller, sealed = _worker(tx, bridge_worker_id, user_agent)
    if not hmac.compare_digest(hub.secrets.open(sealed).encode(), secret.encode()):
        raise Unauthenticated("wrong worker id or secret")
    return caller


def hash_password(password: str) -> str:
    """Return ``scrypt$salt$hash``, all in hexadecimal."""
    salt = secrets.token_bytes(16)
    return f"scrypt${salt.hex()}${_scrypt(password, salt).hex()}"


class _Verified:
    """Passwords that were right a moment ago, by a keyed hash, so that scrypt runs once and not at each request."""

    SIZE = 256

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def check(self, stored: str, password: str) -> bool:
        """Whether the password is the one that was hashed."""
        mark = hmac.digest(self._key, f"{stored}\0{password}".encode(), "sha256")
        with self._lock:
            if mark in self._seen:
                self._seen.move_to_end(mark)
                return True
        _, salt, expected = stored.split("$")
        if not hmac.compare_digest(_scrypt(password, bytes.fromhex(salt)).hex(), expected):
            return False
        with self._lock:
            self._seen[mark] = None
            if len(self._seen) > self.SIZE:
                self._seen.popitem(last=False)
        return True


_VERIFIED = _Verified()


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, **SCRYPT)


def _token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _insert_token(
    tx: Connection, hub: Hub, organization_id: str, *, name: str, lifetime: timedelta | None, **owner: Any
) -> str:
    token = f"cht_{secrets.token_urlsafe(32)}"
    tx.execute(
        insert(tokens).values(
            token_id=hub.new_id(),
            name=name,
            token_hash=_token_hash(token),
            organization_id=organization_id,
            created_at=hub.now(),
            expires_at=hub.now() + lifetime if lifetime else None,
            **owner,
        )
    )
    return token


def _organization(row: Any) -> Organization:
    one: Organization = record(ORGANIZATION, row)
    return one


def find_user(tx: Connection, username: str) -> User:
    """Return the user of that name.

    Raises: NotFound, when there is none.
    """
    own = users.c.username == username, users.c.deleted_at.is_(None)
    row = tx.execute(select(*columns(USER)).where(*own)).first()
    if row is None:
        raise NotFound(f"no such user: {username}")
    one: User = record(USER, row)
    return one


def _member(tx: Connection, user_id: str, username: str, user_agent: str, organization_id: str = "") -> Caller:
    c = organization_members.c
    query = select(c.organization_id, c.role).where(c.user_id == user_id)
    if organization_id:
        query = query.where(c.organization_id == organization_id)
    row = tx.execute(query.limit(1)).first()
    if row is None:
        raise Unauthenticated(f"{username} belongs to no organization")
    return Caller(user_id, username, row.organization_id, frozenset({row.role}), user_agent)


def _worker(tx: Connection, bridge_worker_id: str, user_agent: str) -> tuple[Caller, str]:
    c = bridge_workers.c
    own = c.bridge_worker_id == own_id(bridge_worker_id), c.deleted_at.is_(None)
    row = tx.execute(select(c.bridge_worker_id, c.slug, c.organization_id, c.secret).where(*own)).first()
    if row is None:
        raise Unauthenticated("wrong worker id or secret")
    caller = Caller(
        user_id="",
        username=f"worker {row.slug}",
        organization_id=row.organization_id,
        roles=frozenset({"worker"}),
        user_agent=user_agent,
        worker_id=row.bridge_worker_id,
    )
    return caller, row.secret
