"""Images by repository and tag."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from confighub.runtime import catalogue


def write(path: Path, *tags: str) -> catalogue.Catalogue:
    image = {"repository": "finos/traderx-web", "command": ["python", "-m", "web"], "tags": list(tags)}
    path.write_text(json.dumps({"images": [image]}))
    return catalogue.Catalogue(str(path))


def test_an_image_becomes_a_command_of_our_own_environment(tmp_path: Path) -> None:
    found = write(tmp_path / "c.json", "v1").resolve("finos/traderx-web:v1")

    assert found.command == [str(Path(sys.executable).parent / "python"), "-m", "web"]
    assert found.tag == "v1"


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("finos/traderx-web:v9", "finos/traderx-web has no tag v9, only v1"),
        ("finos/traderx-web", "finos/traderx-web has no tag latest, only v1"),
        ("other:v1", "has no image other"),
        ("registry.example:5000/web", "has no image registry.example:5000/web"),
    ],
)
def test_what_there_is_not_is_told(tmp_path: Path, image: str, message: str) -> None:
    with pytest.raises(catalogue.NoSuchImage, match=message):
        write(tmp_path / "c.json", "v1").resolve(image)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    known = write(tmp_path / "c.json", "v1")
    known.resolve("finos/traderx-web:v1")

    write(tmp_path / "c.json", "v1", "v2")

    assert known.resolve("finos/traderx-web:v2").tag == "v2"


@pytest.mark.parametrize("content", ["", "[]", '{"images": [{"repository": "a", "command": []}]}'])
def test_a_broken_catalogue_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "c.json"
    path.write_text(content)

    with pytest.raises(catalogue.NoSuchImage, match=r"c\.json"):
        catalogue.Catalogue(str(path)).resolve("a:v1")
