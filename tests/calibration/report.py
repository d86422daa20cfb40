"""docs/statistics.md and its numbers, results.csv: how often verdicts are wrong."""

import csv
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import median

from analysis.study.noise_prior import published_prior
from calibration import compute, replay
from calibration.case import Case
from calibration.runner import LEAST_COVERAGE, MOST_WRONG, Tally

RESULTS = Path(__file__).with_name("results.csv")
COMPUTE = Path(__file__).with_name("compute.csv")
REPLAY = Path(__file__).with_name("replay.csv")
PAGE = Path(__file__).parents[2] / "docs/statistics.md"


def _df(data: str, images_seen: float) -> str:
    """Degrees of freedom that the published prior is worth."""
    return f"{published_prior().factor(data, images_seen).df:.0f}"


TOP = """# How often is it wrong?

A verdict is a claim with an error bar. *Supported* says that the true effect is larger than the
margin, *refuted* that it is not. At a confidence of 95 % either may be wrong in 2.5 % of studies:
in one of 40. The table counts how often it is, in simulated studies whose true effect is known and
lies where mistakes are likeliest: at the margin."""

# What that table means for somebody who reads one verdict.
FOR_USERS = """
- **Few seeds make verdicts rarer, not mistakes more frequent.** With two or three seeds per cell
  intervals are wide and many studies stay undecided; the share with a wrong verdict stays.
- **It is a share of all studies, not of those that decide.** Where hardly any study of a design
  decides, more of its decisions are luck, and what they find is likely too large. The plan says
  what a design can decide.
- **Looking early costs little, if all looks are counted.** Cases named *looks* stop at the first
  look that decides.
- **What no simulation covers:** data whose seeds scatter otherwise than in all of these cases, a
  recipe that favours one arm ([tuned rules](rules.md) ask for that), step times of a machine that
  is not yours, and other data sets, of which one study says nothing
  ([several data sets](summary.md)).
"""

HEAD = f"""
## How it is simulated

No formula says whether 2.5 % on either side holds where a study
has three seeds, cells of unequal noise and step times that drift, so it is simulated: studies are
drawn from surfaces and noise that the analysis does not know
([tests/calibration](../tests/calibration)), with a true effect at the margin, where mistakes are
likeliest, or, for R4, with a true loss of 0 or more. Their tables go through the functions that
judge real studies.

- *Supported* and *refuted* are shares of studies in percent; in bold where that verdict is wrong.
- *Coverage* is the share of intervals that hold the true effect, in percent.
- *Width* is the mean width of the interval, in percent of the error (R4: percentage points; R2: a
  plain number).
- Cases named *looks* are read several times, until a look decides: shares are of studies that any
  look decides so, coverage and width are those of the last interval that was read.
- A case passes if the upper 95 % confidence bound of each wrong verdict is at most
  {100 * MOST_WRONG:g} % and the lower bound of coverage at least {100 * LEAST_COVERAGE:g} %. R4's
  regret cannot be negative: at 0 an interval covers more often than it promises.

Cases that begin with *tuned* are rules that say `tuned: lr`: their truth is the gap with both arms
at their best learning rates, whatever the recipe's rate makes of it.

Cases of *one seed* have no replicates: their SD between seeds is a prior
([noise_prior.py](../analysis/study/noise_prior.py)), sqrt(e / 2n) for an error rate e of n images
(Jordan 2023) times a factor whose logarithm is normal. The factor is estimated from repeated
trainings, published ones and this project's own
([repeated_trainings.csv](../analysis/study/repeated_trainings.csv) has a source in each row), by a
normal model with effects of the data set and of the length of training, and a term that falls with
the fourth root of the training images seen: short training scatters up to three times as much as
the formula says, long training about as much. An interval is Student's t with as many degrees of
freedom as the SD is known to: {_df("imagenet", 1_281_167 * 350)} on ImageNet at 350 epochs,
{_df("fractals", 25_600)} on fractals after 25,600 images, {_df("", 25_600)} on data of which
nothing is known. All finished replicates of a results store enter the same model before a grid is
planned, so that its own data set counts most, and the dry run averages power over what remains
unknown. The measure of length matters: by the logarithm of the images seen, which fits the
published replicates worse, ImageNet would scatter more at 10 epochs, and R1-short on the paper's
Figure 3 would be inconclusive. The true SDs of these cases are drawn around the prior: a study
that scatters otherwise than all that were measured is not covered by them. In the same studies
sqrt(e / 2n) alone, taken as known, decides wrongly more than twice as often as is allowed
([test_one_seed.py](../tests/calibration/test_one_seed.py)).

`make calibration` runs all cases and writes this page; the numbers depend on nothing but the code
and the tables of finished studies that it has.
`make calibration ARGS='--only looks'` does so for the cases whose names contain that, and
`ARGS='--only adaptive'` for all about adaptive studies. Tests repeat one case per rule with fewer
studies.
"""


