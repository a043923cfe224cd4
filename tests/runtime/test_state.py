"""The desired state on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from confighub.errors import BadRequest
from confighub.runtime.state import ObjectKey, Settings, Store, StoredEnvironment, StoredObject, StoredUnit, key_of
from tests.runtime.running import deployment


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    stored = StoredEnvironment(
        settings=Settings(catalogue="c.json", probe_delay_scale=0.5),
        units={"u1": StoredUnit(unit_id="u1", slug="web", revision=7)},
        objects=[StoredObject(unit_id="u1", manifest=deployment(), applied=deployment(), generation=3)],
    )

    Store(tmp_path).save("dev", stored)

    assert Store(tmp_path).load() == {"dev": stored}


def test_a_write_that_was_cut_off_leaves_the_old_file(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save("dev", StoredEnvironment(settings=Settings(catalogue="old")))
    (store.folder("dev") / ".desired.json.new").write_text('{"settings": {"cat')

    assert store.load()["dev"].settings.catalogue == "old"


@pytest.mark.parametrize("name", ["", "../up", "Dev", "a/b", "a" * 64])
def test_a_name_that_is_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="not a name for an environment"):
        Store(tmp_path).folder(name)


def test_objects_are_known_by_group_kind_namespace_and_name() -> None:
    assert key_of(deployment()) == ObjectKey("apps", "Deployment", "default", "web")


@pytest.mark.parametrize(
    "document", [{}, {"kind": "A", "apiVersion": "v1"}, {"kind": "A", "apiVersion": "v1", "metadata": {}}]
)
def test_a_document_without_identity_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        key_of(document)
