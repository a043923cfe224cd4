"""The laws of merging and of records, over generated manifests."""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from confighub.data import compare
from confighub.data.merge import Merged, upgrade
from confighub.data.mutations import accumulate, changes_nothing, with_predicate
from confighub.records.mutations import ResourceMutation
from tests.data import manifests as some
from tests.data.manifests import read, written
from tests.data.test_edit_properties import edited

bounded = settings(max_examples=40)
seeds = st.integers(0, 2**20)
plain = st.text("abcxyz", min_size=1, max_size=8)


def merged(base: str, ours: str, theirs: str) -> Merged:
    """Return the upgrade in which everything that differs from the base is our own."""
    own = with_predicate(compare.mutations(base, ours, index=3), predicate=False)
    return upgrade(base=base, ours=ours, theirs=theirs, own=own)


@st.composite
def changed(draw: st.DrawFn, data: dict[str, Any], side: str) -> dict[str, Any]:
    """Return the data with a few changes of one side: scalars set, keys and variables added, an entry removed."""
    new = deepcopy(data)
    new["spec"]["replicas"] = draw(st.integers(10, 99))
    if draw(st.booleans()):
        new["metadata"].setdefault("annotations", {})[side] = draw(plain)
    for container in new["spec"]["template"]["spec"]["containers"]:
        if draw(st.booleans()):
            container["image"] = f"{side}:{draw(plain)}"
        if draw(st.booleans()):
            container.setdefault("env", []).append({"name": side.upper(), "value": draw(plain)})
    if new["metadata"]["labels"] and draw(st.booleans()):
        del new["metadata"]["labels"][draw(st.sampled_from(list(new["metadata"]["labels"])))]
    return new


@bounded
@given(some.manifests("web"), seeds, st.data())
def test_no_change_upstream_keeps_every_byte(data: dict[str, Any], seed: int, chosen: st.DataObject) -> None:
    base = written(data, seed).text
    ours = written(chosen.draw(changed(data, "ours")), seed + 1).text

    result = merged(base, ours, base)

    assert result.text == ours
    assert (result.held, result.conflicts) == ([], [])
    assert changes_nothing(result.mutations)


@bounded
@given(some.manifests("web"), seeds, st.data())
def test_without_changes_of_our_own_we_get_what_upstream_has(
    data: dict[str, Any], seed: int, chosen: st.DataObject
) -> None:
    base = written(data, seed).text
    theirs = chosen.draw(changed(data, "theirs"))

    result = merged(base, base, written(theirs, seed).text)

    assert read(result.text) == [theirs]
    assert (result.held, result.conflicts) == ([], [])


@bounded
@given(some.manifests("web"), seeds, st.data())
def test_our_own_values_stay(data: dict[str, Any], seed: int, chosen: st.DataObject) -> None:
    ours = chosen.draw(changed(data, "ours"))
    theirs = chosen.draw(changed(data, "theirs"))

    result = merged(written(data, seed).text, written(ours, seed).text, written(theirs, seed).text)

    (now,) = read(result.text)
    assert now["spec"]["replicas"] == ours["spec"]["replicas"]
    for mine, was in zip(ours["spec"]["template"]["spec"]["containers"], _containers(data), strict=True):
        (container,) = (one for one in _containers(now) if one["name"] == mine["name"])
        if mine["image"] != was["image"]:
            assert container["image"] == mine["image"]
        if mine.get("env") != was.get("env"):
            assert mine["env"][-1] in container["env"]


def _containers(data: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = data["spec"]["template"]["spec"]["containers"]
    return found


@bounded
@given(some.manifests("web"), seeds, st.data())
def test_an_upgrade_taken_twice_is_taken_once(data: dict[str, Any], seed: int, chosen: st.DataObject) -> None:
    ours = written(chosen.draw(changed(data, "ours")), seed).text
    theirs = written(chosen.draw(changed(data, "theirs")), seed).text
    base = written(data, seed).text

    once = merged(base, ours, theirs)

    assert merged(theirs, once.text, theirs).text == once.text


@bounded
@given(some.manifests("web"), seeds, st.data())
def test_changes_in_different_places_commute(data: dict[str, Any], seed: int, chosen: st.DataObject) -> None:
    # names are keys of their lists; what happens to them is for the cases
    leaves = [steps for steps in sorted(some.leaves({"spec": data["spec"]}), key=str) if steps[-1] != "name"]
    first, second = chosen.draw(st.permutations(leaves))[:2]
    base = written(data, seed).text
    one, other = edited(base, ("set", first, "by us")), edited(base, ("set", second, "by them"))

    assert read(merged(base, one, other).text) == read(merged(base, other, one).text)


@bounded
@given(some.manifests("web"), seeds, st.data())
def test_records_applied_to_the_old_text_give_the_new_one(
    data: dict[str, Any], seed: int, chosen: st.DataObject
) -> None:
    old, new = chosen.draw(changed(data, "old")), chosen.draw(changed(data, "new"))
    new["spec"]["extra"] = chosen.draw(some.scalars | st.lists(some.scalars, min_size=1, max_size=4))
    before, after = written(old, seed).text, written(new, seed + 1).text

    (record,) = compare.mutations(before, after, index=1)

    assert read(after) == [applied(deepcopy(old), record)]


def applied(data: Any, record: ResourceMutation) -> Any:
    """Return the data with a record's paths applied in order; positions count the old items, deletions last."""
    deleted = []
    for path, info in record.path_mutation_map.items():
        steps = [part.replace("~1", ".") for part in path.split(".")]
        holder = data
        for step in steps[:-1]:
            holder = holder[int(step)] if isinstance(holder, list) else holder[step]
        if info.mutation_type == "Delete":
            deleted.append((holder, steps[-1]))
            continue
        (value,) = read(info.value) or [None]
        if isinstance(holder, list) and int(steps[-1]) == len(holder):
            holder.append(value)
        else:
            holder[int(steps[-1]) if isinstance(holder, list) else steps[-1]] = value
    for holder, step in reversed(deleted):
        del holder[int(step) if isinstance(holder, list) else step]
    return data


@bounded
@given(some.manifests("web"), seeds, st.data())
def test_accumulated_records_say_who_set_a_path_last(data: dict[str, Any], seed: int, chosen: st.DataObject) -> None:
    texts = [written(data, seed).text]
    for side in ("one", "two", "three"):
        data = chosen.draw(changed(data, side))
        texts.append(written(data, seed).text)
    steps = [compare.mutations(old, new, index=at) for at, (old, new) in enumerate(pairwise(texts))]

    found: list[ResourceMutation] = []
    for step in steps:
        found = accumulate(found, step)

    assert len(found) == 1
    for path, info in found[0].path_mutation_map.items():
        authors = [at for at, step in enumerate(steps) if path in step[0].path_mutation_map]
        assert info.index == authors[-1]
        assert info.value == steps[authors[-1]][0].path_mutation_map[path].value


@bounded
@given(some.manifests("web"), some.manifests("api"), seeds)
def test_accumulating_nothing_changes_nothing(one: dict[str, Any], other: dict[str, Any], seed: int) -> None:
    old, new = written(one, seed).text, written(one, seed).text + "---\n" + written(other, seed).text
    records = compare.mutations(old, new, index=0)

    assert accumulate(records, compare.mutations(new, new, index=9)) == records
    assert accumulate([], records) == records
