"""Upgrades by example: what comes, what is held, what is a conflict."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from confighub.data import compare
from confighub.data.merge import Merged, upgrade
from confighub.data.mutations import with_predicate
from tests.data.reading_cases import cases

CASES = cases("merge")
SETTLED = [(name, case) for name, case in CASES if "expected" in case]
CONFLICTS = [(name, case) for name, case in CASES if "conflicts" in case]


def merged(case: dict[str, Any]) -> Merged:
    """Return the upgrade of a case; what differs from the base is our own, unless it says otherwise."""
    own = with_predicate(compare.mutations(case["base"], case["ours"], index=7), predicate=case.get("own") == "none")
    return upgrade(base=case["base"], ours=case["ours"], theirs=case["theirs"], own=own)


def fits(text: str, wanted: str) -> bool:
    """Say whether a value is the wanted one; a star stands for any text."""
    return wanted == "*" or text.strip() == wanted


@pytest.mark.parametrize("case", [case for _, case in SETTLED], ids=[name for name, _ in SETTLED])
def test_an_upgrade_gives_the_expected_text(case: dict[str, Any]) -> None:
    result = merged(case)

    assert result.text == case["expected"]
    assert result.conflicts == []


@pytest.mark.parametrize("case", [case for _, case in SETTLED], ids=[name for name, _ in SETTLED])
def test_an_upgrade_lists_what_our_own_changes_hold_back(case: dict[str, Any]) -> None:
    wanted = case.get("held", [])

    held = merged(case).held

    assert [one.path for one in held] == [one["path"] for one in wanted]
    for one, expected in zip(held, wanted, strict=True):
        assert fits(one.ours, expected["ours"])
        assert fits(one.theirs, expected["theirs"])


@pytest.mark.parametrize("case", [case for _, case in CONFLICTS], ids=[name for name, _ in CONFLICTS])
def test_a_conflict_shows_both_values_and_our_author(case: dict[str, Any]) -> None:
    wanted = case["conflicts"]

    conflicts = merged(case).conflicts

    assert [one.path for one in conflicts] == [one["path"] for one in wanted]
    for one, expected in zip(conflicts, wanted, strict=True):
        assert one.ours.strip() == expected["ours"]
        assert one.theirs.strip() == expected.get("theirs", "")
        assert expected["reason"] in one.reason
        assert one.author == 7


@pytest.mark.parametrize("case", [case for _, case in SETTLED], ids=[name for name, _ in SETTLED])
def test_the_record_of_an_upgrade_is_what_a_comparison_finds(case: dict[str, Any]) -> None:
    result = merged(case)

    compared = {
        (one.resource.resource_type, one.resource.resource_name): one
        for one in compare.mutations(case["ours"], result.text, index=0)
    }

    for one in result.mutations:
        found = compared[one.resource.resource_type, one.resource.resource_name]
        assert one.resource_mutation_info.mutation_type == found.resource_mutation_info.mutation_type
        assert {path: info.mutation_type for path, info in one.path_mutation_map.items()} == {
            path: info.mutation_type for path, info in found.path_mutation_map.items()
        }


@pytest.mark.parametrize("case", [case for _, case in SETTLED], ids=[name for name, _ in SETTLED])
def test_taking_the_same_upgrade_twice_changes_nothing_more(case: dict[str, Any]) -> None:
    once = merged(case)

    twice = merged({**case, "ours": once.text, "base": case["theirs"]})

    assert list(yaml.safe_load_all(twice.text)) == list(yaml.safe_load_all(once.text))
    assert twice.conflicts == []