def record(case: Case, tally: Tally) -> dict[str, str]:
    """What a case concluded, as a row of results.csv."""
    n, estimated = tally.studies, max(tally.estimated, 1)
    return {
        "rule": case.rule,
        "case": case.name,
        "studies": str(n),
        "supported": f"{100 * tally.supported / n:.2f}",
        "refuted": f"{100 * tally.refuted / n:.2f}",
        "wrong": "+".join(tally.wrong_sides),
        "coverage": f"{100 * tally.covered / estimated:.2f}",
        "width": f"{100 * tally.width:.3f}" if case.rule != "R2" else f"{tally.width:.3f}",
        "not_testable": f"{100 * tally.not_testable / n:.2f}",
        "passes": "yes" if tally.passes else "no",
    }


def read_rows(path: Path = RESULTS) -> list[dict[str, str]]:
    """The rows of a file of results."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def updated(
    known: Sequence[Mapping[str, str]], new: Sequence[Mapping[str, str]], keys: Sequence[str]
) -> list[Mapping[str, str]]:
    """The rows of all cases (`keys`, in their order): the new ones, else the known ones.

    Raises ValueError where they are not of the same number of studies.
    """
    rows = {f"{row['rule']}: {row['case']}": row for row in (*known, *new)}
    found = [rows[key] for key in keys if key in rows]
    if len(numbers := sorted({row["studies"] for row in found})) > 1:
        raise ValueError(f"cases of {' and '.join(numbers)} studies")
    return found


def write(
    rows: Sequence[Mapping[str, str]],
    saved: Sequence[dict[str, str]],
    replayed: Sequence[dict[str, str]],
) -> None:
    """The page and its files: of the cases, what adaptive studies save, and of replays."""
    for path, content in ((RESULTS, rows), (COMPUTE, saved), (REPLAY, replayed)):
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(content[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(content)
    PAGE.write_text(page(rows, saved, replayed), encoding="utf-8")


def page(
    rows: Sequence[Mapping[str, str]],
    saved: Sequence[dict[str, str]],
    replayed: Sequence[dict[str, str]],
) -> str:
    """The page with a table per rule, and those of adaptive studies."""
    parts = [TOP, *_in_short(rows), FOR_USERS, HEAD.strip() + "\n"]
    for rule, group in groupby(sorted(rows, key=lambda row: row["rule"]), lambda row: row["rule"]):
        parts.append(f"\n## {rule}\n\n| case | supported | refuted | coverage | width | passes |")
        parts.append("|---|--:|--:|--:|--:|---|")
        parts += [_line(row) for row in group]
    studies = sorted({row["studies"] for row in rows})
    parts.append(f"\n{', '.join(studies)} studies a case.")
    parts += [*compute.section(saved), *replay.section(replayed), ""]
    return "\n".join(parts)


def _in_short(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """A table with a row per rule: shares of studies with a wrong verdict, over its cases."""
    lines = [
        "\n| rule | cases | studies | a wrong verdict, median case | worst case | least coverage |"
    ]
    lines.append("|---|--:|--:|--:|--:|--:|")
    for rule, group in groupby(sorted(rows, key=lambda row: row["rule"]), lambda row: row["rule"]):
        cases = [*group]
        wrong = [
            float(row[side]) for row in cases for side in filter(None, row["wrong"].split("+"))
        ]
        studies = sum(int(row["studies"]) for row in cases)
        least = min(float(row["coverage"]) for row in cases)
        shares = f"{median(wrong):.1f} % | {max(wrong):.1f} % | {least:.1f} %"
        lines.append(f"| {rule} | {len(cases)} | {studies:,} | {shares} |")
    return [
        *lines,
        "\nA wrong verdict is counted on each side by itself; 2.5 % is what is promised.",
    ]


def _line(row: Mapping[str, str]) -> str:
    shares = [
        f"**{row[side]}**" if side in row["wrong"].split("+") else row[side]
        for side in ("supported", "refuted")
    ]
    return f"| {' | '.join([row['case'], *shares, row['coverage'], row['width'], row['passes']])} |"
