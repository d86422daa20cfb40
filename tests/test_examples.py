"""The folders of examples/ run from where they lie, and are what the pages show."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from helpers import warm_python
from helpers.commands import environment
from helpers.pages import BLOCK, DOCS, blocks
from scaling_study.study.result import read_result

EXAMPLES = DOCS.parent / "examples"
SECTION = re.compile(r"^## (\w+)\n.*?^```sh\n(.*?)\n```", re.MULTILINE | re.DOTALL)
PAGES = {
    "families.md": ("own_module", "own_layers"),
    "data.md": ("own_data", "torch_dataset"),
    "rules.md": ("own_rule",),
    "tracking.md": ("own_tracker",),
}
TITLE = re.compile(r"# (my_\w+/\S+)\n")
COMMANDS = dict(SECTION.findall((EXAMPLES / "README.md").read_text(encoding="utf-8")))


def test_every_example_of_the_list_is_there() -> None:
    assert all((EXAMPLES / name).is_dir() for name in COMMANDS)


@pytest.mark.parametrize("page", PAGES)
def test_pages_show_the_files(page: str) -> None:
    shown = {title[1]: text for _, text in blocks(page) if (title := TITLE.match(text))}
    found = {
        str(path.relative_to(EXAMPLES / name)): path.read_text(encoding="utf-8")
        for name in PAGES[page]
        for path in (EXAMPLES / name).rglob("*.*")
        if "grid" not in path.parts and "__pycache__" not in path.parts
    }
    assert shown == found


def test_the_page_of_tasks_shows_the_file() -> None:
    text = (EXAMPLES / "own_task" / "my_tasks" / "ordinal.py").read_text(encoding="utf-8")
    assert text in [text for _, text in BLOCK.findall((DOCS / "tasks.md").read_text("utf-8"))]


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_runs_from_its_folder(name: str, tmp_path: Path, cache_dir: Path) -> None:
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
    python, option, *words = shlex.split(COMMANDS[name])
    assert (python, option) == ("python", "-m")
    more = (f"cache_dir={cache_dir}", "measure.at_end=false")
    done = warm_python.run(*words, *more, cwd=folder, env=environment())
    assert done.returncode == 0, done.stdout + done.stderr
    results = [read_result(path) for path in folder.glob("results/runs/*/result.json")]
    assert {result.status for result in results} == {"ok"}
