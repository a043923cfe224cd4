"""A value written as a scalar means the same to every reader, whatever stands around it."""

from __future__ import annotations

import pytest
import yaml

from confighub.data.scalars import written

PYTHON, C = yaml.SafeLoader, yaml.CSafeLoader


@pytest.mark.parametrize("reader", [PYTHON, C])
@pytest.mark.parametrize(
    "text",
    [":0", "?a", "a?b", "http://x?y=1", "b?", "a:b", "-a", "- a", "a::b", "a:", "yes", "1:30", "#", "a #b", "{a}"],
)
def test_a_text_in_a_flow_is_read_as_this_text(text: str, reader: type[yaml.SafeLoader]) -> None:
    item = written(text, flow=True)

    assert yaml.load(f"[{item}]", Loader=reader) == [text]
    assert yaml.load(f"{{key: {item}}}", Loader=reader) == {"key": text}


@pytest.mark.parametrize("text", ["a?b", "http://x?y=1", ":0", "?a"])
def test_a_text_in_a_block_stays_plain_where_that_is_clear(text: str) -> None:
    assert written(text) == text
    assert yaml.load(f"key: {text}\n", Loader=PYTHON) == {"key": text}
