"""What shells, editors and sites hand over: long folders, homes, files in other encodings."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import Command, environment, run_dirs
from scaling_study.common.device import visible_gpus

SMALL = (
    *("+grid=smoke", "grid.axes.depth=[14]", "grid.axes.seed=[0]", "train.warmup_epochs=0"),
    *("train.epochs=1", "data.train_per_class=8", "data.val_per_class=4", "train.batch_size=8"),
)
HEAD = "# @package _global_\n"


@pytest.mark.slow
def test_a_long_folder_for_temporary_files(tmp_path: Path, cache_dir: Path) -> None:
    """A Unix socket's address has 107 bytes."""
    long = tmp_path / ("x" * 90)
    long.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "scaling_study.sweep", *SMALL, f"cache_dir={cache_dir}"],
        cwd=tmp_path,
        env=environment() | {"TMPDIR": str(long)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(run_dirs(tmp_path)) == 1


def test_a_tilde_is_the_home_folder(
    sweep_here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    plan = 'plan.out="~/plan.csv"'
    done = sweep_here(*SMALL, 'results_dir="~/x"', plan, "dry_run=true")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "home/plan.csv").is_file()
    assert not (tmp_path / "~").exists()
    refused = sweep_here(*SMALL, 'results_dir="~nobody-of-that-name/x"', "dry_run=true")
    assert refused.returncode == 2
    assert "no such user has a home here" in refused.stderr


@pytest.mark.parametrize(
    ("visible", "gpus"),
    [
        ("NoDevFiles", []),
        ("void", []),
        ("none", []),
        ("", []),
        ("-1", []),
        ("0,1", ["0", "1"]),
        ("1,-1,0", ["1"]),
        ("GPU-8932f937,MIG-GPU-1/0/0", ["GPU-8932f937", "MIG-GPU-1/0/0"]),
    ],
)
def test_what_is_no_gpu_is_not_visible(
    monkeypatch: pytest.MonkeyPatch, visible: str, gpus: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert visible_gpus() == gpus


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("\ufeff" + HEAD + "grid: {name: mine, axes: {seed: [0]}}", "no byte order mark before it"),
        (
            HEAD.encode() + b"# caf\xe9\ngrid: {name: mine, axes: {seed: [0]}}",
            "mine.yaml: no UTF-8",
        ),
        (
            HEAD + 'grid: {name: mine, axes: {seed: [0]}, title: "a\0b"}',
            "not YAML: the character #x00",
        ),
        (HEAD + "grid: {name: mine, axes: {seed: [0], null: [1]}}", "a key in a file is null"),
        (HEAD + "grid: {null: 1, name: mine, axes: {seed: [0]}}", "a key in a file is null"),
        (HEAD + "grid: {name: mine, axes: {seed: [0], epochs: [1e300]}}", "must be a whole number"),
        (HEAD + f"grid: {{name: {'m' * 300}, axes: {{seed: [0]}}}}", "200 at most"),
    ],
    ids=["bom", "latin-1", "nul", "null axis", "null key", "1e300", "long name"],
)
def test_a_grids_file_in_another_form(
    sweep_here: Command, tmp_path: Path, content: str | bytes, said: str
) -> None:
    folder = tmp_path / "my/grid"
    folder.mkdir(parents=True)
    raw = content if isinstance(content, bytes) else content.encode()
    (folder / "mine.yaml").write_bytes(raw)
    done = sweep_here(f"hydra.searchpath=[file://{tmp_path}/my]", "+grid=mine", "dry_run=true")
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hydra.searchpath=[file:///typo]", "+grid=smoke"], "path=/typo is not available"),
        (["+grid=smoke", "+data=digits"], "without the plus it is replaced, as in data=NAME"),
        (["+grid=smoke", "launcher.slots=1000000000000"], "must be 100000 or less"),
        (["+grid=smoke", f"results_dir={'x' * 5000}"], "no name of a folder (File name too long)"),
    ],
)
def test_arguments_that_no_machine_can_take(
    sweep_here: Command, arguments: list[str], said: str
) -> None:
    done = sweep_here(*arguments, "dry_run=true")
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", ["--config-dir", "hydra.searchpath"])
def test_a_difference_knows_the_folders_of_the_command_line(
    command: Command, tmp_path: Path, how: str
) -> None:
    folder = tmp_path / "my/grid"
    folder.mkdir(parents=True)
    for name, seeds in (("mine", "[0, 1]"), ("mine2", "[0]")):
        text = f"{HEAD}grid: {{name: {name}, axes: {{seed: {seeds}}}}}\n"
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    told = ["--config-dir", "my"] if how[0] == "-" else [f"{how}=[file://{os.fspath(tmp_path)}/my]"]
    done = command("scaling_study.sweep", *told, "+grid=mine", "diff=mine2")
    assert done.returncode == 0, done.stderr
    assert "mine2" in done.stdout
