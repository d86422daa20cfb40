"""What a pilot measured: error and seed SD by length of training, a grid's `planning`."""

from collections.abc import Mapping
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import suggest

# (error, seed SD) as fractions, by epochs; an SD of None is unknown.
Planning = Mapping[int, tuple[float, float | None]]
TYPICAL_ERROR = 0.4


def planning_of(grid: Mapping[str, Any]) -> Planning:
    """The pilot's values in a grid's `planning: {EPOCHS: {error: …, seed_sd: …}}`.

    Raises:
        InputError: an entry that is not a pair of fractions.
    """
    declared = grid.get("planning") or {}
    accepted = "must be {EPOCHS: {error: 0.4, seed_sd: 0.01}}"
    if not isinstance(declared, Mapping) or not all(
        isinstance(pilot, Mapping) for pilot in declared.values()
    ):
        raise InputError(f"grid.planning={declared!r}: {accepted}")
    return {_epochs_of(key): _measured(key, pilot, accepted) for key, pilot in declared.items()}


def _epochs_of(key: Any) -> int:
    try:
        return int(str(key))
    except ValueError:
        raise InputError(f"grid.planning.{key}: must be a number of epochs") from None


def _measured(epochs: Any, pilot: Mapping[Any, Any], accepted: str) -> tuple[float, float]:
    where, names = f"grid.planning.{epochs}", ("error", "seed_sd")
    for name in pilot:
        if name not in names:
            raise InputError(
                f"{where}.{name}: no such setting{suggest(str(name), names)}; planning {accepted}"
            )
    for name in names:
        value = pilot.get(name)
        if not isinstance(value, float) or not 0 < value < 1:
            raise InputError(f"{where}.{name}={value!r}: must be a fraction; planning {accepted}")
    return float(pilot["error"]), float(pilot["seed_sd"])
