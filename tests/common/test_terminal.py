"""Commands whose reader leaves, whose output is closed or full, or shows ASCII alone."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers import warm_python
from helpers.commands import environment
from helpers.hostile import TAIL
from scaling_study.common.command_line import NOT_WRITTEN, entry_point
from scaling_study.common.terminal import console, has_reader, printable

ROOT = Path(__file__).resolve().parents[2]
# Listings of several lines, and a command that is told its mistake.
LISTINGS = [
    ("scaling_study.sweep", "+grid=smoke", "dry_run=true"),
    ("scaling_study.sweep", "+grid=smoke", "explain=true"),
    ("analysis.power", "+grid=smoke"),
]
STUDY = (
    *("scaling_study.sweep", "+grid=smoke", "grid.axes.depth=[14]", "grid.axes.seed=[0,1,2]"),
    *("train.epochs=1", "train.warmup_epochs=0", "data.train_per_class=8", "data.val_per_class=4"),
    *("train.batch_size=8", "launcher.slots=1"),
)


def start(folder: Path, words: tuple[str, ...], **more: object) -> "subprocess.Popen[str]":
    return warm_python.start(*words, cwd=folder, **{"env": environment()} | more)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("words", LISTINGS, ids=" ".join)
def test_a_listing_without_a_reader_ends_quietly(tmp_path: Path, words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with start(tmp_path, words, stdout=writer) as process:
        os.close(writer)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")


@pytest.mark.slow
def test_a_study_goes_on_without_its_reader(tmp_path: Path, cache_dir: Path) -> None:
    words = (*STUDY, f"cache_dir={cache_dir}")
    with start(tmp_path, words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while not process.stdout.readline().startswith("[1/3]"):
            pass
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
        assert (process.wait(120), said) == (0, "")
    assert len([*tmp_path.glob("results/runs/*/result.json")]) == 3


@pytest.mark.slow
def test_a_study_needs_no_standard_streams(tmp_path: Path, cache_dir: Path) -> None:
    """And no file that it opens takes the place of one."""
    command = [sys.executable, "-m", *STUDY, f"cache_dir={cache_dir}"]
    script = 'exec "$@" <&- >&- 2>&-'
    done = subprocess.run(
        ["sh", "-c", script, "sh", *command], cwd=tmp_path, env=environment(), timeout=120
    )
    assert done.returncode == 0
    results = [*tmp_path.glob("results/runs/*/result.json")]
    assert len(results) == 3
    assert all(path.read_text(encoding="utf-8").startswith("{") for path in results)


@pytest.mark.slow
def test_an_ascii_terminal_shows_signs_in_ascii(tmp_path: Path) -> None:
    ascii_only = environment() | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    words = ("scaling_study.sweep", "+grid=smoke", "grid.axes.dept=[14]")
    with start(tmp_path, words, stdout=subprocess.PIPE, env=ascii_only) as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" not in said
    for module in ("scaling_study.status", "scaling_study.export"):
        with start(tmp_path, (module, "é●/\udcff"), stdout=subprocess.PIPE, env=ascii_only) as one:
            _, said = one.communicate(timeout=60)
        assert one.returncode == 2
        assert "Traceback" not in said


@pytest.mark.slow
def test_an_output_that_is_full_is_an_error(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with (
        full.open("w") as file,
        start(tmp_path, ("scaling_study.sweep", "+grid=smoke", "dry_run=true"), stdout=file) as one,
    ):
        _, said = one.communicate(timeout=60)
    assert one.returncode == NOT_WRITTEN
    assert said == "error: the output cannot be written: No space left on device\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07name", "name"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0\x1b\\a\x9b31mb", "a31mb"),
        ("over\rwrite\x08\x7f", "overwrite"),
        ("\u202egpj.exe\u2066", "gpj.exe"),
        ("two\n\tlines, × ± é", "two\n\tlines, × ± é"),
        ("\x1b", ""),
    ],
)
def test_nothing_acts_on_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


class Ascii(io.TextIOWrapper):
    """A terminal of a machine without UTF-8."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="ascii")

    def shown(self) -> str:
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode("ascii")


def test_what_commands_print_is_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Ascii()
    monkeypatch.setattr(sys, "stdout", stream)
    assert entry_point(_printing(lambda: print(TAIL, "× 2 … ●", chr(0xDC80))))() == 0
    shown = stream.shown()
    assert "x 2 ... * ?" in shown
    assert "\x1b" not in shown
    assert "Traceback" in shown
    assert sys.stdout is stream


def test_a_console_of_richs_keeps_its_own_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Ascii()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    entry_point(_printing(lambda: console().print("[red]●[/red]")))()
    assert stream.shown() == "\x1b[31m*\x1b[0m\n"


def test_a_command_may_ask_whether_somebody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        heard: list[bool] = []

        def ask() -> None:
            heard.append(has_reader())
            print("nobody", flush=True)
            heard.append(has_reader())

        assert entry_point(_printing(ask))() == 0
    assert heard == [True, False]


def _printing(act: Callable[[], None]) -> Callable[[], int]:
    def main() -> int:
        act()
        return 0

    return main
