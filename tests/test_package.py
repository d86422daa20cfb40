"""The wheel has everything, and what the documents say is so."""

import re
import subprocess
import sys
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from helpers.commands import Command, environment
from scaling_study.study.result import COLUMNS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md"))]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(out), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (path,) = out.glob("*.whl")
    return path


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


def test_the_description_is_the_readme_with_links_into_the_repository() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    path = ROOT / "docs/site/description.py"
    spec = spec_from_file_location("description", path)
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    shown = module.absolute(text, "https://example.org/us/it", "1.2.3")
    links = re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)\)", shown)
    assert all("://" in target or target.startswith("#") for _, target in links)
    assert ("!", "https://example.org/us/it/raw/v1.2.3/docs/report.png") in links
    assert "(https://example.org/us/it/blob/v1.2.3/docs/rules.md)" in shown
    assert shown.replace("https://example.org/us/it/blob/v1.2.3/", "").count("](") == text.count(
        "]("
    )
    left = re.findall(r"\]\(([^)\s]+)\)", module.unlinked(text))
    assert all("://" in target or target.startswith("#") for target in left)
    assert module.unlinked("![all](a.png)\nSee [rules](docs/a.md) and [us](https://b.org).") == (
        "\nSee rules and [us](https://b.org)."
    )


@pytest.mark.slow
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


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as pip installs it into a folder, with its console script."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target)]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True)
    return target


@pytest.fixture
def call(installed: Path, tmp_path: Path) -> Command:
    """Run a command in a folder whose owner has a package `analysis` of his own."""
    (tmp_path / "analysis").mkdir()
    (tmp_path / "analysis" / "__init__.py").write_text("print('not this one')\n")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=environment() | {"PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


STARTS = {
    "script": lambda installed: (str(installed / "bin" / "scaling-study"),),
    "module": lambda _: ("-m", "scaling_study"),
}


@pytest.mark.slow
@pytest.mark.parametrize("start", STARTS)
def test_a_wheel_plans_beside_a_package_named_analysis(
    start: str, call: Command, installed: Path
) -> None:
    planned = call(*STARTS[start](installed), "plan", "+grid=depth_vs_width")
    assert (planned.returncode, planned.stderr) == (0, "")
    # The analysis said what can be decided.
    assert "At 16 epochs depth or width" in planned.stdout


@pytest.mark.slow
def test_commands_of_a_wheel_work_beside_a_package_named_analysis(
    call: Command, installed: Path, tmp_path: Path
) -> None:
    script = str(installed / "bin" / "scaling-study")
    small = ("grid.axes.depth=[14]", "data.train_per_class=16", "launcher.slots=1")
    run = call(script, "run", "+grid=smoke", *small, "report.every=1h")
    assert run.returncode == 0, run.stdout + run.stderr
    # The report was made by a process of its own, in that folder.
    assert (tmp_path / "figures/smoke/report.html").is_file()
    for command in (
        ("report", "results/smoke", "-o", "out", "--formats", "none"),
        ("compare", "smoke", "smoke"),
        ("status", "results/smoke"),
        ("studies",),
        ("prune",),
        ("pack", "smoke"),
        ("unpack", "smoke.zip", "--results", "there"),
    ):
        done = call(script, *command)
        assert (done.returncode, done.stderr) == (0, ""), command
        assert "not this one" not in done.stdout
    assert (tmp_path / "out/verdicts.json").is_file()
    assert (tmp_path / "there/smoke/plan.csv").is_file()


@pytest.mark.slow
def test_a_sweep_of_a_wheel_works_beside_a_package_named_analysis(call: Command) -> None:
    done = call("-m", "scaling_study.sweep", "+grid=depth_vs_width", "dry_run=true")
    assert (done.returncode, done.stderr) == (0, "")
    assert "epochs depth or width" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("start", ["scaling_study.__main__", "scaling_study.sweep.__main__"])
def test_an_analysis_that_was_imported_before_is_named(
    start: str, call: Command, tmp_path: Path
) -> None:
    function = "main" if start == "scaling_study.__main__" else "command"
    words = ("plan", "+grid=smoke") if function == "main" else ("+grid=smoke", "dry_run=true")
    code = f"import analysis, sys; from {start} import {function} as f; sys.exit(f())"
    done = call("-c", code, *words)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: analysis: {tmp_path}/analysis/__init__.py hides ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_pictures_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_merge_is_left_half_done(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert not re.search(r"^(<{7}|={7}|>{7})( |$)", text, re.M)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths_and_targets_named_in_documents_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([a-z-]+)", text):
        assert re.search(rf"^(?:[a-z-]+ )*{target}(?: [a-z-]+)*:", makefile, re.M), target
    for module in re.findall(r"python -m ((?:scaling_study|analysis)(?:\.\w+)*)", text):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module


def test_the_page_of_commands_lists_every_result_column_with_its_meaning() -> None:
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    for name, meaning in COLUMNS.items():
        assert f"| `{name}` | {meaning} |" in text, name
