"""Disks without locks, of another user, or full: one sentence, and nothing half written."""

import errno
import os
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path

import pytest

from helpers import warm_python
from helpers.commands import environment
from helpers.preloaded import no_locks
from helpers.small_disk import mounted, remount
from scaling_study.common.errors import InputError
from scaling_study.common.files import WriteError, locked, remove_leftovers, replace_file, replacing
from scaling_study.study.store import check_writable

SMALL = (
    *("+grid=smoke", "grid.axes.depth=[14]", "train.warmup_epochs=0", "data.train_per_class=8"),
    *("data.val_per_class=4", "train.batch_size=8"),
)


def sweep(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return warm_python.run(
        "scaling_study.sweep", *SMALL, *arguments, cwd=folder, env=environment() | variables
    )


def temporary_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob(".*") if path.name.endswith(".tmp")]


@pytest.mark.slow
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_a_disk_without_locks_is_refused_before_anything_starts(
    tmp_path: Path, cache_dir: Path, number: int
) -> None:
    without = no_locks(tmp_path, number)
    done = sweep(tmp_path, "train.epochs=1", f"cache_dir={cache_dir}", **without)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    for words in ("results_dir=results", "cannot lock", "results/runs", os.strerror(number)):
        assert words in done.stderr
    assert [path.name for path in (tmp_path / "results/runs").iterdir()] == [".lock"]


def test_a_cache_without_locks_is_made_all_the_same(tmp_path: Path) -> None:
    text = """from pathlib import Path
import numpy as np
from scaling_study.data.storage.array_cache import cached
for _ in range(2):
    made = cached(Path("cache/a.npz"), "train", ("x",), lambda: {"train": {"x": np.arange(3)}})
    print(made["x"].sum())"""
    done = subprocess.run(
        [sys.executable, "-c", text],
        cwd=tmp_path,
        env=environment() | no_locks(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.split(), done.stderr) == (["3", "3"], "")


def _as_nobody(folder: Path) -> None:
    os.setgid(65534)
    os.setuid(65534)
    check_writable(folder, "results_dir", str(folder), locks=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
@pytest.mark.parametrize(("mode", "said"), [(0o777, ""), (0o755, "cannot write")])
def test_a_second_user_shares_a_folder_or_is_told(tmp_path: Path, mode: int, said: str) -> None:
    """The first one has umask 022, as most have."""
    folder = tmp_path / "runs"
    before = os.umask(0o022)
    folder.mkdir()
    folder.chmod(mode)
    check_writable(folder, "results_dir", str(folder), locks=True)
    os.umask(before)
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    context = get_context("fork")
    answers = context.SimpleQueue()

    def other() -> None:
        try:
            _as_nobody(folder)
            answers.put("")
        except InputError as error:
            answers.put(str(error))

    process = context.Process(target=other)
    process.start()
    process.join(30)
    assert not answers.empty()
    assert said in answers.get()


def test_a_link_in_the_locks_place_empties_nothing(tmp_path: Path) -> None:
    target, lock = tmp_path / "precious", tmp_path / ".lock"
    target.write_text("mine", encoding="utf-8")
    lock.symlink_to(target)
    with pytest.raises(OSError), locked(lock):
        pass
    assert target.read_text(encoding="utf-8") == "mine"
    with pytest.raises(InputError, match="cannot lock"):
        check_writable(tmp_path, "results_dir", "x", locks=True)


@pytest.mark.slow
@pytest.mark.parametrize("size", ["300k", "44k", "16k"])
def test_a_full_disk_ends_a_study_in_one_sentence_and_the_same_command_goes_on(
    tmp_path: Path, cache_dir: Path, size: str
) -> None:
    """Where there is no room for a checkpoint, for a failure, for a plan."""
    more = ("train.epochs=8", "checkpoint.every_s=0", "launcher.slots=2", "grid.axes.seed=[0,1]")
    with mounted(tmp_path / "disk", f"size={size}") as disk:
        arguments = (*more, f"results_dir={disk}", f"cache_dir={cache_dir}")
        done = sweep(tmp_path, *arguments)
        assert done.returncode in (1, 2), done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert "Error executing" not in done.stderr
        assert "No space left on device" in done.stderr + done.stdout
        assert temporary_files(disk) == []
        remount(disk, "size=100m")
        again = sweep(tmp_path, *arguments)
        assert again.returncode == 0, again.stdout + again.stderr
        assert "2 ok" in again.stdout
        assert temporary_files(disk) == []


def test_what_cannot_be_written_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=40k") as disk:
        path = disk / "result.json"
        replace_file(path, "old")
        with pytest.raises(WriteError, match=r"result.json: cannot be written \(No space left"):
            replace_file(path, "x" * 100_000)
        assert path.read_text(encoding="utf-8") == "old"
        assert [*disk.iterdir()] == [path]
        remount(disk, "ro")
        with pytest.raises(WriteError, match="Read-only"):
            replace_file(path, "new")


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyError), replacing(tmp_path / "a"):
        raise KeyError
    assert [*tmp_path.iterdir()] == []


def test_leftovers_of_the_killed_are_removed_but_those_of_others(tmp_path: Path) -> None:
    for name in (".a.json.12.tmp", ".checkpoint.pt.tmp", ".wandb.json.9.tmp", "a.json", ".a.tmp2"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, except_of="wandb.json")
    assert {p.name for p in tmp_path.iterdir()} == {".wandb.json.9.tmp", "a.json", ".a.tmp2"}
