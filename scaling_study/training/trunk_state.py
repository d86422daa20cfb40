"""RUN/trunk.pt: the state of a run at the step at which its decay begins, for longer runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from scaling_study.common.errors import InputError
from scaling_study.config.run import RunConfig
from scaling_study.study.parents import TRUNK_FILE
from scaling_study.training.checkpoint import read_state

# Of a state what is about the run that was there, not about the one that goes on: its times, and
# its evaluations.
OF_THE_OTHER = {"step_times": (), "waits": (), "wall_s": 0.0, "curve": ()}


def to_share(state: Mapping[str, Any]) -> dict[str, Any]:
    """A state of a run as another one goes on from it."""
    return {**state, **{k: list(v) if v == () else v for k, v in OF_THE_OTHER.items()}}


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
    if isinstance(state, dict):
        differs = {
            f"of another step than {step}": state["step"] != step,
            f"of {state['world_size']} processes, not {world_size}": state["world_size"]
            != world_size,
            "of other labels of the pool": state.get("pool_labels") != pool_labels,
        }
        state = next((why for why, does in differs.items() if does), state)
    if isinstance(state, str):
        advice = f"remove {path.parent} to train that run again"
        raise InputError(f"trunk={run.trunk.run}: {path} is {state}; {advice}")
    return state
