"""What an effect is about, so that effects of other quantities are never averaged."""

from collections.abc import Mapping

from analysis.rules.kind import Judgement
from analysis.rules.phrases import listed
from analysis.rules.registry import find_kind
from analysis.study.columns import ALL_COST_NAMES
from scaling_study.common.errors import InputError


def estimand(j: Judgement, generalise: str) -> dict[str, str]:
    """What must be alike for effects to have a mean, by what it is called.

    Sizes, data, training lengths and devices are how studies differ; the sign and the margin of the
    claim change no effect.
    """
    rule, kind = j.rule, find_kind(j.rule.kind)
    measure = rule.measure
    of_keys = {
        "arms": ("the arms", " and ".join(rule.arms)),
        "regime": ("the training that it is about", rule.regime),
        "cost": ("the equal cost", ALL_COST_NAMES[rule.cost]),
        "tuned": ("the learning rate", "each arm's best" if rule.tuned else "the recipe's"),
    }
    return {
        "the kind of rule": rule.kind,
        "the outcome": f"{measure.name} ({measure.unit})" if measure.unit else measure.name,
        "the scale": "logarithms" if measure.log else "raw differences",
        "the unit of training": measure.length,
        **dict(of_keys[key] for key in of_keys if key in kind.keys),
        "the comparison": "the kind's own" if rule.options is None else str(rule.options),
        "what intervals are about": f"other {generalise}",
    }


def refuse_mixed(name: str, found: Mapping[str, Mapping[str, str]]) -> None:
    """Raise an InputError that says what differs if the estimands, by study, are not all equal."""
    studies = [*found]
    labels = dict.fromkeys(label for known in found.values() for label in known)
    for label in labels:
        values: dict[str, list[str]] = {}
        for study in studies:
            values.setdefault(found[study].get(label, "none"), []).append(study)
        if len(values) > 1:
            each = ", ".join(f"{value} in {listed(names)}" for value, names in values.items())
            cost = ", or --cost one cost for all" if label == "the equal cost" else ""
            raise InputError(
                f"{name} is not one quantity, so it has no mean: {label} is {each}; give studies "
                f"that ask the same, or choose other rules with --rule{cost}"
            )
