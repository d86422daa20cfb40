"""What a rule is, and the rules of a study."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.rules.looks import StudyLook
from analysis.study.arms import DEPTH_WIDTH
from analysis.study.measure import ERROR, Measure
from scaling_study.common.errors import InputError
from scaling_study.common.validation import suggest


@dataclass(frozen=True)
class Rule:
    """A claim "sign * effect > margin"; a positive effect favours the first of two sides.

    `kind` is the name of a module of `analysis/rules/kinds`, or the import path of another one.
    `cost` and `margin` are the study's unless the rule has its own. `tuned` is `lr` where both arms
    are compared at their own best learning rate. `options` is what the kind itself has read from
    the declaration, and `measure` what the study compares its runs by; `rows` are the grid's lists
    of variants each of which has those before it too.
    """

    name: str
    kind: str
    claim: str
    cost: str
    margin: float
    headline: bool = False
    sign: int = 1
    regime: str = "longest"
    arms: tuple[str, str] = DEPTH_WIDTH
    arm_words: tuple[str, str] = field(default=DEPTH_WIDTH, compare=False)
    tuned: str = ""
    options: Any = None
    measure: Measure = field(default=ERROR, compare=False)
    rows: tuple[tuple[str, ...], ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Preregistration:
    """The rules of a study and the SHA-256 of the file that declares them.

    `margin` is a relative error, or a difference of the outcome where those are compared; `arms`
    are what rules and figures compare unless a rule names others; `seed_sd` the SD of the outcome
    between seeds where one seed per cell measures none, or "prior" for that of
    `study.noise_prior`; `paired` says that runs of equal seed go together, `generalise` what
    intervals are about: other seeds, or other images or classes as well;
    `look` is the look at the study that was frozen, None where the seeds of the cells say it;
    `exploratory` says why verdicts are not confirmatory, empty if they are; `anchor` is what shows
    from outside when they were frozen, in words.
    """

    alpha: float
    margin: float
    cost: str
    base: str | Mapping[str, float]
    min_overlap: float
    min_df: float
    looks: tuple[int, ...]
    seed_sd: str | float | None
    rules: tuple[Rule, ...]
    sha256: str = field(compare=False)
    paired: bool = False
    generalise: str = "seeds"
    arms: tuple[str, str] = DEPTH_WIDTH
    look: StudyLook | None = field(default=None, compare=False)
    exploratory: str = field(default="", compare=False)
    anchor: str = field(default="", compare=False)

    @property
    def look_text(self) -> str:
        """Which look at the study this is, in words; empty where there is one."""
        return self.look.text(self.alpha) if self.look else ""


def one_of(value: Any, known: Iterable[Any], where: str) -> Any:
    """The value, if it is one of those known.

    Raises:
        InputError: it is another; the message names the key, `where`, and what is known.
    """
    if value not in (accepted := tuple(known)):
        names = [str(name) for name in accepted]
        near = suggest(value, names) if isinstance(value, str) else ""
        raise InputError(f"{where}: {value!r}{near}; known: {', '.join(names)}")
    return value
