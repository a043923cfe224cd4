"""Tables, JSON, YAML, jq."""

import pytest

from confighub.cli import output
from confighub.cli.output import Output
from confighub.errors import BadRequest


def test_a_table_is_padded_by_four_and_its_header_ends_with_one_blank() -> None:
    drawn = output.table(["NAME", "#UNITS"], [["traderx-dev", "2"], ["a", "17"]])

    assert drawn.split("\n") == [
        "NAME           #UNITS ",
        "traderx-dev    2         ",
        "a              17        ",
    ]


def test_without_a_header_the_widths_follow_the_rows() -> None:
    assert output.table(None, [["a", "b"], ["cc", "d"]]) == "a     b    \ncc    d    "


def test_an_empty_table_shows_its_header_only() -> None:
    assert output.table(["NAME", "SPACE"], []) == "NAME    SPACE "
    assert output.table(None, []) == ""


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2025-08-20T10:00:00Z", "2025-08-20 10:00:00"),
        ("2025-08-20T10:00:00.123456Z", "2025-08-20 10:00:00"),
        ("0001-01-01T00:00:00Z", ""),
        (None, ""),
    ],
)
def test_times_are_short_and_the_zero_time_is_empty(given: str | None, shown: str) -> None:
    assert output.moment(given) == shown


def test_gates_are_none_one_or_multiple() -> None:
    assert output.one_of_map({}) == "None"
    assert output.one_of_map({"a/b": True}) == "a/b"
    assert output.one_of_map({"a/b": True, "c/d": True}) == "Multiple"


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        (Output(json=True), '{\n  "a": "ü"\n}\n'),
        (Output(output="json"), '{\n  "a": "ü"\n}\n'),
        (Output(jq=".a"), "ü\n"),
        (Output(output="jq=.a"), "ü\n"),
        (Output(output="yaml"), "a: ü\n"),
        (Output(flat="yaml"), "a: ü\n"),
        (Output(), "text\n"),
        (Output(quiet=True), ""),
        (Output(quiet=True, json=True), '{\n  "a": "ü"\n}\n'),
    ],
)
def test_the_options_choose_what_is_printed(options: Output, printed: str, capsys: pytest.CaptureFixture[str]) -> None:
    options.show({"a": "ü"}, lambda: "text")

    assert capsys.readouterr().out == printed


def test_jq_prints_scalars_bare_and_the_rest_as_json() -> None:
    assert output.jq_lines('.[], "x", true', [1, {"a": None}]) == ["1", '{\n  "a": null\n}', "x", "true"]


def test_a_bad_jq_expression_is_one_clear_error() -> None:
    with pytest.raises(BadRequest, match="jq: "):
        output.jq_lines(".[", [])


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(BadRequest, match="unknown output format: xml"):
        Output(output="xml").show({}, str)


def test_long_texts_are_yaml_blocks_that_keep_their_bytes() -> None:
    import yaml

    text = "a: 1  # kept\nb: 'x'\n"

    written = output.as_yaml({"Data": text})

    assert written == "Data: |\n  a: 1  # kept\n  b: 'x'\n"
    assert yaml.safe_load(written) == {"Data": text}
