"""The claims of a study as HTML: an answer in words first, what it rests on behind a click."""

from collections.abc import Iterable, Mapping, Sequence

from analysis.descriptions.findings import Findings
from analysis.descriptions.multiverse_result import Multiverse
from analysis.report.main_claim import main_claim, others
from analysis.report.page import html
from analysis.rules import plain_words
from analysis.rules.kind import Judgement
from analysis.rules.phrases import capitalised, interval
from analysis.rules.registry import find_kind
from analysis.rules.rule import Preregistration
from analysis.rules.wording import finding, finding_at_equal_flops, line, why

UNTESTED = "not_testable"


def answer(
    judgements: Sequence[Judgement],
    prereg: Preregistration,
    multiverse: Mapping[str, Multiverse],
    claim: Judgement | None,
) -> list[str]:
    """What weakens all verdicts, then the sentence of the main one."""
    said = [prereg.look_text and f"{capitalised(prereg.look_text)}."]
    if prereg.exploratory:
        said.insert(0, f"These verdicts are exploratory, because {prereg.exploratory}.")
    notes = [f'<div class="note">{html.paragraph(text)}</div>' for text in said if text]
    if claim is None:
        below = ["What each setting did on its own follows."]
        text = "None of the claims can be decided by these runs"
        return [*notes, html.verdict(UNTESTED, plain_words.UNTESTED, text, below, ())]
    tested = plain_words.undecided(judgements)
    return [*notes, _verdict(claim, prereg, multiverse.get(claim.rule.name), tested)]


def other_claims(
    judgements: Sequence[Judgement],
    prereg: Preregistration,
    multiverse: Mapping[str, Multiverse],
    claim: Judgement | None,
) -> list[str]:
    """The decided ones in full, a line for each that is open, those that were not tested folded."""
    tested, names = others(judgements, claim), plain_words.undecided(judgements)
    parts = [
        _verdict(j, prereg, multiverse.get(j.rule.name), names)
        if j.verdict.decided
        else _open(j, prereg, multiverse.get(j.rule.name), names)
        for j in tested
    ]
    return parts + untested([j for j in judgements if j.verdict.value == UNTESTED], prereg)


def untested(judgements: Sequence[Judgement], prereg: Preregistration) -> list[str]:
    """Claims that a study cannot test, folded away with the reasons."""
    if not judgements:
        return []
    count = "One claim" if len(judgements) == 1 else f"{len(judgements)} claims"
    parts = [
        html.verdict(
            j.verdict.value,
            plain_words.word_of(j.verdict.value),
            capitalised(j.rule.claim),
            [capitalised(j.verdict.reason)],
            _numbers(j, prereg, None),
        )
        for j in judgements
    ]
    return [html.folded(f"{count} that this study cannot test", parts)]


def all_claims(judgements: Sequence[Judgement], prereg: Preregistration) -> list[str]:
    """The main claim and the others, of judgements that no grid declares."""
    claim = main_claim(judgements, {})
    return [*answer(judgements, prereg, {}, claim), *other_claims(judgements, prereg, {}, claim)]


def answer_of(found: Findings) -> list[str]:
    """The answer of a study."""
    return answer(found.judgements, found.prereg, found.multiverse, _main(found))


def other_claims_of(found: Findings) -> list[str]:
    """The other claims of a study."""
    return other_claims(found.judgements, found.prereg, found.multiverse, _main(found))


def _main(found: Findings) -> Judgement | None:
    return main_claim(found.judgements, found.table.grid)


def _verdict(
    j: Judgement, prereg: Preregistration, other: Multiverse | None, names: Mapping[str, Judgement]
) -> str:
    below = [finding_at_equal_flops(j)]
    if j.verdict.value == "refuted" and j.gap is not None:
        below.append(f"The claim was that {j.rule.claim}.")
    if j.verdict.decided and find_kind(j.rule.kind).parts(j.rule):
        holds = "Each of its parts holds." if j.verdict.value == "supported" else ""
        below.append(holds or "One of its parts does not hold.")
    if not j.verdict.decided:
        below.append(f"{capitalised(plain_words.what_decides(j, names))}.")
    word = plain_words.word_of(j.verdict.value)
    return html.verdict(j.verdict.value, word, finding(j), below, _numbers(j, prereg, other))


def _open(
    j: Judgement, prereg: Preregistration, other: Multiverse | None, names: Mapping[str, Judgement]
) -> str:
    topic = capitalised(find_kind(j.rule.kind).topic(j.rule, j.epochs))
    head = f"{topic}: {plain_words.what_decides(j, names)}"
    below = [finding(j), finding_at_equal_flops(j)]
    word = plain_words.word_of(j.verdict.value)
    return html.open_verdict(j.verdict.value, word, head, below, _numbers(j, prereg, other))


def _numbers(j: Judgement, prereg: Preregistration, other: Multiverse | None) -> list[str]:
    """What a verdict rests on: its code and claim, interval, margin, df, and other analyses."""
    claim = find_kind(j.rule.kind).claim(j.rule)
    notes = [f"{j.rule.name}: {claim}", *_lines(j, prereg), *j.notes]
    for name, s in j.sensitivities.items():
        effect = interval(s.gap) if s.gap else s.verdict.reason
        notes.append(f"{name}: {s.verdict.value.replace('_', ' ')}, {effect}")
    if other:
        notes += [f"{capitalised(other.description)}.", *other.shares()]
    return notes


def _lines(j: Judgement, prereg: Preregistration) -> Iterable[str]:
    if j.gap:
        yield line(j, prereg)
    if reason := why(j):
        yield reason
