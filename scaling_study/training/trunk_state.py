"""RUN/trunk.pt: the state of a run at the step at which its decay begins, for longer runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from scaling_study.common.errors import InputError
from scaling_study.config.run import RunConfig
from scaling_study.study.parents import TRUNK_FILE
from scaling_study.training.checkpoint import read_state


def to_share(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state of a run as another one goes on from it: without its times and its evaluations."""
    return {**state, "step_times": [], "waits": [], "wall_s": 0.0, "curve": []}


def shared_state(
    run: RunConfig,
    results_dir: Path,
    world_size: int,
    model: Mapping[str, Tensor],
    step: int,
    pool_labels: str | None,
) -> dict[str, Any]:
    """The state from which `run` goes on, which its trunk kept behind so many steps.

    Raises:
        InputError: it is not there, damaged, of another network, of other labels of the pool, or of
            another number of processes, which train differently.
    """
    assert run.trunk is not None
    path = results_dir / "runs" / run.trunk.run / TRUNK_FILE
    state = read_state(path, run.trunk.run, model) if path.is_file() else "not there"
    advice = f"remove {path.parent} to train that run again"
    if isinstance(state, dict):
        began = state["world_size"]
        if state["step"] != step:
            state = f"of another step than {step}"
        elif began != world_size:
            state = f"of {began} processes, not {world_size}"
            advice = f"give this one as many, or {advice}"
        elif state.get("pool_labels") != pool_labels:
            state = "of other labels of the pool"
    if isinstance(state, str):
        raise InputError(f"trunk={run.trunk.run}: {path} is {state}; {advice}")
    print(f"going on from the trunk of {run.trunk.run}", flush=True)
    return state
