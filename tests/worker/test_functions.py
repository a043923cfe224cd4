"""Function calls that a worker runs for the hub."""

from __future__ import annotations

import base64
import json

from confighub.worker import functions
from tests.worker.scene import Scene

TEXT = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 1 # few\n"


def test_a_call_is_answered_with_the_new_text_and_its_record(scene: Scene) -> None:
    invocation = {"FunctionName": "set-replicas", "Arguments": [{"Value": "5"}]}

    final = scene.final(scene.call_functions(TEXT, invocation))

    assert (final["Action"], final["Result"]) == ("InvokeFunctions", "FunctionInvocationCompleted")
    response = json.loads(base64.b64decode(final["Data"]))
    assert base64.b64decode(response["ConfigData"]).decode() == TEXT.replace("1 # few", "5 # few")
    assert response["Mutators"] == [0]
    assert response["Mutations"][0]["PathMutationMap"]["spec.replicas"]["MutationType"] == "Update"


def test_text_that_is_no_yaml_fails_the_call(scene: Scene) -> None:
    final = scene.final(scene.call_functions("a: b: c", {"FunctionName": "get-replicas"}))

    assert (final["Status"], final["Result"]) == ("Failed", "FunctionInvocationFailed")


def test_the_functions_offered_are_those_of_the_library() -> None:
    offered = functions.signatures()["Kubernetes/YAML"]

    assert offered["set-replicas"].mutating
