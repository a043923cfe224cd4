"""The secrets of an environment, made at random and kept outside the hub.

On the laptop a secret is a file that only its owner can read; its keys become environment variables of
the services that name it. On a cluster it is a Secret, sent to the API server and to nobody else.
``DATABASE_URL`` is the one way in which a service gets into its database.
Source: the seed, 7.3 (name of the secret, name of the user, 32 random bytes).
"""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from traderx import topology
from traderx.project import Project, read_json, replace_file

if TYPE_CHECKING:
    from traderx.clusters import ClusterApi

DATABASE_SECRET = "traderx-db-credentials"  # noqa: S105 the secret's name, not its value
DATABASE_USER = "traderx_user"
PART_OF = "app.kubernetes.io/part-of"


def ensure_secrets(project: Project, environment: str) -> list[str]:
    """Make the secrets that the environment lacks and return the names of those made; others stay as they are."""
    folder = project.secrets_folder(environment)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / f"{DATABASE_SECRET}.json"
    if read_json(path):
        return []
    database = project.data / "databases" / f"{environment}.sqlite"
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = database_secret(f"sqlite:///{database}")
    replace_file(path, json.dumps(content, indent=2) + "\n", mode=0o600)
    return [DATABASE_SECRET]


def database_secret(url: str) -> dict[str, str]:
    """Return the content of the database secret for one database, with a fresh password."""
    return {
        "DATABASE_URL": url,
        "username": DATABASE_USER,
        "password": base64.b64encode(secrets.token_bytes(32)).decode(),
    }


def make_on_cluster(api: ClusterApi, environment: str, url: str = "") -> bool:
    """Make the environment's Secret on the cluster, its namespace too; tell whether it was made.

    One that is there stays as it is. Without a URL it is for the database that the addon ``postgresql`` brings.
    Raises: Forbidden, RetryLater.
    """
    place = topology.namespace(environment)
    secrets_path = f"/api/v1/namespaces/{place}/secrets"
    if api.get(f"{secrets_path}/{DATABASE_SECRET}") is not None:
        return False
    if api.get(f"/api/v1/namespaces/{place}") is None:
        api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}})
    content = cluster_secret(url) if url else addon_secret()
    return api.create(
        secrets_path,
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": DATABASE_SECRET, "namespace": place, "labels": {PART_OF: "traderx"}},
            "type": "Opaque",
            "stringData": content,
        },
    )


def addon_secret() -> dict[str, str]:
    """Return the content of the secret for the database that the addon brings: its user is made from it.

    Host and port are no secrets and not in the URL: links to the addon tell the services, as PGHOST and PGPORT.
    """
    password = database_secret("")["password"]
    url = f"postgresql+psycopg://{DATABASE_USER}:{quote(password, safe='')}@/traderx"
    return {"DATABASE_URL": url, "username": DATABASE_USER, "password": password}


def cluster_secret(url: str) -> dict[str, str]:
    """Return the content of the secret for a database that is there already, with the login that its URL has."""
    at = urlsplit(url)
    if not at.password:
        return database_secret(url)
    return {"DATABASE_URL": url, "username": unquote(at.username or ""), "password": unquote(at.password)}


def manifest(url: str, *, namespace: str) -> str:
    """Return the Secret object for a cluster as YAML text, to be piped, never stored."""
    lines = ["apiVersion: v1", "kind: Secret", "metadata:", f"  name: {DATABASE_SECRET}", f"  namespace: {namespace}"]
    lines += ["type: Opaque", "data:"]
    for key, value in cluster_secret(url).items():
        lines.append(f"  {key}: {base64.b64encode(value.encode()).decode()}")
    return "\n".join(lines) + "\n"


def path_of(project: Project, environment: str) -> Path:
    """Return the file of the environment's database secret."""
    return project.secrets_folder(environment) / f"{DATABASE_SECRET}.json"
