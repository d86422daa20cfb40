"""What the runs that a run starts from mean for its state."""

from collections.abc import Sequence

from scaling_study.study.store import Store

# A run that waits for others, or cannot start from one that failed; and one that can start now.
BLOCKED, READY = "blocked", "ready"
TO_START = ("planned", READY, BLOCKED)
# What a run keeps for those that start from its weights, and for those that go on from its trunk.
CHECKPOINT_FILE, TRUNK_FILE = "checkpoint.pt", "trunk.pt"


def with_parents(state: str, parents: Sequence[str], store: Store) -> str:
    """The state of a run that needs `parents`: one that is planned is ready or blocked."""
    if state not in TO_START or not parents:
        return state
    return BLOCKED if blocked_by(parents, store) else READY


def blocked_by(parents: Sequence[str], store: Store) -> str:
    """Why a run cannot start from all of these runs now, in words; empty if it can."""
    for parent in parents:
        if (state := store.state(parent)) == "ok":
            continue
        result = store.result(parent) if state in ("failed", "diverged") else None
        cause = f" ({result.cause})" if result is not None and result.cause else ""
        why = f": {result.error}" if result is not None and result.error else ""
        return f"it starts from {parent}, which is {state}{cause}{why}"
    return ""
