"""Odd input: our errors only, in bounded time, whatever comes."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from confighub.data.document import parse
from confighub.data.editor import Editor
from confighub.data.path import join, pattern, places, split
from confighub.errors import BadPath, BadRequest, ConfigHubError
from confighub.functions.invoke import invoke
from confighub.functions.refusals import refuse
from confighub.records.functions import FunctionArgument, FunctionInvocation

# Pieces that mean something to a YAML reader, so that most texts get past its first line.
PIECES = (
    *(
        "a: ",
        "b:",
        "- ",
        "? ",
        ": ",
        "\n",
        "\n  ",
        "\n    ",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "# c",
        " #",
        "\t",
        "\r\n",
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        "&x ",
        "*x",
        "<<: ",
        "!!str ",
        "!t ",
        "|\n",
        ">-\n",
        "|2+\n",
        '"',
        "'",
        "\\n",
        "\\u00e9",
    ),
    *(
        "kind: Deployment\n",
        "apiVersion: v1\n",
        "metadata:\n  name: n\n",
        "1",
        "0x1F",
        "yes",
        "null",
        "~",
        "é",
        "\ufeff",
        "\x00",
    ),
)
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=14).map("".join)


@settings(max_examples=400)
@given(texts)
def test_a_text_is_read_or_refused(text: str) -> None:
    try:
        stream = parse(text)
        refuse(text)
    except ConfigHubError:
        return
    assert stream.text == text


@settings(max_examples=300)
@given(texts, st.sampled_from(("x", 1, None, "two\nlines\n", {"k": ["v"]}, [1])))
def test_an_edit_of_any_text_means_what_was_asked_or_is_refused(text: str, value: object) -> None:
    try:
        refuse(text)
        documents = parse(text).documents
    except ConfigHubError:
        return
    for placed in documents:
        editor = Editor(placed.document)
        try:
            editor.set(("a",), value)
            editor.set(("b", "new"), 1)
            source, _ = editor.finish()
        except BadPath:
            continue
        (now,) = (one.document.data for one in parse(source.decode()).documents)
        assert now["a"] == value
        assert now["b"]["new"] == 1


@settings(max_examples=300)
@given(st.text('.*?=:@|#~1"abname0', max_size=20))
def test_a_path_is_read_or_refused(text: str) -> None:
    data = {"a": [{"name": "b", "n": {"m": 1}}], "b": {"name": "a"}, "": None}
    try:
        found = places(data, pattern(text), upsert=True)
    except BadPath:
        return
    for place in found:
        # only what stands before the accessor can be joined and split again
        assert (
            split(join(place.steps)) == tuple(map(str, place.steps)) or "" in place.steps or '"' in text or "~" in text
        )


TERMS = ("spec.replicas", "a.*.b", "x.|y", "#p", ">", "=", "!=", "LIKE", "IN", "NOT IN", "('a', 'b')", "'%a_'", "1")
TERMS_MORE = ("true", "AND", "OR", "~", "!~*", "'[('", " ", "(", ")", "''", "99999999999", "é", "?name=a.b")


@settings(max_examples=300)
@given(st.lists(st.sampled_from(TERMS + TERMS_MORE), max_size=8).map(" ".join))
def test_a_data_filter_is_read_or_refused(text: str) -> None:
    unit = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: n\nspec:\n  replicas: 3\na: {c: {b: x}}\n"
    call = FunctionInvocation(
        function_name="where-filter",
        arguments=[FunctionArgument(value="apps/v1/Deployment"), FunctionArgument(value=text)],
    )

    done = invoke(unit, [call])

    assert done.passed is not None or not done.success


@pytest.mark.timeout(30)
def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]

    with pytest.raises(BadRequest, match="alias"):
        parse("\n".join(lines) + "\n")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "a: " + "{a: " * 50_000, "- " * 100_000, "[" * 900 + "]" * 900, "&a " + "[" * 990 + "]" * 990],
)
def test_deep_nesting_is_refused_and_kills_nobody(text: str) -> None:
    """In a process of its own: a parser that recurses without bound takes its process with it."""
    program = """
import sys
from confighub.data.document import parse
from confighub.errors import ConfigHubError
from confighub.functions.refusals import refuse
text = sys.stdin.read()
for read in parse, refuse:
    try:
        read(text)
    except ConfigHubError as error:
        print(error)
"""

    ran = subprocess.run([sys.executable, "-c", program], input=text, capture_output=True, text=True, timeout=50)

    assert ran.returncode == 0, ran.stderr[-500:]
    assert len(ran.stdout.splitlines()) == 2


def test_a_unit_of_one_megabyte_works() -> None:
    entries = "".join(f"  key-{n}: value number {n} # comment\n" for n in range(25_000))
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: big\ndata:\n{entries}"
    assert len(text) > 1_000_000
    calls = [
        FunctionInvocation(
            function_name="set-string-path",
            arguments=[FunctionArgument(value=one) for one in ("v1/ConfigMap", "data.key-20000", "new")],
        ),
        FunctionInvocation(function_name="set-namespace", arguments=[FunctionArgument(value="shop")]),
    ]

    done = invoke(text, calls)

    assert done.success
    assert done.text == text.replace("value number 20000", "new")
    assert yaml.load(done.text, Loader=yaml.CSafeLoader)["data"]["key-20000"] == "new"
