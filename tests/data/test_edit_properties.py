"""What every edit keeps, whatever the text looks like."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from confighub.data.differences import changes
from confighub.data.document import document, parse
from confighub.data.editor import Editor
from confighub.data.patch import merge_patch
from tests.data import manifests as some
from tests.data.manifests import at, read, written

seeds = st.integers(0, 2**20)
bounded = settings(max_examples=40)


def edited(text: str, *edits: tuple[Any, ...]) -> str:
    editor = Editor(document(text.encode()))
    for what, *arguments in edits:
        getattr(editor, what)(*arguments)
    return editor.finish()[0].decode()


def is_cut_out(whole: str, part: str) -> bool:
    """Say whether the part is the whole without one run of lines."""
    longer, shorter = whole.split("\n"), part.split("\n")
    gone = len(longer) - len(shorter)
    return gone > 0 and any(longer[:start] + longer[start + gone :] == shorter for start in range(len(shorter) + 1))


@bounded
@given(some.manifests(), seeds)
def test_our_reading_is_that_of_another_parser(data: dict[str, Any], seed: int) -> None:
    text = written(data, seed).text

    assert parse(text).documents[0].document.data == read(text)[0] == data


@bounded
@given(some.manifests(), seeds, st.data())
def test_setting_a_scalar_touches_its_line_only(data: dict[str, Any], seed: int, chosen: st.DataObject) -> None:
    out = written(data, seed)
    steps = chosen.draw(st.sampled_from(sorted(out.line_of, key=str)))
    value = chosen.draw(some.scalars.filter(lambda one: not (isinstance(one, str) and "\n" in one)))
    line = out.line_of[steps]

    text = edited(out.text, ("set", steps, value))

    expected = deepcopy(data)
    at(expected, steps[:-1])[steps[-1]] = value
    assert read(text) == [expected]
    before, after = out.text.split("\n"), text.split("\n")
    assert before[:line] + before[line + 1 :] == after[:line] + after[line + 1 :]


@bounded
@given(some.manifests(), seeds, st.data())
def test_a_text_of_several_lines_can_be_set_anywhere(data: dict[str, Any], seed: int, chosen: st.DataObject) -> None:
    steps = chosen.draw(st.sampled_from(sorted(some.leaves(data), key=str)))
    value = chosen.draw(some.block_texts | some.texts.map(lambda one: one + "\n\n") | some.block_texts.map(str.strip))

    text = edited(written(data, seed).text, ("set", steps, value))

    at(data, steps[:-1])[steps[-1]] = value
    assert read(text) == [data]


@bounded
@given(some.manifests(), seeds, st.data(), some.values)
def test_a_new_key_leaves_every_line_as_it_was(
    data: dict[str, Any], seed: int, chosen: st.DataObject, value: Any
) -> None:
    out = written(data, seed)
    maps = [steps for steps in some.containers(data) if isinstance(at(data, steps), dict)]
    steps = chosen.draw(st.sampled_from(sorted(maps, key=str)))

    text = edited(out.text, ("set", (*steps, "newKey"), value))

    expected = deepcopy(data)
    at(expected, steps)["newKey"] = value
    assert read(text) == [expected]
    if steps in out.blocks:
        assert is_cut_out(text, out.text)


@bounded
@given(some.manifests(), seeds, st.data(), some.values)
def test_an_item_can_be_added_anywhere(data: dict[str, Any], seed: int, chosen: st.DataObject, value: Any) -> None:
    lists = [steps for steps in some.containers(data) if isinstance(at(data, steps), list)]
    steps = chosen.draw(st.sampled_from(sorted(lists, key=str)))
    position = chosen.draw(st.integers(0, len(at(data, steps))))
    editor = Editor(document(written(data, seed).text.encode()))

    editor.insert(steps, value, position=position)

    at(data, steps).insert(position, value)
    assert read(editor.finish()[0].decode()) == [data]


@bounded
@given(some.manifests(), seeds, st.data())
def test_a_removed_entry_takes_nothing_else_with_it(data: dict[str, Any], seed: int, chosen: st.DataObject) -> None:
    out = written(data, seed)
    parents = [steps for steps in some.containers(data) if at(data, steps)]
    above = chosen.draw(st.sampled_from(sorted(parents, key=str)))
    holder = at(data, above)
    step = chosen.draw(st.sampled_from(list(holder) if isinstance(holder, dict) else list(range(len(holder)))))

    text = edited(out.text, ("remove", (*above, step)))

    expected = deepcopy(data)
    del at(expected, above)[step]
    assert read(text) == [expected]
    if above in out.blocks and len(holder) > 1:
        assert is_cut_out(out.text, text)


@bounded
@given(some.manifests(), seeds, st.data())
def test_several_edits_at_once_are_those_edits_one_by_one(
    data: dict[str, Any], seed: int, chosen: st.DataObject
) -> None:
    text = written(data, seed).text
    places = chosen.draw(st.lists(st.sampled_from(sorted(some.leaves(data), key=str)), max_size=4, unique=True))
    edits = [("set", steps, chosen.draw(some.scalars)) for steps in places]

    together = edited(text, *edits)

    for edit in edits:
        text = edited(text, edit)
    assert together == text


@bounded
@given(some.manifests(), seeds, st.data())
def test_setting_what_is_there_keeps_every_byte(data: dict[str, Any], seed: int, chosen: st.DataObject) -> None:
    text = written(data, seed).text.replace("\n", chosen.draw(st.sampled_from(("\n", "\r\n"))))
    stream = parse(text)
    editor = Editor(stream.documents[0].document)

    for steps in some.leaves(stream.documents[0].document.data):
        editor.set(steps, at(stream.documents[0].document.data, steps))

    assert not editor.is_changed
    assert editor.finish() == (text.encode(), {})


@bounded
@given(some.manifests(), seeds, st.data())
def test_an_edit_keeps_carriage_returns(data: dict[str, Any], seed: int, chosen: st.DataObject) -> None:
    text = written(data, seed).text.replace("\n", "\r\n")
    steps = chosen.draw(st.sampled_from(sorted(some.leaves(data), key=str)))
    value = chosen.draw(some.values)

    changed = edited(text, ("set", steps, value), ("set", ("metadata", "annotations", "a.b"), "c"))

    at(data, steps[:-1])[steps[-1]] = value
    data["metadata"]["annotations"] = {"a.b": "c"}
    assert read(changed) == [data]
    assert changed.count("\n") == changed.count("\r\n")


@bounded
@given(some.manifests(), seeds, st.data())
def test_the_record_of_an_edit_is_what_a_comparison_finds(
    data: dict[str, Any], seed: int, chosen: st.DataObject
) -> None:
    holder = document(written(data, seed).text.encode())
    steps = chosen.draw(st.sampled_from(sorted(some.leaves(data), key=str)))
    editor = Editor(holder)
    editor.set(steps, chosen.draw(some.scalars))
    editor.set(("added",), "x")
    editor.remove(("spec", "replicas"))

    source, recorded = editor.finish()

    assert recorded == changes(holder, document(source))


def merged_by_rfc(target: Any, patch: Any) -> Any:
    """Return what RFC 7386 makes of the two."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged_by_rfc(result.get(key), value)
    return result


@bounded
@given(some.manifests("web"), seeds, st.dictionaries(some.keys, some.values, max_size=3))
def test_a_patch_without_lists_is_a_json_merge_patch(data: dict[str, Any], seed: int, patch: dict[str, Any]) -> None:
    assume(not any(isinstance(at(patch, steps), list) for steps in some.containers(patch)))

    text, _ = merge_patch(written(data, seed).text, {"spec": {"extra": patch}})

    assert read(text) == [merged_by_rfc(data, {"spec": {"extra": patch}})]
