"""The documentation: every block that can be run is, and the site has every page."""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
import yaml

from helpers import warm_python
from helpers.commands import environment, sparing
from helpers.notebooks import Output, cells, shown
from helpers.pages import DOCS, PAGES, ROOT, Block, marked_blocks, not_printed
from scaling_study.dispatch.catalogue import COMMANDS

RUN = {"sh", "bash", "console", "python"}
# Blocks that tests of their subject run or import, by page and language.
ELSEWHERE = {
    ("README.md", "sh"): "test_readme.py",
    ("docs/commands.md", "console"): "dispatch/test_commands_page.py",
    ("docs/data.md", "python"): "test_examples.py",
    ("docs/data.md", "sh"): "data/test_data_page.py",
    ("docs/families.md", "python"): "models/test_families_page.py",
    ("docs/families.md", "sh"): "models/test_families_page.py",
    ("docs/launching.md", "python"): "launch/test_contract.py",
    ("docs/rules.md", "python"): "analysis/rules/test_own_kind.py",
    ("docs/rules.md", "sh"): "sweep/test_tuned_study.py",
    ("docs/studies.md", "sh"): "analysis/studies_page/test_study_chapters.py",
    ("docs/summary.md", "console"): "analysis/meta_analysis/test_summary.py",
    ("docs/tasks.md", "python"): "test_examples.py",
    ("docs/tracking.md", "python"): "test_examples.py",
    ("examples/README.md", "sh"): "test_examples.py",
}
NOTEBOOKS = sorted(ROOT.glob("examples/**/*.ipynb"))
# Commands that train: images that others have rendered are taken from their cache.
TRAINING = ("scaling_study.sweep", "scaling_study.train", "scaling_study.measure")


def runs_here(block: Block) -> bool:
    return (
        block.kind in RUN
        and block.mark in ("", "run with")
        and (block.page, block.kind) not in ELSEWHERE
    )


HERE = {page: found for page in PAGES if (found := [*filter(runs_here, marked_blocks(page))])}


@pytest.mark.parametrize(("page", "kind"), ELSEWHERE)
def test_what_is_run_elsewhere_is(page: str, kind: str) -> None:
    assert any(block.kind == kind for block in marked_blocks(page))
    text = (ROOT / "tests" / ELSEWHERE[page, kind]).read_text(encoding="utf-8")
    assert Path(page).name in text


def test_what_is_not_run_says_why_and_nothing_hides() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        found = marked_blocks(page)
        # An indented fence, or a comment that is not before a block, would be passed over.
        assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(found), page
        marks = re.findall(r"^<!-- (?:not run|run with|file): ", text, re.MULTILINE)
        assert len(marks) == sum(bool(block.mark) for block in found), page
        assert all(len(b.words.split()) >= 3 for b in found if b.mark == "not run"), page


@pytest.mark.slow
@pytest.mark.parametrize("page", HERE)
def test_a_page_is_run_from_its_first_block_to_its_last(
    page: str, tmp_path: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("studies", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    for block in marked_blocks(page):
        if block.mark == "file":
            path = tmp_path / block.words
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.kind == "python" and runs_here(block):
            run_python(block, names)
        elif runs_here(block):
            run_commands(block, cache_dir)


def run_python(block: Block, names: dict[str, Any]) -> None:
    """In this process; names stay from block to block of a page, figures are not drawn on."""
    with contextlib.redirect_stdout(io.StringIO()), mpl.rc_context():
        exec(compile(block.text, f"{block.page}:{block.line}", "exec"), names)


def run_commands(block: Block, cache_dir: Path) -> None:
    for text, lines in block.commands():
        words = shlex.split(f"{text} {block.words}", comments=True)
        if words[0] == "cd":
            os.chdir(words[1])
            continue
        done = run(words, cache_dir)
        where = f"{block.page}:{block.line}: {text}"
        assert done.returncode == 0, (where, done.stdout, done.stderr)
        assert not_printed(lines, done.stdout) == [], (where, done.stdout)


def run(words: list[str], cache_dir: Path) -> "subprocess.CompletedProcess[str]":
    """One command in the working folder; one of ours measures no times and draws no figures."""
    if words[0] == "scaling-study":
        command = COMMANDS[words[1]]
        module = command.entry.partition(":")[0].removesuffix(".__main__")
        start = ["scaling_study", words[1]]
    elif words[:2] == ["python", "-m"]:
        module, start = words[2], [words[2]]
    else:
        assert words[0] == "python", words
        return subprocess.run(
            [sys.executable, *words[1:]], capture_output=True, text=True, check=False
        )
    given = tuple(words[2 if start[0] == "scaling_study" else 3 :])
    if module in TRAINING:
        given = (*given, f"cache_dir={cache_dir}")
    return warm_python.run(
        *start, *sparing(module, given), cwd=Path.cwd(), env=environment(), timeout_s=600
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_shows_what_its_cells_give(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    kept = [cell["outputs"] for cell in cells(path) if cell["cell_type"] == "code"]
    assert any("image/png" in output.get("data", {}) for outputs in kept for output in outputs)
    with mpl.rc_context():
        assert [*map(texts, shown(path))] == [*map(texts, kept)]


def texts(outputs: list[Output]) -> list[str]:
    return [output.get("text") or output["data"]["text/plain"] for output in outputs]


def pages_in(nav: object) -> list[str]:
    """The pages of a nav, in its order."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    assert isinstance(parts, list | type({}.values()))
    return [page for part in parts for page in pages_in(part)]


def test_the_site_lists_every_page_once() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    listed = pages_in(settings["nav"])
    assert sorted(listed) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
