"""OpenTofu's functions: known by name, not supported here.

They are listed so that a caller learns by name what this hub does not do.
"""

from __future__ import annotations

from typing import Any

from confighub.functions import checks, history, resources, values, yq
from confighub.functions.signature import OPENTOFU, PROPERTIES, Function
from confighub.functions.work import Failed, Work


def _refuse(_: Work, __: list[Any]) -> Any:
    raise Failed(f"not supported for {OPENTOFU}")


_ABSENT = frozenset({"validate"})

FUNCTIONS: list[Function] = [
    Function(one.signature, _refuse, (OPENTOFU,))
    for family in (values, resources, history, checks, yq)
    for one in family.FUNCTIONS
    if {PROPERTIES, OPENTOFU} & set(one.toolchains) and one.name not in _ABSENT
]
