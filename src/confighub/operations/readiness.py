"""Whether a unit's live status, as the hub answers it, means ready, and what it says when not.

Source: the seed's live state (3.5): Status, Replicas, ReadyReplicas, UpdatedReplicas, Conditions.
What counts is decided per kind by the hub; here its answer is only read.
"""

from __future__ import annotations

from confighub.client.transport import Wire

READY_WORDS = frozenset({"Running", "Active", "Ready"})


def is_ready(status: Wire, *, revision: int) -> bool:
    """Tell whether the revision runs and everything in it is ready."""
    return status.get("Status") in READY_WORDS and int(status.get("RevisionNum") or 0) == revision


def word_for(status: Wire) -> str:
    """Return the state in one word, with the replicas where there are several."""
    word = str(status.get("Status") or "Unknown")
    replicas = int(status.get("Replicas") or 0)
    return f"{word}, {status.get('ReadyReplicas') or 0} of {replicas} ready" if replicas > 1 else word


def reasons(status: Wire) -> list[str]:
    """Return what the live status says of why it is not ready, one line or paragraph each: probe answers, log lines."""
    found = [str(status["Message"])] if status.get("Message") else []
    for condition in status.get("Conditions") or []:
        message = str(condition.get("Message") or "")
        if condition.get("Status") != "True" and message and not any(message in said for said in found):
            reason = f"{condition['Reason']}: " if condition.get("Reason") else ""
            found.append(f"{reason}{message}")
    return found
