"""A hub of canned answers for each test."""

from collections.abc import Iterator

import pytest

from tests.client.answering import AnsweringHub, answering_hub


@pytest.fixture
def hub() -> Iterator[AnsweringHub]:
    with answering_hub() as serving:
        yield serving
