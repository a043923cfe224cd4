"""How a worker gets to a cluster: contexts, logins, and those it does not carry out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from confighub.client.kubeconfig import contexts, from_kubeconfig, in_cluster
from confighub.errors import BadRequest, NotFound


def written(path: Path, user: dict[str, Any], *, context: str = "one", **cluster: Any) -> Path:
    content = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:8001/", **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": context, "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "current-context": context,
    }
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_current_context_is_taken_unless_one_is_named(tmp_path: Path) -> None:
    found = from_kubeconfig([written(tmp_path / "a", {"token": "secret"})])

    assert (found.name, found.server, found.namespace) == ("one", "http://127.0.0.1:8001", "shop")
    assert found.token.now() == "secret"


def test_the_contexts_of_several_files_come_together(tmp_path: Path) -> None:
    files = [written(tmp_path / "a", {}), written(tmp_path / "b", {}, context="two")]

    assert contexts(files) == ["one", "two"]
    assert from_kubeconfig(files, "two").name == "two"


def test_a_context_that_there_is_not_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no context 'other'.*it has one"):
        from_kubeconfig([written(tmp_path / "a", {})], "other")


def test_a_token_file_is_read_from_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from a file\n")

    assert from_kubeconfig([written(tmp_path / "a", {"tokenFile": "token"})]).token.now() == "from a file"


@pytest.mark.parametrize(
    "user", [{"exec": {"command": "aws-iam-authenticator"}}, {"auth-provider": {"name": "aws-iam-authenticator"}}]
)
def test_a_login_by_a_program_is_refused_by_its_name(tmp_path: Path, user: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="aws-iam-authenticator, which the worker does not run"):
        from_kubeconfig([written(tmp_path / "a", user)])


def test_a_proxy_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="through a proxy"):
        from_kubeconfig([written(tmp_path / "a", {}, **{"proxy-url": "http://proxy"})])


def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="missing cannot be read as a kubeconfig"):
        from_kubeconfig([tmp_path / "missing"])


def test_a_pod_without_an_account_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="this pod has no service account"):
        in_cluster("https://10.0.0.1:443", tmp_path)


@pytest.mark.parametrize(
    "text",
    ["just a line", "- one\n- two", "contexts: one", "contexts: [one]", "users: [{name: u, user: token}]"],
)
def test_yaml_that_is_no_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)

    with pytest.raises(BadRequest, match="is no kubeconfig"):
        contexts([file])
