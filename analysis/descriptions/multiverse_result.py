"""What other reasonable analyses of the same runs concluded about one rule, in words."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

Dimension = Literal["", "interpolation", "base", "replicate", "cell"]


class Analysis(NamedTuple):
    """One way to analyse: the cost, and what else is done otherwise, in words, as in `without x`.

    `dimension` is of what kind that is; both are empty where nothing is.
    """

    cost: str
    dimension: Dimension
    label: str

    @property
    def name(self) -> str:
        return ", ".join(filter(None, [f"at equal {self.cost}", self.label]))


@dataclass(frozen=True)
class Multiverse:
    """A declared verdict, and that of each analysis, the declared one first.

    `cells` is how many the rule compares: of very many only those that weigh most are left out.
    """

    value: str
    verdicts: Mapping[Analysis, str]
    cells: int

    @cached_property
    def made(self) -> dict[Analysis, str]:
        """Those that could be made: too little may be left without a cell or at another cost."""
        return {a: value for a, value in self.verdicts.items() if value != "not_testable"}

    @property
    def same(self) -> int:
        """In how many the verdict is the declared one."""
        return sum(value == self.value for value in self.made.values())

    @property
    def count(self) -> str:
        """As in `supported in 29 of 60 analyses`."""
        return f"{self.value} in {self.same} of {len(self.made)} analyses"

    @property
    def description(self) -> str:
        """The count, and what the analyses are."""
        costs = len({analysis.cost for analysis in self.made})
        labels = Counter(a.dimension for a in {a._replace(cost="") for a in self.made})
        parts = [_phrase(name, labels[name]) for name in PHRASES if labels[name]]
        if labels["cell"] and len({a for a in self.verdicts if a.dimension == "cell"}) < self.cells:
            parts[-1] += f" that weigh{'s' * (labels['cell'] == 1)} most"
        text = f"{self.count}: {self._costs(costs) if parts else _plural(costs, 'cost')}"
        text += ", ".join(parts)
        failed = len(self.verdicts) - len(self.made)
        return text + (f"; {failed} more could not be made" if failed else "")

    def _costs(self, count: int) -> str:
        """At how many costs there is an analysis, and whether also of what is done otherwise."""
        declared = next(iter(self.verdicts)).cost
        if count == 1:
            return "as declared, "
        if any(a.dimension and a.cost != declared for a in self.verdicts):
            return f"at {count} costs, each as declared, "
        return f"at {count} costs and, at the declared one, "

    def shares(self) -> list[str]:
        """By each dimension in how many analyses with each choice the verdict is the same."""
        found = defaultdict[str, dict[str, list[bool]]](dict)
        for analysis, value in self.made.items():
            choices = {"cost": analysis.cost, analysis.dimension: analysis.label}
            for dimension, label in choices.items():
                found[dimension].setdefault(label, []).append(value == self.value)
        return [
            f"{self.value} by {dimension}: "
            + ", ".join(f"{label} {sum(same)} of {len(same)}" for label, same in choices.items())
            for dimension, choices in found.items()
            if dimension
        ]

    def record(self) -> dict[str, Any]:
        """As JSON: the count, what the analyses are, and their names by their verdicts."""
        names = defaultdict[str, list[str]](list)
        for analysis, value in self.verdicts.items():
            names[value].append(analysis.name)
        return {
            "analyses": len(self.made),
            "same": self.same,
            "description": self.description,
            "verdicts": dict(names),
        }


# What is done otherwise, and what is counted.
PHRASES: dict[Dimension, tuple[str, str]] = {
    "interpolation": ("with", "other interpolation or average"),
    "base": ("from", "other base"),
    "replicate": ("without", "replicate"),
    "cell": ("without", "cell"),
}


def _phrase(dimension: Dimension, count: int) -> str:
    preposition, thing = PHRASES[dimension]
    each = "each of " if preposition == "without" and count > 1 else ""
    return f"{preposition} {each}{_plural(count, thing)}"


def _plural(count: int, thing: str) -> str:
    return f"{count} {thing if count == 1 else thing.replace(' or ', 's or ') + 's'}"
