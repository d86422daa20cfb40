"""The limits that `python -m analysis.recommend` knows, without what the laws import."""

from typing import NamedTuple

# A relative error that is no loss.
MARGIN = 0.005


class Budget(NamedTuple):
    """A limit that may be given: its option, what that limits, and the unit of a predicted cost."""

    option: str
    help: str
    unit: str


BUDGETS = {
    "flops": Budget("--max-flops", "forward FLOPs per image", "FLOPs"),
    "step_time_s": Budget("--max-step-time", "s", "s a step"),
    "params": Budget("--max-params", "parameters", "parameters"),
    "peak_memory_bytes": Budget("--max-memory", "bytes", "bytes"),
    "gpu_hours": Budget("--gpu-hours", "hours of one device for one training", "device hours"),
}
