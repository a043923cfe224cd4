"""Functions on mutation records: compare, patch, reset."""

from __future__ import annotations

from typing import Any

import msgspec

from confighub.data import compare, resource
from confighub.data.document import parse
from confighub.data.path import MISSING, Steps, get, positioned, split
from confighub.data.render import Raw
from confighub.errors import BadPath
from confighub.functions import visit
from confighub.functions.signature import KUBERNETES, OPENTOFU, PROPERTIES, Function, function, parameter
from confighub.functions.work import Failed, Work
from confighub.records.base import to_builtins
from confighub.records.mutations import MutationInfo, ResourceMutation

BOTH = (KUBERNETES, PROPERTIES)
_RECORDS = "ResourceMutationList"


def _records(text: str, name: str) -> list[ResourceMutation]:
    try:
        return msgspec.json.decode(text, type=list[ResourceMutation] | None) or []
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Failed(f"{name} is not a JSON list of mutations: {error}") from None


def _compute_mutations(work: Work, arguments: list[Any]) -> Any:
    old, index = arguments[0], arguments[1]
    is_converted = len(arguments) > 2 and arguments[2]
    before = parse(old if is_converted else work.provider.to_yaml(old))
    found = compare.pairs(before, work.stream, work.provider)
    return to_builtins([compare.record(pair, index=index, naming=work.provider) for pair in found])


def _key(record: ResourceMutation, name: str = "") -> tuple[str, str]:
    info = record.resource
    return info.resource_type, name or info.resource_name_without_scope or resource.without_scope(info.resource_name)


def _patch_mutations(work: Work, arguments: list[Any]) -> None:
    predicates = {_key(record): record for record in _records(arguments[0], "mutation-predicates")}
    patches = {_key(record): record for record in _records(arguments[1], "mutation-patch")}
    sources: list[tuple[int | None, bytes]] = []
    is_rebuilt = False
    for position, holder in enumerate(work.documents):
        info = work.identity(position)
        own = predicates.get((info.resource_type, info.resource_name_without_scope))
        sources.append((position, holder.source))
        if own is not None and not own.resource_mutation_info.predicate:
            continue
        names = [info.resource_name_without_scope, *(own.aliases_without_scopes if own is not None else ())]
        patch = next((patches[key] for name in names if (key := (info.resource_type, name)) in patches), None)
        if patch is None:
            continue
        what = patch.resource_mutation_info
        if what.mutation_type in ("Add", "Replace"):
            sources[-1] = (None, what.value.encode())
            is_rebuilt = True
        elif what.mutation_type == "Delete":
            sources.pop()
            is_rebuilt = True
        elif what.mutation_type == "Update":
            _patch_paths(work, position, own, patch)
    if is_rebuilt:
        edited = [
            (None, work.editor(at).document.source) if at is not None and work.editor(at).is_changed else (at, source)
            for at, source in sources
        ]
        work.put_documents(edited)


def _patch_paths(work: Work, position: int, own: ResourceMutation | None, patch: ResourceMutation) -> None:
    protected = {
        split(path) for path, info in (own.path_mutation_map.items() if own is not None else ()) if not info.predicate
    }
    # from the last list position to the first, so that deletions do not move what is still to be patched
    entries = sorted(patch.path_mutation_map.items(), key=lambda entry: entry[0])
    deletions = [entry for entry in entries if entry[1].mutation_type == "Delete"]
    for path, info in [entry for entry in entries if entry[1].mutation_type != "Delete"] + deletions[::-1]:
        segments = split(path)
        if any(segments[:length] in protected for length in range(1, len(segments) + 1)):
            continue
        try:
            _patch_one(work, position, positioned(work.data(position), segments), info)
        except BadPath:
            # a place that the patch's author had and this unit has not
            continue


def _patch_one(work: Work, position: int, steps: Steps, info: MutationInfo) -> None:
    editor = work.editor(position)
    if info.mutation_type == "Delete":
        editor.remove(steps)
    elif info.mutation_type != "None":
        items = get(editor.data, steps[:-1])
        if isinstance(items, list) and steps[-1] == len(items):
            editor.insert(steps[:-1], Raw(info.value))
        else:
            editor.set(steps, Raw(info.value))


def _reset(work: Work, arguments: list[Any]) -> None:
    predicates = {_key(record): record for record in _records(arguments[0], "mutation-predicates")}
    for position in range(len(work.documents)):
        info = work.identity(position)
        record = predicates.get((info.resource_type, info.resource_name_without_scope))
        for path, one in record.path_mutation_map.items() if record is not None else ():
            steps = positioned(work.data(position), split(path))
            value = get(work.data(position), steps)
            if not one.predicate or value is MISSING:
                continue
            if isinstance(value, str):
                work.editor(position).set(steps, visit.PLACEHOLDER)
            elif type(value) is int:
                work.editor(position).set(steps, visit.PLACEHOLDER_INT)


def _list(name: str, description: str) -> Any:
    return parameter(name, description, kind=_RECORDS)


def _compute(toolchain: str, kind: str) -> Function:
    return function(
        "compute-mutations",
        "Compare an earlier text with this one and record what changed",
        _compute_mutations,
        parameter("config-doc-list", "The earlier text", kind=kind),
        parameter("functionIndex", "The index to record", kind="int"),
        parameter("alreadyConverted", "true when the text is YAML already", kind="bool", required=False),
        output=("mutations", _RECORDS, "What changed, by resource and path"),
        toolchains=(toolchain,),
    )


FUNCTIONS: list[Function] = [
    _compute(KUBERNETES, "YAML"),
    _compute(PROPERTIES, "Properties"),
    _compute(OPENTOFU, "HCL"),
    function(
        "patch-mutations",
        "Replay recorded changes, except where a predicate protects a path",
        _patch_mutations,
        _list("mutation-predicates", "JSON list of this unit's own mutations"),
        _list("mutation-patch", "JSON list of the mutations to replay"),
        mutates=True,
        toolchains=BOTH,
    ),
    function(
        "reset",
        "Set the recorded paths back to placeholders",
        _reset,
        _list("mutation-predicates", "JSON list of mutations, those with a true predicate are reset"),
        mutates=True,
        toolchains=BOTH,
    ),
]
