"""Secrets that the hub must be able to show again, encrypted with a key outside the database; and its signature.

One key does both: what signs is derived from what seals, so that there is one thing to keep and to share.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.fernet import Fernet, InvalidToken

from confighub.errors import ConfigHubError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNING = b"confighub audit checkpoints"
"""What the derived key is for; another use gets another text."""


class SecretBox:
    """Seals and opens short texts with ``key``, else with that in ``path``, which is made, mode 0600, when missing."""

    def __init__(self, path: Path, key: str = "") -> None:
        self.path = path
        self._key = key.strip().encode() or _key(path)
        try:
            self._fernet = Fernet(self._key)
        except ValueError as error:
            raise ConfigHubError(
                f"{'CONFIGHUB_KEY' if key else path} holds no key",
                hint="it is 32 random bytes in URL-safe base64: openssl rand -base64 32 | tr '+/' '-_'",
            ) from error

    def seal(self, text: str) -> str:
        """Return the text encrypted."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return the text that was sealed.

        Raises: ConfigHubError, when another key sealed it.
        """
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise ConfigHubError(
                "a stored secret cannot be opened: the key file is not the one it was sealed with",
                hint=f"bring back the original {self.path.name}",
            ) from error

    @property
    def public_key(self) -> bytes:
        """The 32 bytes by which others know our signature."""
        return self._signer.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return our Ed25519 signature of the message."""
        return self._signer.sign(message)

    def has_signed(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature of the message is ours."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._signer.public_key().verify(signature, message)
        except InvalidSignature:
            return False
        return True

    @cached_property
    def _signer(self) -> Ed25519PrivateKey:
        from base64 import urlsafe_b64decode

        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        derived = HKDF(SHA256(), 32, salt=None, info=SIGNING).derive(urlsafe_b64decode(self._key))
        return Ed25519PrivateKey.from_private_bytes(derived)


def _key(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes().strip()
    with os.fdopen(descriptor, "wb") as file:
        key = Fernet.generate_key()
        file.write(key)
        file.flush()
        os.fsync(descriptor)
    return key
