"""What the Services of a space select, and whether anything is there that they would lead to.

A blue-green rollout writes a colour into its Service's selector. Another environment, or another time, has
other colours, so such a selector must not come to where nothing answers to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confighub.client.transport import Wire
from confighub.operations.rollout.subject import objects, selects, service_of

SERVICE = "v1/Service"
DEPLOYMENT = "apps/v1/Deployment"


def selector_in(text: str) -> dict[str, str]:
    """Return what the Service among a unit's documents selects; empty without a Service."""
    return dict((service_of(text).get("spec") or {}).get("selector") or {}) if "selector" in text else {}


def is_led_to(selector: Mapping[str, str], text: str) -> bool:
    """Tell whether a selector names the pods of a Deployment among a unit's documents."""
    if "Deployment" not in text:
        return False
    deployments = (one for one in objects(text) if one.get("kind") == "Deployment")
    return any(selects(selector, _pod_labels(one)) for one in deployments)


def change_to(selector: Mapping[str, str], *, now: Mapping[str, str]) -> Wire:
    """Return the merge patch that makes a Service select this instead of what it selects now."""
    gone: dict[str, str | None] = {key: None for key in now if key not in selector}
    return {"spec": {"selector": {**selector, **gone}}}


def _pod_labels(deployment: Mapping[str, Any]) -> dict[str, str]:
    template = (deployment.get("spec") or {}).get("template") or {}
    return dict((template.get("metadata") or {}).get("labels") or {})
