"""One unit while functions run on it: its documents, their editors, and the record of one call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from confighub.data import assembly, compare
from confighub.data.differences import Changes
from confighub.data.document import Document, Stream, parse
from confighub.data.editor import Editor
from confighub.data.path import Steps
from confighub.errors import ConfigHubError, NotAResource
from confighub.functions import providers
from confighub.functions.providers import Provider
from confighub.records.mutations import ResourceInfo, ResourceMutation


@dataclass(frozen=True, slots=True)
class Context:
    """What a function may know of the unit it runs on; everything has a default."""

    unit_slug: str = ""
    unit_display_name: str = ""
    unit_id: str = ""
    space_slug: str = ""
    space_id: str = ""
    organization_id: str = ""
    revision_num: int = 0
    approved_by: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    live_state: str = ""
    previous_content_hash: int = 0
    as_recorded: bool = False
    """True only to compare with cases recorded from the public server: its known mistakes are made too."""
    siblings: tuple[str, ...] = ()
    """The texts of the other units in the space, for checks that look beyond one unit."""
    known_secrets: tuple[str, ...] | None = None
    """``namespace/name`` of the secrets that the target reports; None when it reports none."""


class Failed(ConfigHubError):
    """A function failed; ``output`` is what it still answers."""

    def __init__(self, message: str, *, output: Any = None) -> None:
        super().__init__(message)
        self.output = output


class Work:
    """A text under one call: read ``documents``, edit through ``editor``, add and remove documents."""

    def __init__(self, stream: Stream, provider: Provider, context: Context, names: tuple[str, ...] = ()) -> None:
        self.stream, self.provider, self.context, self.names = stream, provider, context, names
        self.documents: list[Document] = [placed.document for placed in stream.documents]
        self._editors: dict[int, Editor] = {}
        self._sources: list[tuple[int | None, bytes]] | None = None
        self._retyped: set[tuple[str, str]] = set()

    def identity(self, position: int) -> ResourceInfo:
        """Return the identity of a document before any change of this call."""
        return self.provider.identity(self.documents[position])

    def not_resources(self) -> list[str]:
        """Return one line for each document that is no resource."""
        lines = []
        for position in range(len(self.documents)):
            try:
                self.identity(position)
            except NotAResource as error:
                lines.append(error.message)
        return lines

    def editor(self, position: int) -> Editor:
        """Return the editor of a document."""
        found = self._editors.get(position)
        if found is None:
            found = self._editors[position] = Editor(self.documents[position])
        return found

    def data(self, position: int) -> Any:
        """Return the data of a document with all changes so far."""
        found = self._editors.get(position)
        return self.documents[position].data if found is None else found.data

    def is_unread(self, position: int) -> bool:
        """Say whether a document is as it was, and only its tree is there yet."""
        return position not in self._editors and not self.context.as_recorded and not self.documents[position].is_read

    def at(self, position: int, steps: Steps) -> Any:
        """Return the value at plain steps of a document with all changes so far, or MISSING."""
        found = self._editors.get(position)
        return self.documents[position].at(steps) if found is None else found.at(steps)

    def shape(self, position: int, steps: Steps) -> str:
        """Return "map", "list", "scalar" or nothing for what stands at plain steps with all changes so far."""
        found = self._editors.get(position)
        return self.documents[position].shape(steps) if found is None else found.shape(steps)

    def size(self, position: int, steps: Steps) -> int:
        """Return how many entries stand at plain steps with all changes so far."""
        found = self._editors.get(position)
        return self.documents[position].size(steps) if found is None else found.size(steps)

    def put_documents(self, sources: list[tuple[int | None, bytes]]) -> None:
        """Say which documents the text is to have: each an old one by position, or new bytes with None."""
        self._sources = sources

    def finish(self, *, index: int) -> tuple[str, list[ResourceMutation]]:
        """Return the text after the call, and one record per resource.

        Raises: BadPath when an edit cannot be made safely.
        """
        if self._sources is not None:
            text = self._rebuilt(self._sources)
            found = compare.pairs(self.stream, parse(text), self.provider)
            return text, [compare.record(pair, index=index, naming=self.provider) for pair in found]
        changed: dict[int, bytes] = {}
        records: list[ResourceMutation] = []
        for position, holder in enumerate(self.documents):
            editor = self._editors.get(position)
            try:
                if editor is None or not editor.is_changed:
                    records.append(_untouched(self.provider.identity(holder), index))
                    continue
                names = self._names(editor)
                source, changes = editor.finish()
                changed[position] = source
                records.append(self._record(holder, names, changes, index))
            except NotAResource:
                continue
        if not changed:
            return self.stream.text, records
        text = self.stream.replaced(changed)
        if any(not self.provider.are_similar(*types) for types in self._retyped):
            # what became another kind altogether is one resource less and one more
            found = compare.pairs(self.stream, parse(text), self.provider)
            records = [compare.record(pair, index=index, naming=self.provider) for pair in found]
        return text, records

    def _names(self, editor: Editor) -> dict[Steps, Any]:
        """Return what stands at the places that name a resource; empty when they are as before."""
        naming = self.provider.naming
        return {steps: editor.at(steps) for steps in naming} if editor.touches(naming) else {}

    def _record(self, holder: Document, names: dict[Steps, Any], changes: Changes, index: int) -> ResourceMutation:
        former = self.provider.identity(holder)
        info = self.provider.identity_by(names.__getitem__) if names else former
        if info is not former:
            self._retyped.add((former.resource_type, info.resource_type))
        return compare.resource_mutation(
            info, "Update" if changes else "None", index=index, changes=changes, former=former
        )

    def _rebuilt(self, sources: list[tuple[int | None, bytes]]) -> str:
        kept = [position for position, _ in sources if position is not None]
        if [position for position, _ in sources] == kept:
            removed = set(range(len(self.documents))) - set(kept)
            return assembly.rebuilt(self.stream, {}, removed)
        appended = [source for position, source in sources if position is None]
        if kept == list(range(len(self.documents))) and [position for position, _ in sources][: len(kept)] == kept:
            text = self.stream.text
            for source in appended:
                text = assembly.with_document(text, source)
            return text
        return _replaced(self.stream, sources)


def _untouched(info: ResourceInfo, index: int) -> ResourceMutation:
    return compare.resource_mutation(info, "None", index=index)


def _replaced(stream: Stream, sources: list[tuple[int | None, bytes]]) -> str:
    """Return a text in which new documents stand among the old ones; the gaps between old ones stay."""
    newline = b"\r\n" if b"\r\n" in stream.source[:200] else b"\n"
    parts: list[bytes] = []
    for number, (position, source) in enumerate(sources):
        body = source
        if position is not None:
            placed = stream.documents[position]
            body = stream.source[placed.start : placed.end]
        if number == 0:
            lead = stream.source[: stream.documents[0].start] if stream.documents else b""
            parts.append(lead)
        else:
            parts.append(b"---")
        if not body.startswith((b"\n", b"\r\n", b" ")) and number:
            parts.append(newline)
        parts.append(body if body.endswith(b"\n") else body + newline)
    return b"".join(parts).decode()


def opened(text: str, toolchain: str, context: Context) -> Work:
    """Return a unit's text ready for calls.

    Raises: NotYaml for text that does not parse.
    """
    provider = providers.of(toolchain)
    return Work(parse(provider.to_yaml(text)), provider, context)
