"""What a sweep is asked to do: dry run, probes, report, limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaling_study.common.validation import one_value
from scaling_study.config.keys import check_group


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """What a sweep does with its plan; `out`, `diff` and `device` are empty if not given."""

    dry_run: bool
    explain: bool
    diff: str
    out: str
    probe: bool
    resolve: bool
    device: str
    order: str


def sweep_options_of(settings: Mapping[str, Any]) -> SweepOptions:
    """The settings `dry_run`, `explain`, `diff` and `plan`.

    Raises:
        InputError: a value of the wrong type.
    """
    plan = check_group(settings, "plan", ("out", "probe", "resolve", "device", "order"))
    diff, out, device = settings.get("diff"), plan["out"], plan["device"]
    return SweepOptions(
        dry_run=one_value(bool, settings.get("dry_run"), "dry_run"),
        explain=one_value(bool, settings.get("explain"), "explain"),
        diff="" if diff is None else one_value(str, diff, "diff"),
        out="" if out is None else one_value(str, out, "plan.out"),
        probe=one_value(bool, plan["probe"], "plan.probe"),
        resolve=one_value(bool, plan["resolve"], "plan.resolve"),
        device="" if device is None else one_value(str, device, "plan.device"),
        order=one_value(str, plan["order"], "plan.order"),
    )
