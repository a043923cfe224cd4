"""The two names of a text: SHA-256 for the store, CRC-32 for the wire."""

from __future__ import annotations

import hashlib
import zlib


def sha(content: bytes) -> bytes:
    """Return the 32 bytes that name a blob."""
    return hashlib.sha256(content).digest()


def content_hash(content: bytes) -> int:
    """Return the CRC-32 (IEEE) as a signed 32-bit number, as ``ContentHash`` shows it."""
    value = zlib.crc32(content)
    return value - (1 << 32) if value >= 1 << 31 else value
