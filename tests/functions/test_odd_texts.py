"""Texts that people write and parsers trip over: functions change what they name, every other byte stays."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from confighub.functions.invoke import Invoked, invoke
from confighub.functions.refusals import refuse
from confighub.records.functions import FunctionArgument, FunctionInvocation

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: odd\n  labels:\n    app: odd # the app\n"
DATA: dict[str, str] = {
    "anchors and aliases": "data:\n  first: &v hello\n  second: *v\n  third: &w\n    a: b\n  fourth: *w\n",
    "a merge key": "base: &b {a: x}\ndata:\n  <<: *b\n  c: d\n",
    "tabs": 'data:\n  a: b\t\n  c:\t d # \tx\n  e: "\\t"\n',
    "words of YAML 1.1": 'data:\n  yes: "no"\n  on: off\n  n: y\n  "true": "False"\n  o: 0o17\n  t: 12:30:45\n',
    "a long text": f"data:\n  a: {'word ' * 4000}end\n  b: '{'x' * 10000}'\n",
    "block scalars": (
        "data:\n  a: |\n    one\n\n      two # no comment\n  b: >-\n    folded\n    text\n"
        "  c: |+\n    kept\n\n  d: |2\n      x\n"
    ),
    "a text over several lines": 'data:\n  a: this goes\n    on and\n\n    on\n  b: "so does\n    this"\n',
    "letters of the world": (
        "data:\n  größe: ü\n  \u65e5\u672c: \u8a9e # \u6ce8\n  emoji: \U0001f600\n  e\u0301: combining\n  \u05d0: rtl\n"
    ),
    "brackets over several lines": "data: {\n  a: b, # one\n  c: [1,\n    2], # two\n}\n",
    "no line end": "data:\n  a: b",
    "blank lines and trailing spaces": "\n\ndata:   \n\n  a: b   \n\n\n  c: d\n\n\n",
    "nothing": "data:\n  a:\n  b: ~\n  c: null\n  d: ''\n",
    "odd keys": "data:\n  ? a\n  : b\n  'q: r': s\n  \"x\\ty\": z\n  -: dash\n  key with spaces: v\n",
}
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "a byte order mark": lambda text: "\ufeff" + text,
    "a second document": lambda text: (
        f"---\n{text.rstrip()}\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n...\n"
    ),
}


def called(text: str, *calls: list[str]) -> Invoked:
    """Return what the calls, each a name and its arguments, make of the text."""
    return invoke(
        text,
        [
            FunctionInvocation(function_name=name, arguments=[FunctionArgument(value=one) for one in arguments])
            for name, *arguments in calls
        ],
    )


def read(text: str) -> list[Any]:
    """Return the documents of a text as another reader sees them."""
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", DATA)
def test_a_label_changes_its_line_and_no_other_byte(name: str, form: str) -> None:
    text = FORMS[form](HEAD + DATA[name])

    done = called(text, ["set-string-path", "v1/ConfigMap", "metadata.labels.app", "new"], ["get-label", "app"])
    again = called(done.text, ["set-string-path", "v1/ConfigMap", "metadata.labels.app", "new"])

    assert done.errors == []
    assert done.text == text.replace("app: odd #", "app: new #")
    assert json.loads(done.output)[0]["Value"] == "new"
    assert (again.mutators, again.text) == ([], done.text)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", DATA)
def test_a_new_label_adds_one_line(name: str, form: str) -> None:
    text = FORMS[form](HEAD + DATA[name])
    line_end = "\r\n" if form == "CRLF" else "\n"
    expected = text.replace("# the app" + line_end, f"# the app{line_end}    new: x{line_end}")

    done = called(text, ["set-string-path", "v1/ConfigMap", "metadata.labels.new", "x"])

    assert done.errors == []
    assert done.text == expected
    wanted = read(text)
    wanted[0]["metadata"]["labels"]["new"] = "x"
    assert read(done.text) == wanted


@pytest.mark.parametrize("name", ["a long text", "letters of the world", "words of YAML 1.1", "block scalars"])
def test_every_text_value_is_read_as_other_readers_read_it(name: str) -> None:
    text = HEAD + DATA[name]

    found = {
        key: json.loads(called(text, ["get-string-path", "v1/ConfigMap", f'data."{key}"']).output or "null")
        for key, value in read(text)[0]["data"].items()
        if isinstance(key, str) and isinstance(value, str)
    }

    wanted = read(text)[0]["data"]
    assert found
    assert {key: one[0]["Value"] for key, one in found.items() if one} == {
        key: wanted[key] for key in found if found[key]
    }


def test_a_key_that_stands_twice_is_refused_where_an_edit_would_pass_it() -> None:
    text = HEAD + "data:\n  a: x\n  a: y\n"

    elsewhere = called(text, ["set-string-path", "v1/ConfigMap", "metadata.labels.app", "new"])
    there = called(text, ["set-string-path", "v1/ConfigMap", "data.a", "new"])

    assert elsewhere.text == text.replace("app: odd", "app: new")
    assert (there.text, there.success) == (text, False)
    assert "twice: a" in there.errors[0]
    with pytest.raises(Exception, match="line 9, column 3: the key stands here twice: a"):
        refuse(text)


@pytest.mark.timeout(60)
def test_an_alias_bomb_takes_neither_time_nor_memory() -> None:
    """In a process with a limit of its own: 20 levels of ten aliases each would be 10^20 nodes."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
    program = """
import resource
import sys
from confighub.data.document import parse
from confighub.errors import NotYaml
from confighub.functions.refusals import refuse
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for read in parse, refuse:
    try:
        read(sys.argv[1])
    except NotYaml as error:
        print(error.line, error.hint)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used
assert grown < 64 * 1024, grown
"""

    ran = subprocess.run(
        [sys.executable, "-c", program, "\n".join(lines) + "\n"], capture_output=True, text=True, timeout=50
    )

    assert ran.returncode == 0, ran.stderr[-500:]
    assert len(ran.stdout.splitlines()) == 2
