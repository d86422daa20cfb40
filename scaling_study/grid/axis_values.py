"""The values of an axis as a grid file gives them: a list, or text in Hydra's sweep grammar."""

from itertools import islice
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from scaling_study.common.errors import InputError
from scaling_study.config.axes import AXES

# More than anyone trains; planning that many takes minutes.
MOST_POINTS = 1_000_000


def axis_values(name: str, values: Any, path: str) -> list[Any]:
    """A list as it is; text as Hydra's sweeps: 'range(0,5)', 'choice(a,b)', '1,2'.

    Raises:
        InputError: it is neither, or there are no values.
    """
    if isinstance(values, str):
        values = _sweep(name, values, path)
    if not isinstance(values, list) or not values:
        raise InputError(
            f"{path}.{name}={values!r}: must be a list of values, or range(…) or choice(…)"
        )
    return values


def _sweep(name: str, text: str, path: str) -> list[Any]:
    try:
        override = OverridesParser.create().parse_override(f"{AXES.get(name, name)}={text}")
        if not override.is_sweep_override():
            return [override.value()]
        return list(islice(override.sweep_iterator(), MOST_POINTS + 1))
    except (HydraException, ValueError) as error:
        raise InputError(f"{path}.{name}={text!r}: not a sweep of Hydra's: {error}") from None
