"""The one command: what it lists, what it answers to mistakes, and that it only passes on."""

import ast
import importlib.util
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import Command, environment
from scaling_study.__main__ import main
from scaling_study.config.hydra_app import composed
from scaling_study.dispatch import catalogue
from scaling_study.dispatch import help as texts
from scaling_study.dispatch.catalogue import COMMANDS
from scaling_study.grid.shipped import names, question

ROOT = Path(__file__).resolve().parents[2]
ASKED_FOR = {
    *("plan", "run", "train", "status", "cancel", "report", "power", "recommend", "measure"),
    *("export", "sync", "import", "dashboard", "published", "studies", "compare", "prune"),
    *("pack", "unpack"),
}
OF_SETTINGS = [name for name, command in COMMANDS.items() if command.about]


def test_every_command_that_was_asked_for_is_there() -> None:
    assert {*COMMANDS} >= ASKED_FOR


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_a_function_that_exists(name: str) -> None:
    module, _, function = COMMANDS[name].entry.partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    top = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
    assert function in {node.name for node in top if isinstance(node, ast.FunctionDef)}


def test_help_lists_every_command_and_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    without = capsys.readouterr().out
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert said == without
    for command in COMMANDS.values():
        assert f"  {command.name} " in said
        assert command.summary in said
    assert max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize("name", OF_SETTINGS)
def test_help_of_a_command_with_settings_is_ours(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert COMMANDS[name].about in said
    assert f"scaling-study {COMMANDS[name].examples[0]}" in said
    lines = {line for line in said.splitlines() if line.startswith("  ") and line.split()}
    if COMMANDS[name].needs_grid:
        assert {*names()} <= {line.split()[0] for line in lines}


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in OF_SETTINGS])
def test_help_of_the_others_is_their_parsers_with_examples(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["tests"])
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith(f"usage: scaling-study {name} ")
    assert f"examples:\n  scaling-study {COMMANDS[name].examples[0]}" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        (name, shlex.split(text.partition("    (")[0])[1:])
        for name in OF_SETTINGS
        for text in COMMANDS[name].examples
    ],
)
def test_examples_with_settings_compose(name: str, words: list[str]) -> None:
    config = {"train": "train", "measure": "measure"}.get(name, "sweep")
    composed(config, [*words, *COMMANDS[name].words])


def test_a_grid_is_listed_with_its_question() -> None:
    assert question("smoke") == "Does everything work on this machine?"
    assert question("slow_resolution").startswith("At equal training FLOPs, is it better to spend")
    for name in names():
        assert question(name).endswith("?"), name
    assert max(map(len, texts.of_settings(COMMANDS["plan"]).splitlines())) <= 85


@pytest.mark.parametrize(
    ("typed", "meant"), [("staus", "status"), ("plann", "plan"), ("prunes", "prune")]
)
def test_an_unknown_command_is_answered_with_the_nearest(
    typed: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([typed]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: {typed}: no such command (did you mean {meant}?)")
    assert len(said.splitlines()) == 1


@pytest.mark.slow
def test_a_plan_is_the_sweeps_dry_run(command: Command, tmp_path: Path) -> None:
    asked = ("+grid=smoke", "results_dir=elsewhere")
    planned = command("scaling_study", "plan", *asked)
    dry = command("scaling_study.sweep", *asked, "dry_run=true")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert planned.stdout == dry.stdout
    assert "4 runs: 4 planned" in planned.stdout
    assert not (tmp_path / "elsewhere").exists()
    # What a user types last does not turn a plan into a sweep.
    assert command("scaling_study", "plan", *asked, "dry_run=false").stdout == dry.stdout
    assert not (tmp_path / "elsewhere").exists()


def test_options_of_hydra_may_stand_on_either_side(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[list[str]]()
    monkeypatch.setattr(catalogue.Command, "__call__", lambda self: seen.append(sys.argv[1:]))
    monkeypatch.setattr(sys, "argv", ["tests"])
    option = ["--config-dir", "conf"]
    for words in (["+grid=a", "b=1", *option], [*option, "+grid=a", "b=1"]):
        assert main(["plan", *words]) == 0
    (before, after) = seen
    assert before == ["+grid=a", "b=1", "dry_run=true", *option]
    assert after == [*option, "+grid=a", "b=1", "dry_run=true"]


def test_exit_codes_and_messages_are_those_of_the_command(command: Command) -> None:
    ended = command("scaling_study", "plan", "+grid=smok")
    assert ended.returncode == 2
    assert "did you mean smoke" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_script_finds_modules_of_the_user_in_the_working_folder(tmp_path: Path) -> None:
    # The path of a console script begins with its own folder, not with the working folder.
    shutil.copytree(ROOT / "tests/compat/user", tmp_path / "mine")
    script = tmp_path / "bin" / "scaling-study"
    script.parent.mkdir()
    script.write_text("import sys\nfrom scaling_study.__main__ import main\nsys.exit(main())\n")
    words = ("--config-dir", "conf", "+grid=smoke", "model=mobilenet", "data.resolution=32")
    sizes = ("grid.axes.depth=[18]", "grid.points=[{width: 0.25}]")
    done = subprocess.run(
        [sys.executable, str(script), "plan", *words, *sizes],
        cwd=tmp_path / "mine",
        env=environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "2 runs: 2 planned" in done.stdout
