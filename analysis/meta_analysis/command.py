"""What `python -m analysis.summary` does: read, pool, write, and the lines to print."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from analysis.figures.drawing.pooled_forest import forest
from analysis.figures.drawing.style import style
from analysis.figures.files import formats_of, prepare, save, save_numbers, write_json
from analysis.meta_analysis.entries import read
from analysis.meta_analysis.pool import pool
from analysis.meta_analysis.records import content, records
from analysis.meta_analysis.words import lines
from analysis.rules.rule import one_of
from analysis.study.columns import ALL_COST_NAMES
from scaling_study.common.errors import InputError

NAME, TITLE = "summary", "Effects by study, their mean, and the interval for a new data set"


def summary(
    studies: Sequence[str],
    results_dir: Path,
    output: Path | None,
    rules: Sequence[str] = (),
    cost: str | None = None,
    data_sets: Sequence[str] = (),
    formats: str | None = None,
) -> list[str]:
    """Summarise studies; the lines to print. With `output`, summary.json, .csv and the figure.

    Raises:
        InputError: studies that cannot be summarised, or rules that ask them different questions.
    """
    kinds, named = formats_of(formats), _named(data_sets)
    if cost is not None:
        one_of(cost, ALL_COST_NAMES, "--cost")
    if output is not None:
        prepare(output)
    entries = read(studies, results_dir, cost, named)
    pooled, rest = pool(entries, rules)
    said = [*lines(entries, pooled, rest)]
    if output is None:
        return said
    write_json(output / f"{NAME}.json", content(entries, pooled, rest))
    rows = records(pooled)
    if kinds:
        with style():
            save(forest(rows), rows, output, NAME, TITLE, kinds)
    else:
        save_numbers(rows, output, NAME)
    return [*said, f"figure and numbers: {output / NAME}.{{{','.join((*kinds, 'csv', 'json'))}}}"]


def _named(texts: Sequence[str]) -> Mapping[str, str]:
    """Data sets by study, as `--data-set STUDY=NAME` gives them."""
    found = {}
    for text in texts:
        study, equals, name = text.rpartition("=")
        if not (equals and study and name):
            raise InputError(f"--data-set {text!r}: give STUDY=NAME, as in --data-set cats=pets")
        found[study] = name
    return found
