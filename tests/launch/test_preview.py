"""`plan.show_jobs=true`: the batch scripts that would be submitted."""

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import Command

ASK = ("+grid=smoke", "dry_run=true", "launcher=slurm", "plan.show_jobs=true")


def test_scripts_and_arrays_are_printed_and_nothing_is_submitted(
    sweep_here: Command, tmp_path: Path
) -> None:
    ask = (*ASK, "launcher.partition=gpu", "launcher.max_array=3", f"results_dir={tmp_path}/r")
    more = ("launcher.setup=['module load cuda']", "launcher.python='apptainer exec I.sif python'")
    container = ("launcher.srun=['--container-image=I']",)
    done = sweep_here(*ask, *more, *container)
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert "# array of 3 jobs, 3 runs: " in said
    assert "# array of 1 jobs, 1 runs: " in said
    for line in ("#SBATCH --partition=gpu", "#SBATCH --array=0-2%3", "module load cuda"):
        assert line in said.splitlines()
    (first, *_) = [line for line in said.splitlines() if line.startswith("srun ")]
    assert "--container-image=I apptainer exec I.sif python -u -m scaling_study.launch" in first
    assert not (tmp_path / "r").exists()


def test_a_launcher_without_a_queue_says_so(sweep_here: Command) -> None:
    done = sweep_here("+grid=smoke", "dry_run=true", "plan.show_jobs=true")
    assert "plan.show_jobs: launcher.name=local submits no jobs" in done.stdout


def test_options_of_srun_are_options(sweep_here: Command) -> None:
    done = sweep_here(*ASK, "launcher.srun=[container]")
    assert done.returncode == 2
    assert "launcher.srun=container: must be options of srun's: --" in done.stderr


@pytest.mark.slow
def test_settings_of_a_site_lie_outside_the_project(
    sweep_here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launchers = tmp_path / "site" / "launcher"
    launchers.mkdir(parents=True)
    text = "defaults: [slurm, _self_]\npartition: of_the_site\n"
    (launchers / "here.yaml").write_text(text, encoding="utf-8")
    own = tmp_path / "config" / "scaling-study" / "launcher"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text(text.replace("of_the_site", "of_mine"), encoding="utf-8")
    monkeypatch.setenv("SCALING_STUDY_CONFIG", str(tmp_path / "site"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name, partition in (("here", "of_the_site"), ("mine", "of_mine")):
        done = sweep_here(*ASK[:2], f"launcher={name}", ASK[3])
        assert f"#SBATCH --partition={partition}" in done.stdout, done.stderr
    words = [sys.executable, "-m", "scaling_study.sweep", "+grid=smoke", "--info", "searchpath"]
    shown = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert f"file://{tmp_path}/site " in shown.stdout
    assert f"file://{tmp_path}/config/scaling-study " in shown.stdout
    monkeypatch.setenv("SCALING_STUDY_CONFIG", str(tmp_path / "none"))
    absent = sweep_here(*ASK)
    assert absent.returncode == 2
    assert "none: no such folder; give folders that exist" in absent.stderr
