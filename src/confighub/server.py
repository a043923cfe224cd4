"""The ``confighub`` program: serves a hub, manages its users and tokens, runs the laptop runtime.

The one place where settings, store, hub, API and console are put together. Everything
heavy is imported by the command that needs it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from confighub.errors import BadRequest, ConfigHubError, NotFound
from confighub.settings import LOOPBACK, HubSettings

if TYPE_CHECKING:
    from confighub.hub.hub import Hub

F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_PORT = 9090


def run() -> NoReturn:
    """Run the command line that this process was started with; failures are one line on stderr."""
    sys.exit(main(sys.argv[1:]))


def main(args: list[str]) -> int:
    """Run one command line and return its exit status."""
    try:
        confighub.main(args, prog_name="confighub", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as shown:
        click.echo(shown.format_message())
        return 0
    except click.ClickException as wrong:
        return _failed(wrong.format_message())
    except ConfigHubError as error:
        return _failed(str(error))
    except (KeyboardInterrupt, click.Abort):
        return 130
    except OSError as error:
        return _failed(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    return 0


def _failed(line: str) -> int:
    click.echo(f"confighub: {line}", err=True)
    return 1


def _store_options(command: F) -> F:
    """Add the options that say which store; the command gets the settings first."""

    @click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of the hub's data and keys.")
    @click.option(
        "--database",
        default="",
        envvar="CONFIGHUB_DATABASE_URL",
        help="SQLAlchemy URL of a PostgreSQL database, instead of the folder's own; else CONFIGHUB_DATABASE_URL.",
    )
    @wraps(command)
    def with_settings(data: Path | None, database: str, **more: Any) -> Any:
        folder = (data or Path.home() / ".local" / "share" / "confighub").resolve()
        key = os.environ.get("CONFIGHUB_KEY", "")
        return command(HubSettings(data_dir=folder, database_url=database, key=key), **more)

    return with_settings  # type: ignore[return-value]


@click.group()
def confighub() -> None:
    """Serve a configuration hub and manage who may use it."""


@confighub.command()
@click.option("--host", default=LOOPBACK, show_default=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, help="Port to listen on; 0 takes a free one.")
@_store_options
def serve(settings: HubSettings, host: str, port: int) -> None:
    """Serve the hub until SIGTERM or Ctrl-C.

    Several processes may serve one PostgreSQL database. They need the same key: in CONFIGHUB_KEY, or as the
    file hub.key in the folder of each.

    Example: confighub serve --port 9090 --data ./hub
    """
    from confighub.serving import serve as run_server

    run_server(settings, host=host, port=port)


@confighub.command("version")
def show_version() -> None:
    """Print the version."""
    from importlib.metadata import version

    click.echo(f"confighub {version('traderx-confighub')}")


@confighub.group()
def user() -> None:
    """Manage the users of a hub, also while it serves."""


@user.command("add")
@click.argument("name")
@click.option("--password-stdin", "has_password", is_flag=True, help="Read the password from standard input.")
@click.option("--role", default="admin", show_default=True, help="admin, developer, sre, viewer or member.")
@click.option("--display-name", default="", help="The name to show.")
@_store_options
def add_user(settings: HubSettings, name: str, has_password: bool, role: str, display_name: str) -> None:
    """Add a user, or set the password of one that is there.

    Example: echo secret | confighub user add alice --password-stdin --data ./hub
    """
    password = _password(has_password)
    with _open(settings) as hub:
        from confighub.hub.usecases import people

        if _has_user(hub, name):
            people.set_password(hub, name, password)
            click.echo(f"user {name} is there; the password is set")
        else:
            people.add_user(hub, name, password, role=role, display_name=display_name)
            click.echo(f"user {name} added as {role}")


@user.command("list")
@_store_options
def list_users(settings: HubSettings) -> None:
    """List the users."""
    with _open(settings) as hub:
        from confighub.hub.usecases import organizations, people

        for one in organizations.list_users(hub, people.system(people.found(hub))):
            click.echo(f"{one.username}\t{one.display_name}\t{one.user_id}")


@confighub.group()
def token() -> None:
    """Manage bearer tokens, also while the hub serves."""


@token.command("create")
@click.argument("user_name")
@click.option("--name", default="", help="What the token is for.")
@click.option("--days", default=0, help="Valid for so many days; 0 is for ever.")
@_store_options
def create_token(settings: HubSettings, user_name: str, name: str, days: int) -> None:
    """Print a new token of a user; it is shown this once.

    Example: confighub token create alice --data ./hub
    """
    from datetime import timedelta

    with _open(settings) as hub:
        from confighub.hub.usecases import people

        lifetime = timedelta(days=days) if days else None
        click.echo(people.create_token(hub, user_name, name=name, lifetime=lifetime))


@token.command("list")
@_store_options
def list_tokens(settings: HubSettings) -> None:
    """List the tokens of users, without the tokens themselves."""
    with _open(settings) as hub:
        from confighub.hub.usecases.tokens import list_tokens as found

        for one in found(hub):
            state = "revoked" if one.revoked_at else f"expires {one.expires_at:%Y-%m-%d}" if one.expires_at else "valid"
            click.echo(f"{one.token_id}\t{one.username}\t{one.name}\t{state}")


@token.command("revoke")
@click.argument("token_id")
@_store_options
def revoke_token(settings: HubSettings, token_id: str) -> None:
    """Make a token worthless."""
    with _open(settings) as hub:
        from confighub.hub.usecases.tokens import revoke_token as revoke

        revoke(hub, token_id)
        click.echo("token revoked")


@confighub.command("backup")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_store_options
def back_up(settings: HubSettings, file: Path) -> None:
    """Write everything that the hub knows to a file, also while it serves.

    The file holds the key that opens the workers' secrets; only its owner may read it.

    Example: confighub backup hub-20261003.backup --data ./hub
    """
    from confighub.hub.store.backup import key_in_use, write_backup

    key = key_in_use(settings.data_dir, settings.key)
    if not key:
        click.echo(f"there is no key in CONFIGHUB_KEY or {settings.data_dir}: the backup holds none", err=True)
    with _open(settings) as hub:
        counts = write_backup(hub.database, key, file.resolve())
    _report(f"{file}: {file.stat().st_size} bytes", counts)


@confighub.command("journal")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--keep", default=2, show_default=True, type=click.IntRange(min=1), help="How many bases stay.")
@click.option("--off", is_flag=True, help="Keep no journal any longer; the files stay.")
@_store_options
def keep_journal(settings: HubSettings, folder: Path | None, keep: int, off: bool) -> None:
    """Copy every commit to a second folder before it is answered.

    Begins the journal, or takes a new base and removes what older ones needed; also while the hub serves. The
    folder should be on another disk; it holds the hub's key. `confighub restore FOLDER` makes the hub from it, as it
    was at its last commit.

    Example: confighub journal /mnt/second/journal --data ./hub
    """
    from confighub.hub.store import journal
    from confighub.hub.store.backup import key_in_use

    store = _sqlite_store(settings)
    if off:
        click.echo("the journal has ended" if journal.end_journal(store) else "no journal is kept")
        return
    if folder is None:
        raise BadRequest("which folder?", hint="confighub journal FOLDER, or --off to end it")
    if not store.exists():
        raise NotFound(f"no hub has its store in {settings.data_dir}", hint="name its folder with --data")
    with _open(settings) as hub:
        hub.secrets  # noqa: B018 its key is made at the first use
        made = journal.begin_journal(store, folder, key_in_use(settings.data_dir, settings.key))
        base = made.take_base()
        removed = journal.prune(made.folder, keep=keep)
    click.echo(f"{base}: {base.stat().st_size} bytes; {removed} older files removed; every commit is copied now")


@confighub.command("restore")
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@_store_options
def restore(settings: HubSettings, file: Path) -> None:
    """Fill an empty store from a backup, or from a journal's folder.

    Start the hub on it afterwards. From a backup the store may be of another kind than the one that the backup is of:
    SQLite or PostgreSQL. From a journal it is SQLite, as it was at the last commit.

    Example: confighub restore hub-20261003.backup --data ./hub
    """
    from confighub.hub.store.backup import restore_backup
    from confighub.hub.store.database import Database

    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if file.is_dir():
        _restore_journal(settings, file)
        return
    database = Database(settings.database)
    try:
        counts = restore_backup(database, settings.data_dir, file)
    finally:
        database.close()
    _report(f"restored from {file}", counts)


def _restore_journal(settings: HubSettings, folder: Path) -> None:
    from confighub.hub.store.backup import check_key, keep_key
    from confighub.hub.store.journal import read_key, restore_journal

    key = read_key(folder)
    check_key(settings.data_dir, key)
    done = restore_journal(folder, _sqlite_store(settings))
    keep_key(settings.data_dir, key)
    torn = f"; {done.torn_bytes} bytes of a commit that was answered to nobody left out" if done.torn_bytes else ""
    click.echo(f"restored from {folder}: base {done.base}, {done.logs} logs with {done.pages} pages{torn}")


def _sqlite_store(settings: HubSettings) -> Path:
    """Return the file of the store. Raises: BadRequest when it is a PostgreSQL, which archives its own log."""
    if settings.database_url and not settings.database_url.startswith("sqlite"):
        raise BadRequest(
            "a hub on PostgreSQL has no journal of ours: the database archives its own log",
            hint="run pg_receivewal --synchronous --directory FOLDER where the second disk is; see docs/disaster.md",
        )
    return Path(settings.database.removeprefix("sqlite:///"))


def _report(what: str, counts: dict[str, int]) -> None:
    shown = ", ".join(f"{counts.get(name, 0)} {name}" for name in ("spaces", "units", "revisions"))
    click.echo(f"{what}; {shown}, {sum(counts.values())} rows in all")


@confighub.command("runtime")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True, help="The project's folder.")
def run_runtime(data: Path) -> None:
    """Run the laptop runtime in the foreground: the units' processes end with it and come back with it."""
    from confighub.runtime.main import serve as serve_runtime

    serve_runtime(data)


@confighub.command("logs")
@click.argument("environment")
@click.argument("name")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True, help="The runtime's folder.")
@click.option("--follow", "-f", is_flag=True, help="Go on printing what comes.")
@click.option("--lines", "-n", default=100, show_default=True, help="Begin with so many lines.")
def show_logs(environment: str, name: str, data: Path, follow: bool, lines: int) -> None:
    """Print what a workload of the laptop runtime said.

    Example: confighub logs dev trade-service --data .traderx/runtime --follow
    """
    from confighub.runtime.main import logs

    logs(data, environment, name, follow=follow, lines=lines)


def _password(is_piped: bool) -> str:
    if is_piped:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    else:
        raise BadRequest("no password is given", hint="pipe it in with --password-stdin")
    if not password:
        raise BadRequest("the password is empty")
    return password


def _open(settings: HubSettings) -> Any:
    """Open the hub's store, to be closed by a ``with`` block."""
    from contextlib import closing

    from confighub.hub.hub import Hub

    return closing(Hub(settings))


def _has_user(hub: Hub, name: str) -> bool:
    from confighub.hub.usecases import organizations, people

    system = people.system(people.found(hub))
    return any(one.username == name for one in organizations.list_users(hub, system))


if __name__ == "__main__":
    run()
