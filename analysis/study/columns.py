"""Names of columns: axes, costs, and the records that figures are drawn from."""

from typing import Any

Record = dict[str, Any]


LEVEL = 0.975


COST_NAMES = {
    "step_time_s": "step time",
    "flops": "FLOPs",
    "params": "parameters",
}


MORE_COST_NAMES = {
    "activations": "activations",
    "peak_memory_bytes": "peak memory",
    "train_flops": "training FLOPs",
}


ALL_COST_NAMES = COST_NAMES | MORE_COST_NAMES


AXES = ("depth", "width", "resolution", "lr")


# A value of an axis or of a setting; numbers are compared as numbers.
Level = str | float
