"""What runs have on the axes of their study (`study/axes.py`), and on any other setting."""

from collections.abc import Mapping, Sequence
from typing import Any

from scaling_study.common.validation import flat_items
from scaling_study.config.program import SETTING_OF_PROGRAM
from scaling_study.config.run import REFERENCES, RunConfig
from scaling_study.config.scale_dependent import GROUPS
from scaling_study.study.axes import AXES, EPOCHS, Axis, own_axes
from scaling_study.study.axes import display_name as name_of
from scaling_study.study.axes import spaced_name as spaced


class Settings:
    """The settings of runs by their dotted names; runs share parts, and each is looked at once."""

    def __init__(self) -> None:
        self._flat: dict[int, dict[str, Any]] = {}

    def _part(self, run: RunConfig, name: str) -> dict[str, Any]:
        part = getattr(run, name)
        if id(part) not in self._flat:
            self._flat[id(part)] = dict(flat_items(vars(part), f"{name}."))
        return self._flat[id(part)]

    def of(self, run: RunConfig) -> dict[str, Any]:
        """All settings of a run."""
        parts = (self._part(run, name) for name in GROUPS)
        own = run.program.settings if run.program else {}
        return (
            vars(run)
            | {key: str(getattr(run, key) or "none") for key in REFERENCES}
            | {key: value for part in parts for key, value in part.items()}
            | {SETTING_OF_PROGRAM + name: value for name, value in own.items()}
        )

    def differing(self, runs: Sequence[RunConfig]) -> set[str]:
        """Those under model, data and train that are not the same in all runs."""
        found: set[str] = set()
        for name in GROUPS:
            parts = list({id(getattr(run, name)): self._part(run, name) for run in runs}.values())
            keys = {key for part in parts for key in part}
            found |= {k for k in keys if any(p.get(k) != parts[0].get(k) for p in parts)}
        return found


def display_names(runs: Sequence[RunConfig], grid: Mapping[str, Any]) -> list[str]:
    """A readable name of each run, where the grid has axes that run ids do not show; else none."""
    if not (own := own_axes(grid)):
        return []
    settings = Settings()
    return [name_of(_values(settings, run), own) for run in runs]


def spaced_name(run: RunConfig, own: Sequence[Axis]) -> str:
    """What trackers call a run: d26 w0.5 32px 10ep bs128 s0, with a grid's `own` axes."""
    length = run.program.length if run.program else None
    return spaced(_values(Settings(), run), own, length or EPOCHS)


def _values(settings: Settings, run: RunConfig) -> dict[str, Any]:
    return settings.of(run) | {axis.name: axis.of(run) for axis in AXES}
