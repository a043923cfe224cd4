"""Documents are read into what is honoured, and the rest is told."""

from __future__ import annotations

import pytest

from confighub.errors import BadRequest
from confighub.runtime import manifests
from tests.runtime.running import deployment


def test_fields_without_effect_are_told_in_order() -> None:
    document = deployment()
    pod = document["spec"]["template"]["spec"]
    pod["serviceAccountName"] = "web"
    pod["volumes"] = []
    pod["containers"][0] |= {"resources": {}, "securityContext": {}, "imagePullPolicy": "IfNotPresent"}
    document["spec"]["paused"] = True

    assert manifests.not_honoured(document) == [
        "spec.template.spec.containers[web].resources",
        "spec.template.spec.containers[web].securityContext",
        "spec.template.spec.serviceAccountName",
        "spec.template.spec.volumes",
        "spec.paused",
    ]


def test_a_wrong_type_is_refused_with_object_and_place() -> None:
    document = deployment()
    document["spec"]["replicas"] = "two"

    with pytest.raises(BadRequest, match=r"Deployment web cannot be read: Expected `int`.*\$\.spec\.replicas"):
        manifests.read(document, manifests.Deployment)


def test_kinds_without_effect_have_no_fields_to_tell() -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "x"}, "rules": []}

    assert manifests.kind_of(role) is manifests.Other
    assert manifests.not_honoured(role) == []
