"""Which command an image name stands for on this machine.

A catalogue is a JSON file beside the target: ``{"images": [{"repository", "command", "tags"}]}``.
It is read again whenever the file changes, so a new tag needs no restart.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

DEFAULT_TAG = "latest"


class Image(msgspec.Struct, frozen=True):
    """One repository: the command its programs run as, and the tags there are."""

    repository: str
    command: list[str]
    tags: list[str] = []


class _File(msgspec.Struct):
    images: list[Image] = []


class Resolved(msgspec.Struct, frozen=True):
    """An image that can run: argument vector and tag."""

    command: list[str]
    tag: str


class NoSuchImage(Exception):
    """The image cannot be had; the text says why and what there is."""


class Catalogue:
    """One catalogue file; an empty path means that there is none."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._seen: tuple[int, int] = (0, 0)
        self._images: dict[str, Image] = {}

    def resolve(self, image: str) -> Resolved:
        """Return command and tag for ``repository:tag``. Raises NoSuchImage."""
        self._refresh()
        repository, tag = split(image)
        known = self._images.get(repository)
        if known is None:
            raise NoSuchImage(f"the catalogue {self.path} has no image {repository}")
        if tag not in known.tags:
            raise NoSuchImage(f"{repository} has no tag {tag}, only {', '.join(known.tags)}")
        return Resolved([beside_python(known.command[0]), *known.command[1:]], tag)

    def _refresh(self) -> None:
        if not self.path:
            raise NoSuchImage("the target names no catalogue of images")
        path = Path(self.path)
        try:
            status = path.stat()
            if (status.st_mtime_ns, status.st_size) == self._seen:
                return
            images = msgspec.json.decode(path.read_bytes(), type=_File).images
        except (OSError, msgspec.MsgspecError) as error:
            raise NoSuchImage(f"the catalogue {self.path} cannot be read: {error}") from error
        if empty := [image.repository for image in images if not image.command]:
            raise NoSuchImage(f"the catalogue {self.path} has no command for {empty[0]}")
        self._images = {image.repository: image for image in images}
        self._seen = (status.st_mtime_ns, status.st_size)


def split(image: str) -> tuple[str, str]:
    """Split an image reference into repository and tag; a colon before a slash belongs to the registry."""
    repository, colon, tag = image.rpartition(":")
    if not colon or "/" in tag:
        return image, DEFAULT_TAG
    return repository, tag


def beside_python(program: str) -> str:
    """Return the program in the folder of our own Python when it is there, else the name for PATH."""
    candidate = Path(sys.executable).parent / program
    return str(candidate) if "/" not in program and candidate.exists() else program
