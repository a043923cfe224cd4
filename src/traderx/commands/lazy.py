"""A Click group whose commands are imported when they are named."""

from __future__ import annotations

import difflib
import importlib

import click


class LazyGroup(click.Group):
    """Commands by name, each given as ``module:attribute`` below ``traderx.commands``."""

    def __init__(self, name: str, places: dict[str, str], *, help: str) -> None:  # noqa: A002 Click's word
        super().__init__(name, help=help)
        self.places = places

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names, sorted."""
        return sorted(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return the command; None for an unknown name."""
        place = self.places.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        found: click.Command = getattr(importlib.import_module(f"traderx.commands.{module}"), attribute)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command and what is left for it; an unknown name is an error with a suggestion."""
        if args and not args[0].startswith("-") and args[0] not in self.places:
            close = difflib.get_close_matches(args[0], self.places, n=1)
            hint = f" (did you mean {close[0]}?)" if close else " (see: traderx --help)"
            raise click.UsageError(f'unknown command "{args[0]}"{hint}')
        return super().resolve_command(ctx, args)
