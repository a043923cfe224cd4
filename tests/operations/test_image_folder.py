"""Images in a folder: whole or not at all, and a tag stays what it is."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from confighub.errors import BadRequest, Conflict, NotFound
from confighub.operations.image_folder import push, refuse_tag, tags, verify

REPOSITORY = "finos/traderx-web-gui"


def archive(folder: Path, tag: str, *layers: bytes, damaged: bool = False, name: str = "") -> Path:
    """Write an archive with one image of these layers, as builders do."""
    blobs: dict[str, bytes] = {}

    def add(content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        blobs[digest] = content
        return {"digest": f"sha256:{digest}", "size": len(content)}

    described = [add(layer) for layer in layers]
    config = add(json.dumps({"os": "linux", "config": {"Cmd": ["traderx"]}}).encode())
    manifest = add(json.dumps({"schemaVersion": 2, "config": config, "layers": described}).encode())
    named = {"io.containerd.image.name": name or f"docker.io/{REPOSITORY}:{tag}"}
    index = {"schemaVersion": 2, "manifests": [{**manifest, "annotations": named}]}
    if damaged:
        digest = described[0]["digest"].partition(":")[2]
        blobs[digest] = b"x" * len(blobs[digest])
    path = folder / f"{tag}.tar"
    with tarfile.open(path, "w") as tar:
        files = {f"blobs/sha256/{digest}": content for digest, content in blobs.items()}
        for member, content in {"index.json": json.dumps(index).encode(), **files}.items():
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def test_a_pushed_image_is_a_layout_that_holds_every_blob(tmp_path: Path) -> None:
    folder = tmp_path / "registry"

    pushed = push(archive(tmp_path, "v1", b"base", b"own"), repository=REPOSITORY, tag="v1", into=folder)

    layout = folder / REPOSITORY
    assert json.loads((layout / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    assert verify(folder, repository=REPOSITORY, tag="v1") == pushed.digest
    assert pushed.new_blobs == 4
    assert {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (layout / "blobs/sha256").iterdir()
    } == {path.name: path.name for path in (layout / "blobs/sha256").iterdir()}


def test_tags_share_the_layers_that_are_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    push(archive(tmp_path, "v1", b"base", b"one"), repository=REPOSITORY, tag="v1", into=folder)

    pushed = push(archive(tmp_path, "v2", b"base", b"two"), repository=REPOSITORY, tag="v2", into=folder)

    assert pushed.new_blobs == 2
    assert tags(folder, REPOSITORY) == ["v1", "v2"]


def test_pushing_again_changes_nothing_and_another_image_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    first = push(archive(tmp_path, "v1", b"base"), repository=REPOSITORY, tag="v1", into=folder)

    again = push(archive(tmp_path, "v1", b"base"), repository=REPOSITORY, tag="v1", into=folder)
    with pytest.raises(Conflict, match="is another image already"):
        push(archive(tmp_path, "v1", b"changed"), repository=REPOSITORY, tag="v1", into=folder)

    assert (again.digest, again.new_blobs) == (first.digest, 0)
    assert verify(folder, repository=REPOSITORY, tag="v1") == first.digest


def test_a_damaged_archive_leaves_no_tag(tmp_path: Path) -> None:
    folder = tmp_path / "registry"

    with pytest.raises(Conflict, match="a blob of the archive is damaged"):
        push(archive(tmp_path, "v1", b"base", damaged=True), repository=REPOSITORY, tag="v1", into=folder)

    assert tags(folder, REPOSITORY) == []


def test_a_damaged_or_missing_blob_of_the_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "registry"
    push(archive(tmp_path, "v1", b"base"), repository=REPOSITORY, tag="v1", into=folder)
    layer = folder / REPOSITORY / "blobs" / "sha256" / hashlib.sha256(b"base").hexdigest()

    layer.write_bytes(b"esab")
    with pytest.raises(Conflict, match=f"damaged blob: sha256:{layer.name}"):
        verify(folder, repository=REPOSITORY, tag="v1")
    layer.unlink()
    with pytest.raises(Conflict, match=f"lacks a blob: sha256:{layer.name}"):
        verify(folder, repository=REPOSITORY, tag="v1")


def test_an_image_that_the_archive_does_not_have_is_refused_with_what_it_has(tmp_path: Path) -> None:
    made = archive(tmp_path, "v1", b"base", name="docker.io/finos/other:v1")

    with pytest.raises(NotFound, match=r"has no image finos/traderx-web-gui:v1 .*docker.io/finos/other:v1"):
        push(made, repository=REPOSITORY, tag="v1", into=tmp_path / "registry")


def test_what_is_no_archive_is_refused_in_a_line(tmp_path: Path) -> None:
    wrong = tmp_path / "a.tar"
    wrong.write_text("no tar")

    with pytest.raises(BadRequest, match="is no archive of images"):
        push(wrong, repository=REPOSITORY, tag="v1", into=tmp_path / "registry")


@pytest.mark.parametrize("tag", ["", "../x", "a b", "-v1", "v1:2", "x" * 129])
def test_a_tag_that_is_none_is_refused(tag: str) -> None:
    with pytest.raises(BadRequest, match="not a tag"):
        refuse_tag(tag)


def test_a_tag_may_be_written_with_its_colon() -> None:
    assert refuse_tag(":v1.2.0") == "v1.2.0"


def layout(folder: Path, manifest: Any, index: Any = None) -> Path:
    """Write an archive whose one image has this as its manifest."""
    content = json.dumps(manifest).encode()
    digest = hashlib.sha256(content).hexdigest()
    notes = {"io.containerd.image.name": f"{REPOSITORY}:v1"}
    listed = {"manifests": [{"digest": f"sha256:{digest}", "size": len(content), "annotations": notes}]}
    path = folder / "v1.tar"
    with tarfile.open(path, "w") as tar:
        files = {
            "index.json": json.dumps(listed if index is None else index).encode(),
            f"blobs/sha256/{digest}": content,
        }
        for member, text in files.items():
            entry = tarfile.TarInfo(member)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return path


@pytest.mark.parametrize(
    ("manifest", "index", "said"),
    [
        ({"manifests": []}, None, "has an image of several platforms"),
        ({}, None, "does not list layers and a configuration"),
        ({"layers": [{"digest": "x"}], "config": {}}, None, "does not list layers and a configuration"),
        ({"layers": 5, "config": {}}, None, "does not list layers"),
        ([], None, "is no image layout"),
        ({}, [], "is no image layout"),
        ({}, {"manifests": ["x"]}, "lists no manifests"),
        ({}, {"manifests": [{"annotations": ["x"]}]}, "has no image"),
    ],
)
def test_an_archive_of_another_kind_is_refused_in_one_line(
    tmp_path: Path, manifest: Any, index: Any, said: str
) -> None:
    with pytest.raises((BadRequest, NotFound), match=said):
        push(layout(tmp_path, manifest, index), repository=REPOSITORY, tag="v1", into=tmp_path / "registry")
