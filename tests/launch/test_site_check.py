"""`scaling-study site check`: what a site is like, in words and as settings."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.commands import Command
from helpers.pretended_slurm import PretendedSlurm, slurm
from scaling_study.launch.slurm.site_check import main

__all__ = ["slurm"]

# Exit code, output and errors.
Check = Callable[..., tuple[int, str, str]]
SINFO = "\n".join(
    [
        "cpu*|1-00:00:00|(null)|64|256000|10",
        "a100|2-00:00:00|gpu:a100:4(S:0-1)|64|512000|20",
        "h100|12:00:00|gpu:h100:8|96|1024000|2",
    ]
)
SCONTROL = """\
AccountingStorageType   = accounting_storage/none
JobRequeue              = 0
MaxArraySize            = 501
JobSubmitPlugins        = lua
PartitionName=cpu AllowGroups=ALL ExclusiveUser=YES MaxNodes=4 OverSubscribe=NO
PartitionName=a100 AllowGroups=ALL ExclusiveUser=NO MaxNodes=4 OverSubscribe=NO
PartitionName=h100 AllowGroups=ALL ExclusiveUser=NO MaxNodes=4 OverSubscribe=EXCLUSIVE
"""


@pytest.fixture
def site(slurm: PretendedSlurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PretendedSlurm:
    slurm.add("sinfo", SINFO)
    slurm.add("scontrol", SCONTROL)
    slurm.add("sacctmgr", "vision||normal|200\nvision||low|50\nlow|50|4|12:00:00|1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return slurm


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["site", "check", *words])
        code = main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.mark.usefixtures("site")
def test_a_site_is_told_in_words_and_its_settings_work(
    check: Check, sweep_here: Command, tmp_path: Path
) -> None:
    code, said, errors = check("--name", "lab", "--write")
    assert code == 0, errors
    for text in (
        "partition cpu (default): 10 nodes of 64 CPUs, 256000 MB, no GPUs; jobs of at most 1-00",
        "partition h100: 2 nodes",
        "JobRequeue=0: the site restarts no job by itself",
        "no accounting: ",
        "arrays of at most 501 jobs",
        "account vision, qos low, at most 50 jobs in the queue",
        "qos low: at most 50 jobs in the queue, 4 at work, 12:00:00 each",
        "partition cpu: a node is shared with no other users: launcher.runs_per_job",
        "partition h100: a node is shared with no other jobs: launcher.runs_per_job",
        "job_submit plugins (lua) check each job",
        "launcher=lab uses it",
    ):
        assert text in said
    assert "partition a100: a node" not in said
    written = tmp_path / "config/scaling-study/launcher/lab.yaml"
    assert written.read_text(encoding="utf-8").splitlines() == [
        *("defaults:", "- slurm", "- _self_", "partition: a100", "account: vision"),
        *("max_submit: 50", "gpus_per_node: 4"),
    ]
    planned = sweep_here("+grid=smoke", "dry_run=true", "launcher=lab", "plan.show_jobs=true")
    assert "#SBATCH --partition=a100" in planned.stdout, planned.stderr
    code, _, errors = check("--name", "lab", "--write")
    assert code == 2
    assert "is there already; give another --name" in errors


def test_what_does_not_answer_is_said(site: PretendedSlurm, check: Check) -> None:
    program = site.folder / "sacctmgr"
    program.write_text("#!/bin/sh\necho 'You are not running a supported accounting' >&2; exit 1\n")
    code, said, errors = check()
    assert code == 0, errors
    assert "sacctmgr does not answer (sacctmgr: You are not running a supported" in said
    assert "settings for it, which --write puts into" in said


def test_without_slurm_one_sentence(
    check: Check, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, errors = check()
    assert code == 2
    assert errors == ("error: site check: no SLURM here (squeue and sbatch are not on PATH)\n")
    assert os.environ["PATH"] == str(tmp_path)
