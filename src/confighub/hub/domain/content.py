"""The two names of a text: SHA-256 for the store, CRC-32 for the wire."""

from __future__ import annotations

import hashlib
import zlib

from confighub.errors import BadRequest


def sha(content: bytes) -> bytes:
    """Return the 32 bytes that name a blob."""
    return hashlib.sha256(content).digest()


def content_hash(content: bytes) -> int:
    """Return the CRC-32 (IEEE) as a signed 32-bit number, as ``ContentHash`` shows it."""
    value = zlib.crc32(content)
    return value - (1 << 32) if value >= 1 << 31 else value


def decoded(content: bytes) -> str:
    """Return the text of the content.

    Raises: BadRequest, when it is no UTF-8.
    """
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(f"Data is no UTF-8 text: {error.reason} at byte {error.start}") from error
