"""What a text that cannot be read tells its author: line, column and what to do; and nothing besides."""

from __future__ import annotations

import subprocess
import sys

import pytest

from confighub.data.document import parse
from confighub.errors import NotYaml

BROKEN = [
    "a: 1\nb: [1, 2\nc: 3\n",
    "a:\n\tb: 1\n",
    "a: b: c\n",
    "a: *nothing\n",
    "? [b, c]\n: d\n",
    "a: 'x\n",
    "- a\nb: c\n",
    "a: |\n  x\n b\n",
    "[" * 1100,
    "".join(" " * depth + "k:\n" for depth in range(150)),
    "a: !<x y\n",
]


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_text_is_refused_with_its_place_and_what_to_do(text: str) -> None:
    with pytest.raises(NotYaml) as alone:
        parse(text)
    with pytest.raises(NotYaml) as behind:
        parse(f"a: 1\n---\n{text}")

    assert alone.value.line > 0
    assert alone.value.column > 0
    assert alone.value.hint
    assert behind.value.line == alone.value.line + 2
    assert behind.value.column == alone.value.column


def test_the_parser_prints_nothing_of_its_own_and_gives_the_stream_back() -> None:
    program = f"""
import ctypes
from confighub.data.document import parse
from confighub.errors import NotYaml

for text in {BROKEN!r}:
    try:
        parse(text)
    except NotYaml:
        pass
libc = ctypes.CDLL(None)
libc.fputs.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
libc.fputs(b"still there", ctypes.c_void_p.in_dll(libc, "stderr"))
libc.fflush(None)
"""

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == ""
    assert done.stderr == "still there"
