"""What a grid file gives an axis: values, as a list or in Hydra's sweep grammar, and a label."""

from collections.abc import Mapping
from itertools import islice
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require
from scaling_study.study.axes import config_key, own_axes

# More than anyone trains; planning that many takes minutes.
MOST_POINTS = 1_000_000


def axis_values(name: str, values: Any, path: str) -> list[Any]:
    """A list as it is; text as Hydra's sweeps: 'range(0,5)', 'choice(a,b)', '1,2'.

    InputError if it is neither, or there are no values.
    """
    if isinstance(values, str):
        values = _sweep(name, values, path)
    if isinstance(values, list) and values:
        return values
    accepted = "must be a list of values, or range(…) or choice(…)"
    raise InputError(f"{path}.{name}={values!r}: {accepted}")


def _sweep(name: str, text: str, path: str) -> list[Any]:
    try:
        override = OverridesParser.create().parse_override(f"{config_key(name)}={text}")
        if not override.is_sweep_override():
            return [override.value()]
        return list(islice(override.sweep_iterator(), MOST_POINTS + 1))
    except (HydraException, ValueError) as error:
        raise InputError(f"{path}.{name}={text!r}: not a sweep of Hydra's: {error}") from None


def check_labels(grid: Mapping[str, Any]) -> None:
    """Raise an InputError unless a grid's labels are texts for axes that it alone has."""
    labels = grid.get("labels") or {}
    require(isinstance(labels, Mapping), "grid.labels", repr(labels), "must map axes to texts")
    own = [axis.key for axis in own_axes(grid)]
    for key, label in labels.items():
        known = f"must be about {', '.join(own)}" if own else "this grid has no axes of its own"
        require(key in own, f"grid.labels.{key}", repr(label), known)
        text = isinstance(label, str) and bool(label)
        require(text, f"grid.labels.{key}", repr(label), "must be a text")
