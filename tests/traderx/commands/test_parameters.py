"""What many commands are told, and what they refuse alike."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from traderx.commands.parameters import Environment, json_option, timeout_option, together


@pytest.mark.parametrize(("words", "status"), [(["a-space"], 2), (["--any", "a-space"], 0), (["a-space", "--any"], 0)])
def test_any_space_is_taken_with_the_flag_that_allows_it(words: list[str], status: int) -> None:
    @click.command()
    @click.argument("place", type=Environment(adds=("base",), spaces_by="anything"))
    @click.option("--any", "anything", is_flag=True, is_eager=True)
    def go(place: str, anything: bool) -> None:
        click.echo(f"{place} {anything}")

    assert CliRunner().invoke(go, words).exit_code == status
    assert CliRunner().invoke(go, ["base"]).output == "base False\n"


def test_options_that_go_together_are_shown_in_their_order() -> None:
    @click.command()
    @together(timeout_option(3.0), json_option)
    def go(timeout: float, as_json: bool) -> None:
        click.echo(f"{timeout} {as_json}")

    assert [one.name for one in go.params] == ["timeout", "as_json"]
    assert CliRunner().invoke(go, ["--json"]).output == "3.0 True\n"
