"""JSON merge patches.

Source: RFC 7396.
"""

from __future__ import annotations

from typing import Any


def merge_patch(target: Any, patch: Any) -> Any:
    """Return the target with the patch applied: objects are merged, null removes, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged_object = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged_object.pop(name, None)
        else:
            merged_object[name] = merge_patch(merged_object.get(name), value)
    return merged_object
