"""One command as it was typed: its flags, its hub, its space, its output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import click

from confighub.cli.output import Output, note
from confighub.errors import BadRequest, Unauthenticated
from confighub.settings import ClientSettings

if TYPE_CHECKING:
    from confighub.client.hub import HubClient
    from confighub.client.session import Home


@dataclass(frozen=True)
class Scope:
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


def argument_key(name: str) -> str:
    """Return the name under which Click keeps a positional argument, apart from an option so named."""
    return f"{name.replace('-', '_')}_argument"


class Call:
    """What a command's body sees. Flags are asked for by the name they are typed with."""

    def __init__(self, ctx: click.Context) -> None:
        self.ctx = ctx

    def arg(self, name: str) -> str:
        """Return the positional argument; empty when it was not given."""
        value = self.ctx.params.get(argument_key(name))
        return value if isinstance(value, str) else ""

    def args(self, name: str) -> list[str]:
        """Return the remaining positional arguments, as typed."""
        value = self.ctx.params.get(argument_key(name))
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
        source = self.ctx.get_parameter_source(name.replace("-", "_"))
        return source is click.core.ParameterSource.COMMANDLINE

    @property
    def is_dry_run(self) -> bool:
        """Tell whether the command shows what would be and stores nothing."""
        return self.yes("dry-run")

    @property
    def name(self) -> str:
        """The command as typed, such as ``cub unit list``."""
        return self.ctx.command_path

    @cached_property
    def settings(self) -> ClientSettings:
        """The environment, and ``--debug``."""
        found = ClientSettings.from_environment()
        return replace(found, debug=True) if self.yes("debug") else found

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
            raise BadRequest(f"space wildcard * not permitted for command {self.ctx.info_name}", hint="name one space")
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
        ctx: click.Context | None = self.ctx
        while ctx is not None:
            # a group's option counts unless the command's own was typed
            value: object = ctx.params.get(key)
            if value not in (None, False, ()):
                return value
            ctx = ctx.parent
        return self.ctx.params.get(key)
