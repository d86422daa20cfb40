"""Our reading of a study beside the paper's: claim by claim, then what the study is about."""

from collections.abc import Iterator

from analysis.descriptions.findings import Findings
from analysis.paper.claims import CLAIMS
from analysis.rules.kind import Judgement
from analysis.rules.phrases import capitalised
from analysis.rules.preregistration import load_rules
from analysis.rules.wording import finding
from analysis.study.arms import DEPTH_WIDTH
from analysis.study.measure import ERROR

READING = "Our reading beside the paper's"


def reading(found: Findings) -> list[str]:
    """A paragraph for each claim of the paper that the study tested, then its limits."""
    beside = [_beside(j) for j in _asked_by_the_paper(found)]
    alone = (
        "The claims of this study are not among those that the paper has numbers on, so there is "
        "nothing to hold them against."
    )
    return [*(beside or [alone]), about_what(found)]


def _asked_by_the_paper(found: Findings) -> Iterator[Judgement]:
    """The judgements on claims that are the paper's own: packaged rules, as they ship."""
    packaged = {rule.name: rule for rule in load_rules(None, {}).rules}
    for j in found.judgements:
        rule = packaged.get(j.rule.name)
        same = rule and (j.rule.kind, j.rule.claim) == (rule.kind, rule.claim)
        arms = j.rule.arms == DEPTH_WIDTH and j.rule.measure == ERROR
        if j.rule.name in CLAIMS and same and arms and j.gap is not None:
            yield j


def _beside(j: Judgement) -> str:
    paper = CLAIMS[j.rule.name]
    return (
        f"{paper.says} ({paper.source}). On the paper's numbers: {_lower(paper.finding)}. Here: "
        f"{_lower(finding(j))}. {_agreement(j.verdict.value, paper.verdict)}"
    )


def _lower(sentence: str) -> str:
    """A sentence as it continues another one."""
    return sentence[:1].lower() + sentence[1:]


def _agreement(here: str, there: str) -> str:
    if here == "inconclusive":
        return "These runs neither confirm nor contradict it."
    if there == "inconclusive":
        return "The paper's numbers leave it open; these runs do not."
    return "The two agree." if here == there else "Here the answer is another one."


def about_what(found: Findings) -> str:
    """The images, recipe and machine that a study is about, and that it says nothing of others."""
    rows = found.table.rows
    columns = {
        column: ", ".join(sorted({str(row[column]) for row in rows if row.get(column)}))
        for column in ("data", "recipe", "device")
    }
    images = sorted({int(row["n_train"]) for row in rows if row.get("n_train")})
    counted = f" with {', '.join(map(str, images))} training images" if images else ""
    parts = [f"One data set, {columns['data']}{counted}"] if columns["data"] else []
    parts += [f"{'and ' if parts else ''}one recipe, {columns['recipe']}"] * bool(columns["recipe"])
    about = ", ".join(parts)
    times = f"step times are those of {columns['device']}" if columns["device"] else ""
    first = "; ".join(filter(None, [about, times]))
    first = f"{capitalised(first)}. " if first else ""
    return f"{first}Nothing is said of other images, sizes or recipes."
