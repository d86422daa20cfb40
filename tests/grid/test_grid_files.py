"""Grid files of one's own: where they lie, and what is said of those that are no grid."""

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from helpers.commands import Command

HEAD = "# @package _global_\ngrid:\n  name: mine\n"


@pytest.fixture
def plan_of(tmp_path: Path, sweep_here: Command) -> Command:
    """A dry run of a grid file with this text, in a folder that the command names."""

    def call(text: str, *arguments: str) -> CompletedProcess[str]:
        folder = tmp_path / "own" / "grid"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "mine.yaml").write_text(text, encoding="utf-8")
        path = f"hydra.searchpath=[file://{folder.parent}]"
        return sweep_here(path, "+grid=mine", "dry_run=true", *arguments)

    return call


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "  axes: {depth: [14}\n", "mine.yaml, line 4, column 20: not YAML: expected ','"),
        (HEAD + "\taxes: {depth: [14]}\n", "line 4, column 1: not YAML: found character '\\t'"),
        (HEAD + "  axes: {}\n  axes: {}\n", "not YAML: found duplicate key axes"),
        (HEAD + "  axes:\n  depth: [14]\n", "grid.depth: no such part of a grid (did you mean "),
        ("grid:\n  name: mine\n", "begins with the line '# @package _global_'"),
        ("", "+grid=mine: it says nothing of a grid; a grid's file begins with"),
        (HEAD[:20] + "grid: [14, 26]\n", "grid=[14, 26]: must be a mapping with name, axes"),
        (HEAD[:20] + "grid: {axes: {}}\n", "grid.name is missing: it names the study's folder"),
        (HEAD + "  axes: {depth: ['${model.no}']}\n", "grid.axes.depth[0]: Interpolation key"),
        (HEAD + "  axes: {seed: 'range(1,5,0)'}\n", "grid.axes.seed='range(1,5,0)': not a sweep"),
        (HEAD + "  axes: {seed: range(1000000000000)}\n", "give fewer values"),
        (HEAD + "  axes: {seed: range(9999), train.momentum: range(9999)}\n", "99,980,001 points"),
        (HEAD + "  axes: {train: [{}]}\n", "as in '++grid.axes={train.recipe: […]}'"),
        (HEAD + "  axes: {data.name: [digits]}\n", "takes a grid of its own"),
        (HEAD + "  variants: [a, b]\n", "must map cumulative or independent to named overrides"),
        (HEAD + "  solve: {width: {flops: [4G]}}\n", "grid.solve.width.flops='4G': must be a num"),
    ],
)
def test_a_file_that_is_no_grid_is_one_message(
    plan_of: Command, tmp_path: Path, text: str, said: str
) -> None:
    done = plan_of(text)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"own"}


def test_a_grid_of_ones_own_beside_another(plan_of: Command, tmp_path: Path) -> None:
    other = tmp_path / "own" / "grid" / "other.yaml"
    other.parent.mkdir(parents=True)
    other.write_text(HEAD.replace("mine", "other") + "  axes: {seed: [1, 2]}\n", encoding="utf-8")
    done = plan_of(HEAD + "  axes: {seed: [0, 1]}\n", "diff=other")
    assert done.returncode == 0, done.stderr
    assert "only in other: 1" in done.stdout
    assert "in both: 1" in done.stdout
