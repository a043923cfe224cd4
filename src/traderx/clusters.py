"""The clusters of an environment: which contexts its worker reaches, and a few calls to their API servers.

The worker gets a kubeconfig of its own in the project's state, mode 0600, with the chosen contexts alone: what else a
person's own file names is nobody's business here. Nothing in it goes to the hub.
"""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

from confighub.client.kubeconfig import Access, from_kubeconfig
from confighub.client.transport import Wire
from confighub.errors import BadRequest, Forbidden, NotFound, RetryLater
from traderx.project import Project, replace_file

_TIMEOUT_S = 15.0
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True)
class Cluster:
    """A Kubernetes cluster to work on: the file with its address and login, and the context in it."""

    kubeconfig: Path
    context: str


def read_cluster(kubeconfig: str, context: str | None) -> Cluster:
    """Return the cluster that file and context name; without a context the file's current one.

    Raises: NotFound when there is no such file or context; BadRequest when the file is none of its kind.
    """
    path = Path(kubeconfig).absolute()
    content = _content(path)
    names = [str(one.get("name")) for one in content.get("contexts") or []]
    chosen = context or str(content.get("current-context") or "")
    if chosen not in names:
        raise NotFound(f"{path} has no context {chosen or '(none is current)'}", hint=f"it has: {', '.join(names)}")
    return Cluster(path, chosen)


def kubeconfig_of(project: Project, environment: str) -> Path:
    """Return the file with the environment's contexts, whether it is there or not."""
    return project.data / "clusters" / f"{environment}.yaml"


def clusters_of(project: Project, environment: str) -> list[Cluster]:
    """Return the environment's clusters, the one added last first; empty when it is on this machine."""
    path = kubeconfig_of(project, environment)
    if not path.exists():
        return []
    content = _content(path)
    names = sorted((str(one["name"]) for one in content["contexts"]), key=lambda n: n != content["current-context"])
    return [Cluster(path, name) for name in names]


def keep_cluster(project: Project, environment: str, cluster: Cluster) -> bool:
    """Add the cluster to the environment's own kubeconfig, or bring it up to date; tell whether that changed it.

    Raises: NotFound when the context names a cluster or user that its file does not have.
    """
    path = kubeconfig_of(project, environment)
    kept = _content(path) if path.exists() else {"apiVersion": "v1", "kind": "Config"}
    before = json.dumps(kept, sort_keys=True)
    given = _content(cluster.kubeconfig)
    context = dict(_entry(given, "context", cluster.context))
    # two files may call different clusters the same
    own = {kind: f"{kind}-{cluster.context}" for kind in ("cluster", "user")}
    for kind, name in own.items():
        entry = _with_places(_entry(given, kind, str(context.get(kind))), cluster.kubeconfig.parent)
        _put(kept, kind, name, entry)
    _put(kept, "context", cluster.context, {**context, **own})
    kept["current-context"] = cluster.context
    if json.dumps(kept, sort_keys=True) == before:
        return False
    replace_file(path, yaml.safe_dump(kept, sort_keys=False), mode=0o600)
    return True


class ClusterApi:
    """The API server of one cluster, for the few things that must not go through the hub."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.access: Access = from_kubeconfig([cluster.kubeconfig], cluster.context)

    def get(self, path: str, **query: str) -> Wire | None:
        """Return what is there; None when nothing is. Raises: Forbidden, RetryLater."""
        status, body = self.call("GET", path + (f"?{urlencode(query)}" if query else ""))
        if status == 404:
            return None
        self._refuse(status, body, f"reading {path}")
        return dict(body)

    def create(self, path: str, body: Wire) -> bool:
        """Make the object; False when it is there already. Raises: Forbidden, BadRequest, RetryLater."""
        status, answer = self.call("POST", f"{path}?fieldManager=traderx", body)
        if status == 409 and answer.get("reason") == "AlreadyExists":
            return False
        self._refuse(status, answer, f"making {body['kind']} {body['metadata']['name']}")
        return True

    def call(self, method: str, path: str, body: Wire | None = None) -> tuple[int, Any]:
        """Return status and decoded answer. Raises: RetryLater when the server does not answer."""
        at = urlsplit(self.access.server)
        port = at.port or (443 if at.scheme == "https" else 80)
        if at.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                str(at.hostname), port, timeout=_TIMEOUT_S, context=self.access.tls
            )
        else:
            connection = http.client.HTTPConnection(str(at.hostname), port, timeout=_TIMEOUT_S)
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        token = self.access.token.now()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, at.path + path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            content = answer.read()
        except OSError as error:
            raise RetryLater(f"{self.cluster.context} does not answer at {self.access.server}: {error}") from error
        finally:
            connection.close()
        try:
            return answer.status, json.loads(content or b"{}")
        except ValueError:
            return answer.status, {"message": content[:200].decode(errors="replace")}

    def _refuse(self, status: int, body: Wire, attempt: str) -> None:
        if status < 300:
            return
        message = f"{attempt} on {self.cluster.context} failed: {body.get('message') or status}"
        if status in (401, 403):
            raise Forbidden(message)
        raise BadRequest(message) if status < 500 else RetryLater(message)


def _content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFound(f"no such kubeconfig: {path}") from error
    except OSError as error:
        raise BadRequest(f"the kubeconfig cannot be read: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{path} is no kubeconfig: it is not UTF-8") from error
    except yaml.YAMLError as error:
        # not the parser's own words: they quote the line, which may hold a login
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise BadRequest(f"{path} is no kubeconfig: it is not YAML{where}") from error
    if not isinstance(content, dict):
        raise BadRequest(f"{path} is no kubeconfig")
    for kind in ("cluster", "user", "context"):
        if not _are_entries(content.get(f"{kind}s") or [], kind):
            raise BadRequest(f"{path} is no kubeconfig: {kind}s is not a list of maps with name and {kind}")
    return content


def _are_entries(found: Any, kind: str) -> bool:
    return isinstance(found, list) and all(
        isinstance(one, dict) and isinstance(one.get(kind) or {}, dict) for one in found
    )


def _entry(content: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    for one in content.get(f"{kind}s") or []:
        if one.get("name") == name:
            found: dict[str, Any] = one.get(kind) or {}
            return found
    raise NotFound(f"the kubeconfig has no {kind} {name}")


def _with_places(entry: dict[str, Any], folder: Path) -> dict[str, Any]:
    return {key: str(folder / value) if key in _FILES and value else value for key, value in entry.items()}


def _put(content: dict[str, Any], kind: str, name: str, entry: dict[str, Any]) -> None:
    others = [one for one in content.get(f"{kind}s") or [] if one.get("name") != name]
    content[f"{kind}s"] = [*others, {"name": name, kind: entry}]
