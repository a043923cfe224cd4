"""Questions to whoever sits at the terminal; the answer comes from there, the question goes to standard error."""

from __future__ import annotations


def ask(question: str, *, is_secret: bool = False) -> str:
    """Return what was typed; raises KeyboardInterrupt when the terminal was left."""
    import click

    try:
        return str(click.prompt(question, hide_input=is_secret, err=True))
    except click.Abort:
        raise KeyboardInterrupt from None


def confirm(question: str) -> bool:
    """Tell whether the answer was yes; raises KeyboardInterrupt when the terminal was left."""
    import click

    try:
        return click.confirm(question, default=False, err=True)
    except click.Abort:
        raise KeyboardInterrupt from None


def edited(text: str) -> str | None:
    """Return what $EDITOR made of the text, None when nothing was saved; raises BadRequest when it failed."""
    import click

    from confighub.errors import BadRequest

    try:
        return click.edit(text, extension=".yaml")
    except click.ClickException as error:
        raise BadRequest(error.format_message(), hint="set EDITOR") from error
