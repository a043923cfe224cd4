"""A folder in a registry's place: one OCI image layout a repository, with as many tags as were pushed.

An image comes in from an archive, which is such a layout in a tar. Every blob is checked against its digest on the
way in, and a tag that is there stays what it is. Tools that know layouts read the folder:
``skopeo inspect oci:FOLDER/finos/traderx-web-gui:v1.0.0``.
Source: the OCI image format specification 1.1, image layout and descriptors.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from confighub.errors import BadRequest, Conflict, NotFound

_LAYOUT = {"imageLayoutVersion": "1.0.0"}
_INDEX = "application/vnd.oci.image.index.v1+json"
_TAG_KEY = "org.opencontainers.image.ref.name"
_NAME_KEY = "io.containerd.image.name"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_CHUNK_BYTES = 1 << 20

Descriptor = dict[str, Any]


@dataclass(frozen=True)
class Pushed:
    """An image as it is in the folder. ``new_blobs`` counts what was not there before."""

    repository: str
    tag: str
    digest: str
    size_bytes: int
    new_blobs: int


def refuse_tag(tag: str) -> str:
    """Return the tag, without the colon that people may write before it. Raises: BadRequest for what is none."""
    plain = tag.removeprefix(":")
    if not _TAG.fullmatch(plain):
        raise BadRequest(f"not a tag: {tag}", hint="letters, digits, dots and dashes, like v2.1.0")
    return plain


def push(archive: Path, *, repository: str, tag: str, into: Path) -> Pushed:
    """Copy one image from an archive into the folder, blob by blob, each checked; a reader sees the tag at the end.

    Pushing the same image again changes nothing. Raises: NotFound when the archive has no such image; Conflict when
    a blob is not what its digest says, or the tag is another image already.
    """
    layout = into / repository
    with _opened(archive) as tar:
        described = _find(_object(_member_json(tar, "index.json"), archive), repository, tag, archive)
        known = _descriptor(layout, tag)
        if known and known["digest"] != described["digest"]:
            raise Conflict(
                f"{repository}:{tag} is another image already: {known['digest']}",
                hint="a tag stays what it is; take a new one",
            )
        blobs = (*_parts(tar, described, archive), described)
        new = 0
        for one in blobs:
            new += _take_in(_blob(tar, one), one, layout)
    _name(layout, tag, described)
    size = sum(int(one["size"]) for one in blobs)
    return Pushed(repository, tag, str(described["digest"]), size, new)


def verify(folder: Path, *, repository: str, tag: str) -> str:
    """Return the digest of an image whose every blob is there and is what its digest says.

    Raises: NotFound for a tag that was not pushed; Conflict naming the blob that is missing or damaged.
    """
    layout = folder / repository
    described = _descriptor(layout, tag)
    if described is None:
        raise NotFound(f"{folder} has no {repository}:{tag}")
    _check(layout, described)
    manifest = json.loads(_place(layout, described).read_bytes())
    for one in (manifest["config"], *manifest["layers"]):
        _check(layout, one)
    return str(described["digest"])


def tags(folder: Path, repository: str) -> list[str]:
    """Return the tags that were pushed, sorted; empty for a repository that is not there."""
    return sorted(str(one["annotations"][_TAG_KEY]) for one in _index(folder / repository)["manifests"])


def _opened(archive: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(archive)
    except (OSError, tarfile.TarError) as error:
        raise BadRequest(f"{archive} is no archive of images: {error}") from error


def _parts(tar: tarfile.TarFile, described: Descriptor, archive: Path) -> list[Descriptor]:
    """Return the layers and the configuration of an image. Raises: BadRequest for what is not one plain image."""
    name = f"blobs/sha256/{_hex(described)}"
    manifest = _object(_member_json(tar, name), archive)
    if "manifests" in manifest:
        raise BadRequest(f"{archive} has an image of several platforms", hint="build it for one of them")
    layers, config = manifest.get("layers"), manifest.get("config")
    listed: list[Any] = [*layers, config] if isinstance(layers, list) else []
    parts: list[Descriptor] = [one for one in listed if isinstance(one, dict) and isinstance(one.get("size"), int)]
    if not parts or len(parts) < len(listed):
        raise BadRequest(f"{archive} is no image layout: {name} does not list layers and a configuration")
    return parts


def _object(found: Any, archive: Path) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise BadRequest(f"{archive} is no image layout: an object is missing")
    return found


def _find(index: dict[str, Any], repository: str, tag: str, archive: Path) -> Descriptor:
    full = f"{repository}:{tag}"
    listed = index.get("manifests") or []
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise BadRequest(f"{archive} is no image layout: its index.json lists no manifests")
    noted = [(one, one.get("annotations") or {}) for one in listed]
    noted = [(one, notes if isinstance(notes, dict) else {}) for one, notes in noted]
    for one, notes in noted:
        if notes.get(_NAME_KEY) in (full, f"docker.io/{full}"):
            if not isinstance(one.get("size"), int):
                raise BadRequest(f"{archive} is no image layout: {full} has no size")
            return {**one, "annotations": notes}
    names = sorted(str(notes.get(_NAME_KEY)) for _, notes in noted)
    raise NotFound(f"{archive} has no image {full}", hint=f"it has {', '.join(names[:4]) or 'none'}")


def _member_json(tar: tarfile.TarFile, name: str) -> Any:
    try:
        return json.loads(_member(tar, name).read())
    except ValueError as error:
        raise BadRequest(f"{tar.name!s}: {name} is not JSON: {error}") from error


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        found = tar.extractfile(name)
    except KeyError:
        found = None
    if found is None:
        raise BadRequest(f"{tar.name!s} is no image layout: it has no {name}")
    return found


def _blob(tar: tarfile.TarFile, described: Descriptor) -> IO[bytes]:
    return _member(tar, f"blobs/sha256/{_hex(described)}")


def _take_in(content: IO[bytes], described: Descriptor, layout: Path) -> bool:
    """Copy a blob unless it is there; tell whether it was copied. Raises: Conflict when it is not what it should be."""
    place = _place(layout, described)
    if place.exists() and place.stat().st_size == described["size"]:
        return False
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    with draft.open("wb") as file:
        seen = hashlib.sha256()
        for chunk in _chunks(content):
            seen.update(chunk)
            file.write(chunk)
        os.fsync(file.fileno())
    if seen.hexdigest() != _hex(described):
        draft.unlink()
        raise Conflict(f"a blob of the archive is damaged: {described['digest']}", hint="build the archive again")
    draft.replace(place)
    return True


def _check(layout: Path, described: Descriptor) -> None:
    place = _place(layout, described)
    seen = hashlib.sha256()
    try:
        with place.open("rb") as file:
            for chunk in _chunks(file):
                seen.update(chunk)
    except FileNotFoundError:
        raise Conflict(f"{layout} lacks a blob: {described['digest']}", hint="push the image again") from None
    if seen.hexdigest() != _hex(described):
        raise Conflict(f"{layout} has a damaged blob: {described['digest']}", hint="remove it, and push again")


def _name(layout: Path, tag: str, described: Descriptor) -> None:
    index = _index(layout)
    kept = [one for one in index["manifests"] if one["annotations"][_TAG_KEY] != tag]
    named = {**described, "annotations": {**(described.get("annotations") or {}), _TAG_KEY: tag}}
    _replace(layout / "oci-layout", _LAYOUT)
    _replace(layout / "index.json", {**index, "manifests": [*kept, named]})


def _descriptor(layout: Path, tag: str) -> Descriptor | None:
    return next((one for one in _index(layout)["manifests"] if one["annotations"][_TAG_KEY] == tag), None)


def _index(layout: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((layout / "index.json").read_bytes())
    except FileNotFoundError:
        return {"schemaVersion": 2, "mediaType": _INDEX, "manifests": []}
    except ValueError as error:
        raise Conflict(f"{layout}/index.json is not JSON: {error}") from error
    return found


def _replace(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.replace(path)


def _place(layout: Path, described: Descriptor) -> Path:
    return layout / "blobs" / "sha256" / _hex(described)


def _hex(described: Descriptor) -> str:
    """Return the digest's digits. Raises: BadRequest for one that is none, which could name any file."""
    digest = str(described.get("digest"))
    if not _DIGEST.fullmatch(digest):
        raise BadRequest(f"not a digest: {digest}")
    return digest.partition(":")[2]


def _chunks(content: IO[bytes]) -> Iterator[bytes]:
    while chunk := content.read(_CHUNK_BYTES):
        yield chunk
