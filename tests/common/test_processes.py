"""What is known of processes, from /proc and from the commands of machines without it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.false_sysctl import answer_sysctl
from scaling_study.common import processes

WITHOUT = ("ps", "lsof")
# Holds 60 MB, and so does its child.
LARGE = "import sys, time; x = bytes(range(256)) * 234375; print(flush=True); time.sleep(60)"
FAMILY = f"""import subprocess, sys
subprocess.Popen([sys.executable, "-c", {LARGE!r}]).wait()"""


@pytest.fixture(params=["/proc", "commands"], autouse=True)
def source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "commands":
        if missing := [name for name in WITHOUT if shutil.which(name) is None]:
            pytest.skip(f"needs {missing[0]}")
        monkeypatch.setattr(processes, "PROC", Path("/no/proc"))
    elif not processes.has_proc():
        pytest.skip("needs /proc")
    processes.boot_and_namespace.cache_clear()
    yield request.param
    processes.boot_and_namespace.cache_clear()


def test_a_process_has_one_start_until_it_ends() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        began = processes.start_time(process.pid)
        assert began
        assert processes.start_time(process.pid) == began
        process.kill()
        end = time.monotonic() + 20
        while processes.start_time(process.pid) is not None:  # a zombie has ended
            assert time.monotonic() < end
            time.sleep(0.02)
    assert processes.start_time(process.pid) is None


def test_processes_that_began_apart_differ() -> None:
    ours = processes.start_time(os.getpid())
    with subprocess.Popen(["sleep", "60"]) as process:
        assert processes.start_time(process.pid) not in (None, ours)
        process.kill()


def test_a_command_line_has_the_program_and_what_it_was_given() -> None:
    with subprocess.Popen(["sleep", "61"]) as process:
        end = time.monotonic() + 20
        while b"sleep" not in (words := processes.command_line(process.pid)):  # not begun yet
            assert time.monotonic() < end
        assert b"61" in words
        process.kill()
    assert processes.command_line(process.pid) == b""


def test_only_a_process_that_has_a_folder_open_has_it(tmp_path: Path) -> None:
    inner, link = tmp_path / "a folder", tmp_path / "link"
    inner.mkdir()
    link.symlink_to(inner)
    assert not processes.has_open(os.getpid(), inner)
    held = os.open(inner, os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert processes.has_open(os.getpid(), inner)
        assert processes.has_open(os.getpid(), link)
        assert not processes.has_open(os.getpid(), tmp_path)
    finally:
        os.close(held)
    assert not processes.has_open(os.getpid(), inner)


def test_memory_is_that_of_a_process_and_its_children() -> None:
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = processes.resident_bytes(process.pid)
        subprocess.run(["pkill", "-P", str(process.pid)], check=True)
    assert 65e6 < found < 120e6
    assert processes.resident_bytes(process.pid) == 0


def test_where_a_pid_counts_is_known_or_said_to_be_unknown(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if source == "/proc":
        assert "pid:[" in processes.boot_and_namespace()
        return
    assert processes.boot_and_namespace() == ""
    processes.boot_and_namespace.cache_clear()
    answer_sysctl(tmp_path, monkeypatch, "9A3F-BOOT")
    assert processes.boot_and_namespace() == "9A3F-BOOT"
