"""What differs between runs that are compared, beside what is compared."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from analysis.settings import AXES

# A difference in these may explain a gap that is put down to an axis.
CHECKED = (
    *("lr", "threads", "world_size", "memory_halvings", "git_commit", "versions", "recipe"),
    *("batch_size", "data", "family", "precision", "device"),
)


def differences(rows: Sequence[Mapping[str, Any]], purpose: Collection[str] = ()) -> list[str]:
    """One line per setting that is not the same in all runs of a regime, and uneven seeds.

    The compared axes (depth, width, resolution, epochs, seed) and the config keys that are varied
    on `purpose` are not looked at. Columns with a dot in their name are such keys, as a plan.csv
    has them. Arms along the learning rate make `lr` differ: then it is listed too, and is no fault.
    """
    dotted = {name for row in rows[:1] for name in row if "." in name}
    checked = (*CHECKED, *sorted(dotted - {*AXES, *purpose}))
    found = []
    for epochs in sorted({row["epochs"] for row in rows}):
        regime = [row for row in rows if row["epochs"] == epochs]
        for column in checked:
            values = sorted({str(row.get(column)) for row in regime})
            if len(values) > 1:
                found.append(f"{epochs} epochs: {column} differs ({', '.join(values)})")
        seeds = _seeds(regime)
        if len(set(seeds.values())) > 1:
            few, many = min(seeds.values()), max(seeds.values())
            found.append(f"{epochs} epochs: between {few} and {many} seeds per cell")
    return found


def _seeds(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[str(row["config_id"])] = counts.get(str(row["config_id"]), 0) + 1
    return counts
