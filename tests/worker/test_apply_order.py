"""The order of kinds."""

from __future__ import annotations

from confighub.worker.apply_order import in_apply_order, in_destroy_order


def test_what_others_need_comes_first_and_equal_kinds_keep_their_order() -> None:
    kinds = ["Ingress", "Deployment", "Gateway", "Service", "ConfigMap", "Namespace", "Deployment"]
    documents = [{"kind": kind, "metadata": {"name": str(place)}} for place, kind in enumerate(kinds)]

    ordered = in_apply_order(documents)

    assert [item["kind"] for item in ordered] == [
        "Namespace",
        "ConfigMap",
        "Service",
        "Deployment",
        "Deployment",
        "Ingress",
        "Gateway",
    ]
    assert [item["metadata"]["name"] for item in ordered if item["kind"] == "Deployment"] == ["1", "6"]
    assert in_destroy_order(documents) == ordered[::-1]
