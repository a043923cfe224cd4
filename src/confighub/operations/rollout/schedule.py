"""When a canary gets how much of the traffic, and what it must show before it gets more.

Source: the seed's table of stages (3.3); a schedule of one's own is a JSON list of the same fields, or an object with
``stages`` and ``queries``: a name of ``queries.KNOWN``, or the queries themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from confighub.errors import BadRequest
from confighub.operations.rollout.queries import Queries, read_queries

Need = Literal["error rate", "latency", "error increase"]


class Stage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stage: its share of the traffic in percent, how long it lasts at least, what must be shown in it."""

    name: str
    weight: int
    minutes: float = 0.0
    needs: tuple[Need, ...] = ()


SEED: tuple[Stage, ...] = (
    Stage(name="Initial", weight=10, minutes=10, needs=("error rate",)),
    Stage(name="Expand", weight=25, minutes=20, needs=("latency",)),
    Stage(name="Majority", weight=50, minutes=30, needs=("error increase",)),
    Stage(name="Full", weight=100),
)


@dataclass(frozen=True)
class Schedule:
    """The stages, and what to ask Prometheus in them; None for what fits the place."""

    stages: tuple[Stage, ...] = SEED
    queries: Queries | None = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    stages: tuple[Stage, ...] = SEED
    queries: str | dict[str, object] | None = None


def read_schedule(path: Path) -> Schedule:
    """Return the schedule of a file. Raises: BadRequest for what is none, saying why."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=tuple[Stage, ...] | _File)
    except OSError as error:
        raise BadRequest(f"{path} cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise BadRequest(
            f"{path} is no schedule: {error}",
            hint="a list of name, weight, minutes, needs; or such a list as stages, with queries beside it",
        ) from error
    if isinstance(found, tuple):
        check(found)
        return Schedule(found)
    check(found.stages)
    queries = None if found.queries is None else read_queries(found.queries, where=str(path))
    return Schedule(found.stages, queries)


def check(stages: tuple[Stage, ...]) -> None:
    """Return when the stages lead up to 100 %. Raises: BadRequest."""
    weights = [stage.weight for stage in stages]
    if not weights or weights[-1] != 100 or weights != sorted(set(weights)) or weights[0] < 1:
        raise BadRequest(f"a schedule rises from above 0 to 100 percent, not: {weights}")
    if any(stage.minutes < 0 for stage in stages):
        raise BadRequest("a stage cannot last less than no time")
    if any(stage.needs for stage in stages if stage.weight == 100):
        raise BadRequest("the last stage has nothing to be compared with, so it cannot need anything")
