"""Runs of a table that cannot be judged, refused with the reason."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from analysis.importing.declared_study import DeclaredStudy
from scaling_study.common.errors import InputError
from scaling_study.study.result import Result

TIMES = ("step_time_s",)


def some(names: Any) -> str:
    """Names in a message, sorted."""
    return ", ".join(sorted(map(str, names)))


def refuse_copies(made: Sequence[Result]) -> None:
    """Raise an InputError for runs that are there twice, whatever seeds they claim."""
    seeds = Counter((r.config_id, r.seed) for r in made)
    for (config_id, seed), n in seeds.items():
        if n > 1:
            raise InputError(
                f"{n} rows are {config_id} with seed {seed}: a run that is there twice is no "
                "replicate; remove the copies, map the column that tells them apart, or name it "
                "under `axes` of the study"
            )
    values = Counter((r.config_id, r.outcome) for r in made)
    for (config_id, outcome), n in values.items():
        if n > 1 and outcome is not None and outcome != round(outcome, 4):
            raise InputError(
                f"{n} runs of {config_id} have the same outcome, {outcome!r}, to the last digit: "
                "copies under several seeds are no replicates; remove them"
            )


def refuse_no_noise(made: Sequence[Result], declared: DeclaredStudy) -> None:
    """Raise an InputError if neither replicates nor the study say how runs scatter."""
    if declared.seed_sd is None and "seed_sd" not in declared.rules:
        cells = Counter(r.config_id for r in made)
        if max(cells.values()) == 1:
            raise InputError(
                f"none of the {len(cells)} configurations ran twice, and the study declares no "
                "noise: nothing says which differences are luck. Add runs with other seeds, or "
                "declare `seed_sd`, the SD of the outcome between seeds; --surface compares "
                "two axes by a surface, and rests on its lack of fit"
            )


def refuse_mixed_times(made: Sequence[Result], declared: DeclaredStudy) -> None:
    """Raise an InputError for times of several devices as the cost."""
    if declared.cost in TIMES and len(devices := {r.device for r in made}) > 1:
        raise InputError(
            f"cost: {declared.cost}: times of {len(devices)} devices ({some(devices)}) are not "
            "compared; take the rows of one, or another cost"
        )
