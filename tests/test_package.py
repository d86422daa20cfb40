"""The wheel has everything, and what the documents say is so."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from helpers.commands import environment
from scaling_study.study.result import COLUMNS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/*.md"))]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(out), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    return path


@pytest.mark.xdist_group("wheel")
def test_the_wheel_ships_every_yaml_and_table(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("conf", "sweeps"):
        yamls = [path.relative_to(ROOT) for path in (ROOT / folder).rglob("*.yaml")]
        assert yamls
        assert {f"scaling_study/{path}" for path in yamls} <= names
    tables = {f"analysis/paper/{path.name}" for path in (ROOT / "analysis/paper").glob("*.csv")}
    assert tables
    assert tables | {"analysis/rules/prereg.yaml"} <= names
    assert not [name for name in names if name.startswith("tests/")]


@pytest.mark.xdist_group("wheel")
def test_the_wheel_plans_from_another_directory(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    where = tmp_path / "elsewhere"
    where.mkdir()
    command = [sys.executable, "-m", "scaling_study.sweep", "+grid=depth_vs_width", "dry_run=true"]
    done = subprocess.run(
        command,
        cwd=where,
        env=environment() | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "runs: " in done.stdout
    probe = [sys.executable, "-c", "import scaling_study; print(scaling_study.__file__)"]
    used = subprocess.run(
        probe, cwd=where, env={"PYTHONPATH": str(site)}, capture_output=True, text=True, check=True
    )
    assert used.stdout.startswith(str(site))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths_and_targets_named_in_documents_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)", text):
        assert re.search(rf"^(?:[a-z-]+ )*{target}(?: [a-z-]+)*:", makefile, re.M), target
    for module in re.findall(r"python -m ((?:scaling_study|analysis)(?:\.\w+)*)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_the_readme_lists_every_result_column_with_its_meaning() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, meaning in COLUMNS.items():
        assert f"| `{name}` | {meaning} |" in text, name
