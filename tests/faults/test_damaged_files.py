"""Every file of a store holding anything: told in a sentence or set aside, never a traceback."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from helpers.commands import Command, environment
from scaling_study import cancel, export
from scaling_study.common.errors import InputError
from scaling_study.common.reading import UnreadableError, csv_in, json_in, text_in, yaml_in
from scaling_study.status.overview import overview
from scaling_study.study.store import Store
from scaling_study.study.table import read_study
from scaling_study.tracking.payload import payload_of

SMALL = (
    *("+grid=smoke", "grid.axes.depth=[14]", "grid.axes.seed=[0]", "train.warmup_epochs=0"),
    *("train.epochs=1", "data.train_per_class=8", "data.val_per_class=4", "train.batch_size=8"),
)
BILLION = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)
)


def written(text: str | bytes) -> Callable[[Path], None]:
    content = text.encode() if isinstance(text, str) else text
    return lambda path: path.write_bytes(content) and None  # type: ignore[func-returns-value]


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").touch()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10**11)


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def edited(**changes: object) -> Callable[[Path], None]:
    """A JSON file with other values."""

    def damage(path: Path) -> None:
        found = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(found | changes), encoding="utf-8")

    return damage


ANY: dict[str, Callable[[Path], None]] = {
    "empty": written(""),
    "cut": cut,
    "null": written("null"),
    "list": written("[1, 2]"),
    "number": written("7"),
    "binary": written(bytes(range(256)) * 10),
    "nul": written("\0" * 1000),
    "deep": written("[" * 100_000),
    "deep mapping": written('{"a":' * 100_000),
    "infinity": written('{"pid": Infinity, "began": -Infinity, "step": NaN, "host": "x"}'),
    "digits": written('{"pid": 1' + "0" * 400 + ', "schema": 1e999}'),
    "more digits": written('{"pid": ' + "9" * 10_000 + "}"),
    "aliases": written(BILLION),
    "python object": written("!!python/object/apply:os.system ['touch hacked']"),
    "csv": written('run_id,epochs\n"open'),
    "long field": written("run_id,epochs\n" + "x" * 200_000 + ",1\n"),
    "other path": written("run_id,epochs\n../../x,1\n"),
    "folder": folder,
    "pipe": pipe,
    "dangling link": dangling,
    "100 GB": huge,
}
NOTES = {
    "attempts": edited(attempts=5),
    "odd attempts": edited(attempts=[1, {"cause": [1], "ended": "x", "job": {}}, None]),
    "a list as job": edited(job=[1], queued={"a": 1}),
    "words as times": edited(ended="yesterday", began=None, submitted="x"),
    "a pid of words": edited(pid="me", where=3, host=["x"]),
}
OF_RUN = ("result.json", "job.json", "config.yaml", "metrics.jsonl")
OF_STUDY = ("plan.csv", "grid.yaml", "prereg.yaml", "freeze.json", "forecasts.csv")
ADDED = ("jobs.json", "stopped.json", "sweep.json", "timings.jsonl", "measured.csv")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    """A finished study of one run."""
    root = tmp_path_factory.mktemp("pristine")
    words = [sys.executable, "-m", "scaling_study.sweep", *SMALL, f"cache_dir={cache_dir}"]
    done = subprocess.run(words, cwd=root, env=environment(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return root / "results"


@pytest.fixture
def results(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(pristine, tmp_path / "results")
    monkeypatch.setattr(cancel, "PATIENCE_S", 0)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results"


def file_of(results: Path, name: str) -> Path:
    (run_dir,) = (path for path in (results / "runs").iterdir() if path.is_dir())
    path = (run_dir if name in OF_RUN else results / "smoke") / name
    if name in ADDED:
        path.write_text("{}", encoding="utf-8")
    assert path.exists()
    return path


def look(results: Path) -> None:
    """What reads a store and changes nothing, or says in a sentence what it cannot read."""
    study, store = results / "smoke", Store(results)
    store.read()
    (run_id,) = store.run_ids()
    store.attempts(run_id)
    for ask in (overview, read_study):
        with suppress(InputError):
            ask(study)
    with suppress(ValueError, OSError):
        payload_of(store.run_dir(run_id))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*OF_RUN, *OF_STUDY, *ADDED])
@pytest.mark.parametrize("damage", ANY)
def test_a_store_with_anything_in_a_files_place_is_read(
    results: Path, name: str, damage: str
) -> None:
    ANY[damage](file_of(results, name))
    look(results)
    assert not (results.parent / "hacked").exists()


@pytest.mark.slow
@pytest.mark.parametrize("damage", NOTES)
def test_a_note_that_is_edited_is_read_as_far_as_it_can_be_so(results: Path, damage: str) -> None:
    NOTES[damage](file_of(results, "job.json"))
    look(results)
    assert overview(results / "smoke").counts["ok"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["job.json", "plan.csv", "forecasts.csv", "sweep.json"])
@pytest.mark.parametrize("damage", ["folder", "deep", "infinity", "cut", "pipe"])
def test_the_same_command_mends_a_study(
    results: Path, sweep_here: Command, name: str, damage: str
) -> None:
    """What the sweep writes itself does not lock the study."""
    ANY[damage](file_of(results, name))
    done = sweep_here(*SMALL)
    if damage == "folder" and name != "job.json":
        assert done.returncode in (0, 1, 2)
    else:
        assert done.returncode == 0, done.stdout + done.stderr
        assert overview(results / "smoke").counts["ok"] == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", [*OF_RUN, *OF_STUDY])
@pytest.mark.parametrize("damage", ["folder", "deep", "infinity", "binary"])
def test_a_damaged_study_can_be_cancelled(
    results: Path, capsys: pytest.CaptureFixture[str], name: str, damage: str
) -> None:
    ANY[damage](file_of(results, name))
    code = cancel.main([str(results / "smoke")])
    said = capsys.readouterr()
    assert code in (0, 1, 2)
    assert "Traceback" not in said.err


def test_another_runs_result_is_unreadable_and_done_again(results: Path) -> None:
    path = file_of(results, "result.json")
    edited(run_id="d14-w0.125-r16-e1-s7-0123456789")(path)
    store = Store(results)
    (run_id,) = store.run_ids()
    assert store.state(run_id) == "unreadable"
    assert "the result of another run" in read_study(results / "smoke").left_out[run_id]


def test_readers_take_what_is_good(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text('{"a": [1, 2.5, null, true]}', encoding="utf-8")
    assert json_in(path) == yaml_in(path) == {"a": [1, 2.5, None, True]}
    path.write_text('a,b\n1,"2,\n3"\n\n', encoding="utf-8")
    assert csv_in(path) == [{"a": "1", "b": "2,\n3"}]
    with pytest.raises(FileNotFoundError):
        text_in(tmp_path / "none")
    path.write_text("a,b\n1\n", encoding="utf-8")
    with pytest.raises(UnreadableError, match="more or fewer values"):
        csv_in(path)


def test_a_plan_that_a_spreadsheet_saved_is_read_or_told_in_a_sentence(results: Path) -> None:
    plan = results / "smoke" / "plan.csv"
    text = plan.read_text(encoding="utf-8")
    plan.write_text(text, encoding="utf-8-sig")
    assert len(read_study(results / "smoke").plan) == 1
    plan.write_text(text.replace(",", ";"), encoding="utf-8")
    with pytest.raises(InputError, match=r"no column epochs among those that commas separate"):
        read_study(results / "smoke")


def test_no_module_of_a_store_is_run_because_a_file_says_so(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by export nor by cancel, whose working folder is where results lie."""
    monkeypatch.syspath_prepend(str(results.parent))
    evil = results / "runs" / "evil.py"
    evil.write_text("open('hacked', 'w').close()\nFAMILY = None", encoding="utf-8")
    config = file_of(results, "config.yaml")
    text = config.read_text(encoding="utf-8").replace("family: resnet", "family: results.runs.evil")
    config.write_text(text, encoding="utf-8")
    file_of(results, "result.json").unlink()
    assert export.main([str(config.parent), "-o", "out.pth"]) == 2
    assert "a store of results, whose files are not run" in capsys.readouterr().err
    file_of(results, "sweep.json").unlink()
    cancel.main([str(results / "smoke")])
    with pytest.raises(InputError, match="a store of results"):
        payload_of(config.parent)
    assert not (results.parent / "hacked").exists()
