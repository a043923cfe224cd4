"""Secrets that the hub must be able to show again, encrypted with a key outside the database."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from confighub.errors import ConfigHubError


class SecretBox:
    """Seals and opens short texts with the key in ``path``, which is made, mode 0600, when it is missing."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fernet = Fernet(_key(path))

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
