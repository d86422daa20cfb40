"""R4: what short training decides, and what long training then loses."""

from calibration.case import Case
from calibration.simulator import study


def _case(short: float, long: float, seeds: int, family: bool = False) -> Case:
    made = study(short, long, seeds=seeds)
    after = ", after Holm" if family else ""
    name = f"short gap {100 * short:+g} %, long gap {100 * long:+g} %, {seeds} seeds{after}"
    return Case("R4", name, made.regret(), made.rows, family=family)


CASES = [
    *(
        _case(short, long, seeds)
        for seeds in (2, 3, 10)
        for short in (-0.02, -0.002, 0.002, 0.01)
        for long in (0.0, 0.05)
    ),
    *(_case(short, 0.05, 3, family=True) for short in (-0.02, 0.002, 0.01)),
]
