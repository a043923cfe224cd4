from __future__ import annotations

from confighub.data import compare
from confighub.hub.domain.mutations import Origin, Step, advanced, by_call, compared, stamped
from confighub.hub.domain.positions import moved
from confighub.records.mutations import ResourceMutation

HEAD = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n"


def pod(*env: str, image: str = "web:1") -> str:
    lines = "".join(f"        - name: {one.split('=')[0]}\n          value: {one.split('=')[1]}\n" for one in env)
    return f"{HEAD}  containers:\n    - name: web\n      image: {image}\n      env:\n{lines}"


def sources(*texts: str, upstream_first: bool = True) -> list[ResourceMutation]:
    """Return the sources of a unit that went through the texts; the first came from upstream."""
    found: list[ResourceMutation] = []
    old = ""
    for number, text in enumerate(texts, start=1):
        is_upstream = number == 1 and upstream_first
        records = stamped(Step(Origin(), compared(old, text, "Kubernetes/YAML"), is_upstream=is_upstream), number)
        found = advanced(found, [(records, is_upstream)], old=old, new=text)
        old = text
    return found


def own_paths(found: list[ResourceMutation]) -> list[str]:
    return sorted(path for one in found for path, info in one.path_mutation_map.items() if not info.predicate)


ENV = "spec.containers.0.env"


def test_an_edit_inside_an_upstream_resource_protects_its_path_only() -> None:
    found = sources(pod("A=1"), pod("A=2"))

    assert own_paths(found) == [f"{ENV}.0.value"]
    assert [one.resource_mutation_info.predicate for one in found] == [True]


def test_a_resource_that_was_added_here_is_protected_as_a_whole() -> None:
    other = pod("A=1").replace("name: web\nspec", "name: other\nspec")

    found = sources(pod("A=1"), pod("A=1") + "---\n" + other)

    assert [(one.resource.resource_name_without_scope, one.resource_mutation_info.predicate) for one in found] == [
        ("web", True),
        ("other", False),
    ]


def test_a_path_follows_its_item_when_others_come_before_it() -> None:
    old, new = pod("A=1", "B=2"), pod("NEW=0", "A=1", "B=2")
    found = sources(pod("A=1", "B=1"), old)
    assert own_paths(found) == [f"{ENV}.1.value"]

    assert own_paths(moved(found, old, new)) == [f"{ENV}.2.value"]


def test_a_path_through_an_item_that_is_gone_is_dropped() -> None:
    old = pod("A=1", "B=2", "C=3")
    found = sources(pod("A=0", "B=2", "C=0"), old)

    after = moved(found, old, pod("B=2", "C=3"))

    assert own_paths(after) == [f"{ENV}.1.value"]


def test_an_upgrade_that_inserts_an_item_keeps_our_value_ours() -> None:
    old, new = pod("A=1", "B=mine"), pod("NEW=0", "A=1", "B=mine")
    found = sources(pod("A=1", "B=1"), old)
    upgrade = stamped(Step(Origin(), compared(old, new, "Kubernetes/YAML"), is_upstream=True), 3)

    after = advanced(found, [(upgrade, True)], old=old, new=new)

    assert own_paths(after) == [f"{ENV}.2.value"]


def test_an_upgrade_takes_over_what_came_from_upstream() -> None:
    old, new = pod("A=1", image="web:1"), pod("A=1", image="web:2")
    upgrade = stamped(Step(Origin(), compared(old, new, "Kubernetes/YAML"), is_upstream=True), 2)

    after = advanced(sources(old), [(upgrade, True)], old=old, new=new)

    info = after[0].path_mutation_map["spec.containers.0.image"]
    assert (info.index, info.predicate) == (2, True)


def test_a_renamed_resource_keeps_its_paths() -> None:
    old = pod("A=1", "B=2")
    renamed = old.replace("name: web\nspec", "name: web-eu\nspec")
    found = sources(pod("A=1", "B=1"), old, renamed)

    after = moved(
        found, renamed, renamed.replace("      env:\n", "      env:\n        - name: Z\n          value: 0\n")
    )

    assert f"{ENV}.2.value" in own_paths(after)


def test_each_call_gets_its_own_part_of_an_answer() -> None:
    first = compare.mutations(pod("A=1"), pod("A=2"), index=0)
    second = compare.mutations(pod("A=2"), pod("A=2", image="web:2"), index=1)
    both = first[0]
    both.path_mutation_map |= second[0].path_mutation_map

    parts = [[sorted(one.path_mutation_map) for one in by_call([both], index)] for index in (0, 1, 2)]

    assert parts == [[[f"{ENV}.0.value"]], [["spec.containers.0.image"]], []]


def test_untouched_resources_leave_no_record() -> None:
    text = pod("A=1") + "---\n" + pod("A=1").replace("name: web\nspec", "name: other\nspec")
    step = Step(Origin(), compared(text, text.replace("value: 1", "value: 2", 1), "Kubernetes/YAML"))

    assert [one.resource.resource_name_without_scope for one in stamped(step, 4)] == ["web"]


def test_texts_that_are_no_yaml_are_not_compared() -> None:
    assert compared("a=1\n", "a=2\n", "AppConfig/Properties") == []
