"""docs/studies.md says what the tables in studies/ give."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from analysis.descriptions.findings import Request
from analysis.meta_analysis.command import summary
from analysis.report.analyse import findings
from analysis.report.command import table_and_rules
from analysis.rules import plain_words
from analysis.studies_page.chapter import Chapter
from helpers.commands import Command

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "studies.md"
STUDIES = sorted(path.parent for path in ROOT.glob("studies/*/plan.csv"))
# What else quotes a study's closing lines.
QUOTED = {
    "depth_vs_width": ("README.md", "sweeps/grid/README.md"),
    "depth_vs_width_fashion": ("sweeps/grid/README.md",),
    "slow_resolution": ("sweeps/grid/README.md",),
    "slow_resolution_fashion": ("sweeps/grid/README.md",),
    "slow_resolution_icons": ("sweeps/grid/README.md",),
    "weight_decay": ("sweeps/grid/README.md",),
    "one_trunk": ("sweeps/grid/README.md",),
    "why_depth_wins": ("sweeps/grid/README.md",),
    "pitfalls": ("sweeps/grid/README.md",),
    "family_comparison": ("sweeps/grid/README.md",),
    "transfer": ("sweeps/grid/README.md",),
    "transfer_fashion": ("sweeps/grid/README.md",),
    "semi_supervised_fashion": ("sweeps/grid/README.md",),
    "transfer_fractals": ("sweeps/grid/README.md",),
    "semi_supervised": ("sweeps/grid/README.md",),
    "depth_vs_width_icons": ("sweeps/grid/README.md",),
    "additive_study": ("sweeps/grid/README.md",),
}
# On two AVX2 cores about half an hour; of one study more.
MOST_FLOPS, LONGER = 4e13, {"why_depth_wins": 2e14}


def named_in_makefile() -> list[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    (names,) = re.findall(r"^STUDIES \?= (.*)$", text, re.MULTILINE)
    return str(names).split()


def test_there_are_studies_and_each_is_one_that_make_trains() -> None:
    assert STUDIES
    assert {study.name for study in STUDIES} <= {*named_in_makefile()}


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_the_description_is_that_of_the_table(study: Path) -> None:
    described = json.loads((study / "croissant.json").read_text(encoding="utf-8"))
    (table,) = described["distribution"]
    content = (study / table["contentUrl"]).read_bytes()
    assert table["sha256"] == hashlib.sha256(content).hexdigest()
    assert described["license"].endswith("/Apache-2.0")
    assert len(content) < 300_000


@pytest.mark.slow
@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_the_page_says_what_the_table_gives(study: Path) -> None:
    table, rules = table_and_rules(study)
    found = findings(table, rules, Request(study_dir=study, formats=()))
    chapter = Chapter(study.name, found, None)
    page = PAGE.read_text(encoding="utf-8")
    again = f"`make sweep GRID={study.name}`"
    (said,) = (part for part in re.split(r"^## ", page, flags=re.MULTILINE) if again in part)
    assert said.startswith(f"{chapter.title}\n")
    told = [line for line in said.splitlines() if line.startswith("- ")]
    assert told == [*chapter.verdicts()]
    verdicts = [*plain_words.found(found.judgements, found.prereg, found.table.grid)]
    width = max(len(word) for word, _ in verdicts)
    for other in QUOTED.get(study.name, ()):
        lines = (ROOT / other).read_text(encoding="utf-8").splitlines()
        assert {f"{word:<{width}}  {text}" for word, text in verdicts} <= {*lines}, other
    for text in (chapter.design(), chapter.limits(), chapter.cost()):
        assert text in said
    (picture,) = re.findall(r"!\[.*\]\((.*)\)", said)
    assert (PAGE.parent / picture).is_file()
    assert not found.prereg.exploratory


@pytest.mark.slow
@pytest.mark.parametrize("name", named_in_makefile())
def test_no_study_takes_longer_than_half_an_hour(name: str, sweep_here: Command) -> None:
    done = sweep_here(f"+grid={name}", "dry_run=true")
    assert done.returncode == 0, done.stderr
    (flops,) = re.findall(r"; ([\d.e+]+) training FLOPs", done.stdout)
    assert float(flops) <= LONGER.get(name, MOST_FLOPS)


def test_the_page_begins_with_why_depth_wins() -> None:
    first = PAGE.read_text(encoding="utf-8").split("\n## ")[1]
    assert "`make sweep GRID=why_depth_wins`" in first


def test_the_readme_says_what_was_found_as_the_page_does() -> None:
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    numbers = {17: "Seventeen", 18: "Eighteen", 19: "Nineteen", 20: "Twenty"}
    assert f"{numbers[len(STUDIES)]} [studies](docs/studies.md) were trained" in readme
    number = r"([-\d.]+ % ± [\d.]+ % of the error)"
    said = re.search(rf"depth gains {number} on width with more steps \*though", readme)
    assert said is not None
    line = f"depth gains {said[1]} on width at equal FLOPs, new images"
    assert f"- **supported**: From the shortest to the longest training {line}" in PAGE.read_text(
        encoding="utf-8"
    )


@pytest.mark.slow
def test_what_data_sets_say_together_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (words,) = re.findall(r"^python -m analysis\.summary (.*) -o .*$", page, re.MULTILINE)
    studies = [str(ROOT / word) if "/" in word else word for word in words.split()]
    assert len(studies) >= 4
    told = "\n".join(summary(studies, Path("results"), None))
    assert f"```\n{told}\n```" in page
    (picture,) = re.findall(r"!\[.*\]\((.*summary\.png)\)", page)
    assert (PAGE.parent / picture).is_file()
