"""One command as it was typed: its flags, its hub, its space, its output."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from confighub.cli.command import argument_key
from confighub.cli.output import Output, note
from confighub.client.settings import ClientSettings
from confighub.errors import BadRequest, Unauthenticated

if TYPE_CHECKING:
    from confighub.client.hub import HubClient
    from confighub.client.session import Home


class Scope(NamedTuple):
    """The space that a command works in; no id means the whole organization."""

    space_id: str = ""
    slug: str = ""

    @property
    def term(self) -> str:
        """The where-term that keeps a query inside; empty for the whole organization."""
        return f"SpaceID = '{self.space_id}'" if self.space_id else ""

    @property
    def words(self) -> str:
        """How to say it in a message."""
        return f"space {self.slug or self.space_id}" if self.space_id else "all spaces"


class Typed(NamedTuple):
    """What was typed for one command or group: every parameter's value by key, and the keys of those that were typed.

    ``kept`` is remembered for the whole line. ``above`` is the group that it stands in, None for the program.
    """

    path: str
    name: str
    values: Mapping[str, object]
    given: frozenset[str]
    kept: dict[str, Any]
    above: Typed | None = None
    is_completing: bool = False


class Call:
    """What a command's body sees. Flags are asked for by the name they are typed with."""

    def __init__(self, typed: Typed) -> None:
        self.typed = typed

    def arg(self, name: str) -> str:
        """Return the positional argument; empty when it was not given."""
        value = self.typed.values.get(argument_key(name))
        return value if isinstance(value, str) else ""

    def args(self, name: str) -> list[str]:
        """Return the remaining positional arguments, as typed."""
        value = self.typed.values.get(argument_key(name))
        return [str(one) for one in value] if isinstance(value, tuple | list) else []

    def text(self, name: str) -> str:
        """Return the option's value; empty when it was not given."""
        value = self._value(name)
        return value if isinstance(value, str) else ""

    def yes(self, name: str) -> bool:
        """Tell whether the switch is on."""
        return self._value(name) is True

    def many(self, name: str) -> list[str]:
        """Return all values of a repeatable option, comma lists taken apart."""
        return [part.strip() for value in self.words(name) for part in value.split(",") if part.strip()]

    def words(self, name: str) -> list[str]:
        """Return all values of a repeatable option, as typed."""
        value = self._value(name)
        return [str(one) for one in value] if isinstance(value, tuple | list) else []

    def given(self, name: str) -> bool:
        """Tell whether the option was typed rather than left to its default."""
        return name.replace("-", "_") in self.typed.given

    @property
    def is_dry_run(self) -> bool:
        """Tell whether the command shows what would be and stores nothing."""
        return self.yes("dry-run")

    @property
    def name(self) -> str:
        """The command as typed, such as ``cub unit list``."""
        return self.typed.path

    @cached_property
    def settings(self) -> ClientSettings:
        """The environment, and ``--debug``."""
        found = ClientSettings.from_environment()
        return found._replace(debug=True) if self.yes("debug") else found

    @cached_property
    def home(self) -> Home:
        """The folder with login and context."""
        from confighub.client.session import Home

        return Home(self.settings.config_dir)

    @cached_property
    def hub(self) -> HubClient:
        """The hub, in the name of whoever is logged in; a slow answer is told on standard error."""
        from confighub.client.session import connect

        hub = connect(self.settings)
        hub.transport.on_slow = lambda request: note(f"  still waiting for the hub: {request}")
        hub.transport.is_rehearsal = self.is_dry_run
        return hub

    @cached_property
    def scope(self) -> Scope:
        """The space named by ``--space``, else the context's; ``*`` is the whole organization.

        Raises: Unauthenticated or BadRequest when there is neither; NotFound.
        """
        named = self.text("space")
        if named == "*":
            return Scope()
        if named:
            space = self.hub.space(named)
            return Scope(space["SpaceID"], space.get("Slug") or named)
        context = self.home.context()
        if context.space_id:
            return Scope(context.space_id, context.space)
        if context.space:
            return Scope(self.hub.space_id(context.space), context.space)
        if not self.home.session().authorization:
            raise Unauthenticated("nobody is logged in", hint="cub auth test-login NAME")
        raise BadRequest("no space is named", hint="add --space SPACE, or once: cub context set --space SPACE")

    def is_current_space(self, message: str) -> bool:
        """Tell whether a message is about the space of the context, which no flag named."""
        kept = self.home.context().space_id
        return bool(kept) and not self.text("space") and message.startswith(f"no such space: {kept}")

    @property
    def space_id(self) -> str:
        """The id of the one space; raises BadRequest for ``--space '*'``."""
        if not self.scope.space_id:
            raise BadRequest(f"space wildcard * not permitted for command {self.typed.name}", hint="name one space")
        return self.scope.space_id

    @cached_property
    def out(self) -> Output:
        """Where and how to print, by the output options."""
        return Output(
            json=self.yes("json"),
            jq=self.text("jq"),
            output=self.text("output"),
            flat=self.text("format"),
            names=self.yes("names"),
            header=not self.yes("no-header"),
            quiet=self.yes("quiet"),
        )

    def _value(self, name: str) -> object:
        key = name.replace("-", "_")
        typed: Typed | None = self.typed
        while typed is not None:
            # a group's option counts unless the command's own was typed
            value = typed.values.get(key)
            if value not in (None, False, ()):
                return value
            typed = typed.above
        return self.typed.values.get(key)
