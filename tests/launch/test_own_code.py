"""A job runs what was submitted, from folders that nobody else may write to, or nothing."""

import os
import pickle
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.pretended_slurm import PretendedSlurm, slurm
from helpers.slurm_site import CLUSTER
from helpers.tiny import plain_execution, tiny
from scaling_study.common.errors import InputError
from scaling_study.common.verify import digest_of, files_in, why_not_own, why_shared
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.code_snapshot import Snapshot, freeze
from scaling_study.launch.job import Job, Request
from scaling_study.launch.slurm import own_folders
from scaling_study.launch.slurm.own_folders import (
    jobs_folder,
    own_jobs_folder,
    snapshots_folder,
)
from scaling_study.launch.slurm.sbatch import Submitter

__all__ = ["slurm"]  # a fixture
Damage = Callable[[Path], None]


class Hacked:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch hacked",)


def other_pickle(store: Path) -> None:
    (path,) = store.glob("study/jobs/*_submitted.pkl")
    path.write_bytes(pickle.dumps(Hacked()))


def link_to_a_pickle(store: Path) -> None:
    (path,) = store.glob("study/jobs/*_submitted.pkl")
    path.rename(path.with_suffix(".other"))
    path.symlink_to(path.with_suffix(".other"))


def other_code(store: Path) -> None:
    (path,) = store.glob("snapshots/*/scaling_study/__init__.py")
    path.write_text("open('hacked', 'w').close()", encoding="utf-8")


def more_code(store: Path) -> None:
    (folder,) = store.glob("snapshots/*")
    (folder / "submitit.py").write_text("open('hacked', 'w').close()", encoding="utf-8")


def shared_jobs(store: Path) -> None:
    (store / "study/jobs").chmod(0o775)


def shared_store(store: Path) -> None:
    store.chmod(0o777)


HOSTILE: tuple[tuple[Damage, str], ...] = (
    (other_pickle, "4711_submitted.pkl is not what was submitted"),
    (link_to_a_pickle, "4711_submitted.pkl is not what was submitted"),
    (other_code, "does not hold what was submitted"),
    (more_code, "does not hold what was submitted"),
    (shared_jobs, "others may write to"),
    (shared_store, "others may write to"),
)


def small_snapshot(store: Path, made: Snapshot) -> Snapshot:
    """A copy of frozen code in this store."""
    copy = snapshots_folder(store) / made.folder.name
    shutil.copytree(made.folder, copy)
    return Snapshot(copy, made.digest)


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder = tmp_path_factory.mktemp("code")
    return freeze(plain_execution(folder / "results", folder / "cache"), folder)


def started(script: Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """What a process of the job does that this batch script describes, without SLURM."""
    line = script.read_text(encoding="utf-8").partition("\nsrun ")[2]
    words = shlex.split(line)
    command = words[words.index("-u") - 1 :]
    code = shlex.quote(command[command.index("-c") + 2])
    numbers = {"SLURM_JOB_ID": "4711", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}
    sizes = {
        "SUBMITIT_EXECUTOR": "slurm",
        "SLURM_NTASKS": "1",
        "SLURM_NODEID": "0",
        "SLURM_JOB_NUM_NODES": "1",
    }
    return subprocess.run(
        command,
        env=os.environ | numbers | sizes | {"PYTHONPATH": code, "PYTHONSAFEPATH": "1"},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def submitted(
    slurm: PretendedSlurm, execution: ExecutionConfig, frozen: Snapshot
) -> tuple[Path, Path]:
    """The store and the batch script of a submission that has given up already."""
    store = Path(execution.results_dir)
    store.mkdir(exist_ok=True)
    submitter = Submitter(store / "study", CLUSTER, small_snapshot(store, frozen))
    (submission,) = submitter.submit([Request(Job(tiny(), execution))], [])
    stopped = f'{{"submission": "{submission.submission}", "error": "no"}}'
    (store / "study/stopped.json").write_text(stopped, encoding="utf-8")
    ((arguments, _),) = slurm.calls("sbatch")
    return store, store / "study/jobs" / Path(arguments[-1]).name


@pytest.mark.slow
def test_a_job_runs_what_was_submitted(
    slurm: PretendedSlurm, execution: ExecutionConfig, frozen: Snapshot, tmp_path: Path
) -> None:
    _, script = submitted(slurm, execution, frozen)
    done = started(script, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Job completed successfully" in done.stdout + done.stderr


@pytest.mark.parametrize(("damage", "said"), HOSTILE)
def test_a_job_runs_nothing_else(
    slurm: PretendedSlurm,
    execution: ExecutionConfig,
    frozen: Snapshot,
    tmp_path: Path,
    damage: Damage,
    said: str,
) -> None:
    store, script = submitted(slurm, execution, frozen)
    damage(store)
    done = started(script, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("not run: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not [*tmp_path.rglob("hacked")]


def test_a_store_of_several_has_its_code_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, store = tmp_path / "home", tmp_path / "store"
    home.mkdir(mode=0o700)
    store.mkdir()
    monkeypatch.setenv("HOME", str(home))
    mine = own_jobs_folder(store / "study")
    assert mine == store / "study/jobs"
    store.chmod(0o775)
    elsewhere = own_jobs_folder(store / "study")
    assert elsewhere.is_relative_to(home)
    assert why_shared(elsewhere) is None
    assert jobs_folder(store / "other").parent.parent == elsewhere.parent.parent
    home.chmod(0o777)
    with pytest.raises(InputError, match=f"others may write to {home}"):
        own_jobs_folder(store / "study")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of others")
def test_folders_and_files_of_others_are_not_ones_own(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir(mode=0o755)
    (code / "a.py").write_text("1", encoding="utf-8")
    (code / "a.py").chmod(0o644)
    digest = digest_of(files_in(code))
    assert why_not_own(code, digest) is None
    os.chown(code / "a.py", 12345, 12345)
    assert "another user's" in str(why_not_own(code, digest))
    os.chown(code, 12345, 12345)
    assert "belongs to another user" in str(why_not_own(code, digest))
    assert own_folders.AT_HOME.parts[0] == ".cache"
