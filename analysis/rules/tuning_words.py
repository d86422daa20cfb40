"""What tuning the learning rate says of a verdict: in sentences, in one line, and as JSON."""

from typing import Any

from analysis.rules import phrases
from analysis.rules.rule import Rule
from analysis.stats.best_rate import BestRate
from analysis.stats.contrast import Gap
from analysis.stats.decision import Value, value_of
from analysis.stats.tuning import Tuning
from analysis.study.measure import Measure

DECIDED = ("supported", "refuted")


def at(gap: Gap, rule: Rule) -> Value:
    """What a rule's verdict would be by this gap alone."""
    low, high = sorted((rule.sign * gap.low, rule.sign * gap.high))
    return value_of(low, high, rule.margin)[0]


def is_robust(tuning: Tuning, rule: Rule) -> bool:
    """Whether the same is decided at the arms' best learning rates and at the recipe's."""
    decided = at(tuning.best, rule)
    return not tuning.outside and decided in DECIDED and decided == at(tuning.recipe, rule)


def sentence(tuning: Tuning, rule: Rule, verdict: Value, regimes: bool) -> str:
    """Whether a verdict is robust to tuning, and whom the recipe's learning rate favours.

    `regimes` says that the rule is about the difference between two lengths of training.
    """
    recipe = at(tuning.recipe, rule)
    size = phrases.interval(tuning.recipe)
    there = f"at the recipe's learning rate: {recipe}, {size}"
    if tuning.outside:
        return f"Tuning decides nothing: {tuning.outside} ({there})"
    each = "with each arm at its own best learning rate"
    if is_robust(tuning, rule) and verdict in DECIDED:
        return f"Robust to tuning: this is {each}, and the same {there}"
    whom = _favoured(tuning.favour, rule, regimes)
    if recipe != at(tuning.best, rule):
        return f"Not robust to tuning: this is {each}; {there}. {phrases.capitalised(whom)}"
    return f"This is {each}; {there}. {phrases.capitalised(whom)}"


def _favoured(favour: Gap, rule: Rule, regimes: bool) -> str:
    """Which arm the recipe's learning rate favours, and by how much."""
    size = phrases.relative_error(favour)
    more = " more in long than in short training" if regimes else ""
    if favour.low <= 0 <= favour.high:
        return f"whether the recipe's learning rate favours either arm{more} cannot be told: {size}"
    better, _ = phrases.better_first(favour, phrases.arm_names(rule))
    return f"the recipe's learning rate favours {better} by {size}{more}"


def line(tuning: Tuning, rule: Rule) -> str:
    """The verdict at the recipe's learning rate, for the line below that at the best ones."""
    gap = tuning.recipe
    text = f"at the recipe's learning rate {at(gap, rule)}  "
    text += phrases.interval(gap)
    if tuning.outside:
        return f"{text}; a best rate lies outside those tried"
    robust = "robust to tuning" if is_robust(tuning, rule) else "not robust to tuning"
    known = at(tuning.best, rule) in DECIDED or at(gap, rule) in DECIDED
    what = phrases.interval(tuning.favour)
    return f"{text}{f'; {robust}' * known} (it favours {rule.arms[0]} by {what})"


def notes(tuning: Tuning | None) -> tuple[str, ...]:
    """The best learning rate of each end, for the report."""
    if tuning is None:
        return ()
    return (
        "the interval includes what is not known of the best learning rates",
        *(_note(end, tuning.best.measure) for end in tuning.ends),
    )


def _note(end: BestRate, measure: Measure) -> str:
    text = (
        f"best learning rate of {end.name} at {measure.at(end.epochs)}: {end.factor:.2g} times "
        f"its own {end.rate:.3g} [{end.low:.2g}, {end.high:.2g}], which takes "
        f"{measure.interval(*end.gain).lstrip('+')} off the {measure.name}"
    )
    if end.outside:
        return f"{text}; it lies outside the rates tried"
    return text if end.located else f"{text}; which rate is best cannot be told"


def record(tuning: Tuning | None, rule: Rule) -> dict[str, Any] | None:
    """What verdicts.json has under `tuning`: null where the rule could not be tested.

    `recipe` and `favour` are relative errors as the verdict's own effect is, `best_factor` times
    `lr` is the best learning rate of an end, `gain` what it takes off ln(error).
    """
    if tuning is None:
        return None
    return {
        "robust": is_robust(tuning, rule),
        "outside": tuning.outside,
        "recipe": {"verdict": at(tuning.recipe, rule), **_interval(tuning.recipe)},
        "favour": _interval(tuning.favour),
        "ends": [
            {
                **{"name": end.name, "epochs": end.epochs, "lr": end.rate, "tried": [*end.tried]},
                **{"best_factor": end.factor, "best_low": end.low, "best_high": end.high},
                **dict(zip(("gain", "gain_low", "gain_high"), end.gain, strict=True)),
                **{"located": end.located, "outside": end.outside},
            }
            for end in tuning.ends
        ],
    }


def _interval(gap: Gap) -> dict[str, float]:
    return {"estimate": gap.estimate, "ci_low": gap.low, "ci_high": gap.high}
