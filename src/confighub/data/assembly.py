"""Texts put together from documents: some changed, some taken out, some added; the gaps between them stay."""

from __future__ import annotations

from confighub.data.document import Stream


def rebuilt(stream: Stream, changed: dict[int, bytes], removed: set[int]) -> str:
    """Return a stream's text with some documents changed and some taken out, each with the marker before it."""
    if not removed:
        return stream.replaced(changed) if changed else stream.text
    source = stream.source
    kept = [at for at in range(len(stream.documents)) if at not in removed]
    if not kept:
        return ""
    parts: list[bytes] = []
    for number, at in enumerate(kept):
        placed = stream.documents[at]
        lead = source[: placed.start] if at == 0 else source[_marker_start(stream, at) : placed.start]
        if number == 0 and at > 0:
            lead = source[: stream.documents[0].start] if source.startswith(b"---") else b""
        body = changed.get(at, source[placed.start : placed.end])
        if not lead:
            # the line end belonged to the marker that went
            body = body.removeprefix(b"\r\n").removeprefix(b"\n")
        parts += (lead, body)
    text = b"".join(parts)
    last = stream.documents[-1]
    if len(stream.documents) - 1 in removed:
        return (text.rstrip(b"\r\n") + b"\n").decode() if source.endswith(b"\n") else text.decode()
    return (text + source[last.end :]).decode()


def _marker_start(stream: Stream, at: int) -> int:
    """Return where the gap before a document begins: behind the document before it."""
    return stream.documents[at - 1].end


def with_document(text: str, source: bytes) -> str:
    """Return the text with one more document at its end."""
    body = source.decode().strip("\r\n")
    if not text.strip():
        return body + "\n"
    newline = "\r\n" if "\r\n" in text[:200] else "\n"
    end = "" if text.endswith("\n") else newline
    return f"{text}{end}---{newline}{body}{newline}"
