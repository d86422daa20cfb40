"""What the runs that a run starts from mean for its state."""

from collections.abc import Mapping, Sequence

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


def blocked_by(
    parents: Sequence[str], store: Store, needs: Mapping[str, Sequence[str]] | None = None
) -> str:
    """Why a run cannot start from all of these runs now, in words; empty if it can.

    `needs`: what the runs of the study start from, so that of a chain the first cause is named.
    """
    return why_blocked(blocking(parents, store, needs), store)


def why_blocked(chain: Sequence[str], store: Store) -> str:
    """The same of what `blocking` has found."""
    if not chain:
        return ""
    *between, first = chain
    state = store.state(first)
    result = store.result(first) if state in ("failed", "diverged") else None
    cause = f" ({result.cause})" if result is not None and result.cause else ""
    why = f": {result.error}" if result is not None and result.error else ""
    blocked = "".join(f"it starts from {run_id}, which is blocked: " for run_id in between)
    return f"{blocked}it starts from {first}, which is {state}{cause}{why}"


def blocking(
    parents: Sequence[str], store: Store, needs: Mapping[str, Sequence[str]] | None = None
) -> list[str]:
    """The runs of `parents` and of what they need that block, the first cause last."""
    for parent in parents:
        if (state := store.state(parent)) != "ok":
            its_own = (needs or {}).get(parent, ())
            behind = blocking(its_own, store, needs) if state == "planned" else []
            return [parent, *behind]
    return []
