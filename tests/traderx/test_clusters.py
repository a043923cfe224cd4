"""The kubeconfig of an environment's worker: the chosen contexts alone, readable by its owner alone."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from confighub.errors import NotFound
from traderx.clusters import clusters_of, keep_cluster, kubeconfig_of, read_cluster
from traderx.project import Project, find_project


def written(path: Path, *names: str, server: str = "https://one:6443") -> Path:
    """Write a kubeconfig with these contexts, all called alike inside, and return it."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": names[0],
        "clusters": [{"name": "kubernetes", "cluster": {"server": server, "certificate-authority": "ca.crt"}}],
        "users": [{"name": "admin", "user": {"token": f"token-of-{path.stem}"}}],
        "contexts": [
            {"name": name, "context": {"cluster": "kubernetes", "user": "admin", "namespace": name}} for name in names
        ],
    }
    path.write_text(yaml.safe_dump(content))
    return path


def kept(project: Project) -> Any:
    return yaml.safe_load(kubeconfig_of(project, "prod").read_text())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return find_project(str(tmp_path / "state"), environ={})


def test_only_the_chosen_context_is_kept(project: Project, tmp_path: Path) -> None:
    file = written(tmp_path / "config", "mine", "private")

    keep_cluster(project, "prod", read_cluster(str(file), "mine"))

    assert [one["name"] for one in kept(project)["contexts"]] == ["mine"]
    assert stat.S_IMODE(kubeconfig_of(project, "prod").stat().st_mode) == 0o600


def test_two_files_that_call_their_clusters_alike_stay_apart(project: Project, tmp_path: Path) -> None:
    keep_cluster(project, "prod", read_cluster(str(written(tmp_path / "a", "main")), None))
    keep_cluster(project, "prod", read_cluster(str(written(tmp_path / "b", "dr", server="https://two:6443")), None))

    content = kept(project)
    places = {one["name"]: one["cluster"]["server"] for one in content["clusters"]}
    tokens = {one["name"]: one["user"]["token"] for one in content["users"]}
    used = {one["name"]: one["context"] for one in content["contexts"]}
    assert places[used["main"]["cluster"]] == "https://one:6443"
    assert places[used["dr"]["cluster"]] == "https://two:6443"
    assert tokens[used["dr"]["user"]] == "token-of-b"
    assert used["dr"]["namespace"] == "dr"


def test_the_cluster_added_last_comes_first(project: Project, tmp_path: Path) -> None:
    keep_cluster(project, "prod", read_cluster(str(written(tmp_path / "a", "main")), None))
    keep_cluster(project, "prod", read_cluster(str(written(tmp_path / "b", "dr")), None))

    assert [one.context for one in clusters_of(project, "prod")] == ["dr", "main"]


def test_files_beside_the_kubeconfig_are_still_found(project: Project, tmp_path: Path) -> None:
    keep_cluster(project, "prod", read_cluster(str(written(tmp_path / "a", "main")), None))

    (one,) = kept(project)["clusters"]
    assert one["cluster"]["certificate-authority"] == str(tmp_path / "ca.crt")


def test_keeping_the_same_again_changes_nothing(project: Project, tmp_path: Path) -> None:
    cluster = read_cluster(str(written(tmp_path / "a", "main")), None)

    assert keep_cluster(project, "prod", cluster)
    assert not keep_cluster(project, "prod", cluster)


def test_a_renewed_login_is_taken_over(project: Project, tmp_path: Path) -> None:
    file = written(tmp_path / "a", "main")
    keep_cluster(project, "prod", read_cluster(str(file), None))
    file.write_text(file.read_text().replace("token-of-a", "renewed"))

    assert keep_cluster(project, "prod", read_cluster(str(file), None))
    assert kept(project)["users"][0]["user"]["token"] == "renewed"


def test_a_context_without_its_user_is_refused(project: Project, tmp_path: Path) -> None:
    file = written(tmp_path / "a", "main")
    file.write_text(file.read_text().replace("- name: admin", "- name: somebody"))

    with pytest.raises(NotFound, match="no user admin"):
        keep_cluster(project, "prod", read_cluster(str(file), None))
    assert not kubeconfig_of(project, "prod").exists()


def test_an_environment_on_this_machine_has_no_clusters(project: Project) -> None:
    assert clusters_of(project, "dev") == []
