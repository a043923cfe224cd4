"""A running hub, and spaces in it to deploy."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from tests.api.conftest import hub_process, shared_hub, store_template  # noqa: F401 - fixtures
from tests.api.running import HubProcess
from tests.operations.playing import Stage, make_stage

_NUMBERS = itertools.count(1)


@pytest.fixture
def new_stage(shared_hub: HubProcess) -> Callable[..., Stage]:  # noqa: F811 - the fixture
    """Make a space of its own in the shared hub; arguments are labels, ``auto_apply`` is the worker's."""

    def make(**arguments: str | bool) -> Stage:
        return make_stage(shared_hub, f"stage-{next(_NUMBERS)}", **arguments)  # type: ignore[arg-type]

    return make


@pytest.fixture
def dev(new_stage: Callable[..., Stage]) -> Stage:
    """A space whose worker applies only what it is asked to."""
    return new_stage(environment="dev")
