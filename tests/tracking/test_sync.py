"""`python -m scaling_study.sync` against a server that speaks W&B's protocol, well or badly."""

import fcntl
import re
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from helpers.tracked import call, finished_run, logged, secrets_in, server, study
from helpers.wandb_server import Server
from scaling_study.config.tracking import tag_of
from scaling_study.study.result import read_result, write_result
from scaling_study.sync import main

__all__ = ["server"]


def sync(study_dir: Path, *arguments: str) -> tuple[int, str]:
    arguments = arguments if "--rate" in arguments else (*arguments, "--rate", "1000")
    return call("scaling_study.sync", str(study_dir), *arguments, cwd=study_dir.parent)


def counts(output: str) -> list[int]:
    """Runs sent, up to date, not sent, not started or in work."""
    return [int(number) for number in re.findall(r" (\d+)(?= )", output.splitlines()[-1])]


def check_sent(server: Server, study_dir: Path, group: str) -> None:
    for run in server.runs.values():
        run_dir = study_dir.parent / "runs" / run.name
        assert run.history == [pytest.approx(row) for row in logged(run_dir)]
        assert (run.group, run.job_type, run.exit_code, run.opened) == (group, "train", 0, 1)
        assert (run.values()["depth"], run.summary["val_error"]) == (14, 0.25)
        assert not (run_dir / "wandb").exists()


@pytest.mark.slow
def test_runs_are_sent_once(server: Server, tmp_path: Path) -> None:
    study_dir = study(tmp_path / "results", "g", 2)
    code, output = sync(study_dir, "--project", "lab")
    assert (code, counts(output)) == (0, [2, 0, 0, 0]), output
    check_sent(server, study_dir, "g")
    assert f"W&B: project at {server.url}/me/lab, a run at …/runs/RUN_ID\n" in output
    assert {tuple(run.tags) for run in server.runs.values()} == {("g",)}
    assert all("/lab/" in r.path for r in server.requests if "file_stream" in r.path)

    server.requests.clear()
    code, output = sync(study_dir, "--project", "lab")
    assert (code, counts(output)) == (0, [0, 2, 0, 0])
    assert server.requests == []

    # Without our marks the server is asked, and nothing is sent.
    for mark in tmp_path.glob("results/runs/*/wandb.json"):
        mark.unlink()
    code, output = sync(study_dir, "--project", "lab")
    assert (code, counts(output)) == (0, [0, 2, 0, 0])
    assert {r.operation for r in server.requests} <= {"", "Viewer", "GetDefaultEntity", "Runs"}
    assert not [r for r in server.requests if "file_stream" in r.path]
    assert secrets_in(tmp_path) == []

    # A second study with one more run: tags of both, and the group stays.
    other = study(tmp_path / "results", "h", 3)
    code, output = sync(other, "--project", "lab")
    assert (code, counts(output)) == (0, [3, 0, 0, 0])
    assert sorted((run.group, *run.tags) for run in server.runs.values()) == [
        ("g", "g", "h"),
        ("g", "g", "h"),
        ("h", "h"),
    ]
    assert sorted(len(run.history) for run in server.runs.values()) == [6, 6, 6]


@pytest.mark.slow
def test_what_the_server_silently_refuses_is_listed_and_sent_next_time(
    server: Server, tmp_path: Path
) -> None:
    study_dir = study(tmp_path / "results", "g", 2)
    first, second = sorted(p.name for p in tmp_path.glob("results/runs/*"))
    server.behave = lambda path, _: (403, {}) if first in path and "stream" in path else None
    code, output = sync(study_dir, "--timeout-s", "20")
    assert (code, counts(output)) == (1, [1, 0, 1, 0]), output
    assert f"  {first} not sent: W&B does not show what was sent" in output
    server.behave = lambda path, _: None
    code, output = sync(study_dir)
    assert (code, counts(output)) == (0, [1, 1, 0, 0]), output
    assert sorted(server.runs) == [first, second]
    check_sent(server, study_dir, "g")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["file_stream", "graphql"])
def test_too_many_requests_are_answered_by_patience(
    where: str, server: Server, tmp_path: Path
) -> None:
    study_dir = study(tmp_path / "results", "g", 1)
    refused: list[float] = []

    def behave(path: str, operation: str) -> tuple[int, dict[str, str]] | None:
        if where in path and len(refused) < 2:
            refused.append(time.monotonic())
            return 429, {"Retry-After": "1"}
        return None

    server.behave = behave
    code, output = sync(study_dir)
    assert (code, counts(output)) == (0, [1, 0, 0, 0]), output
    check_sent(server, study_dir, "g")
    times = [*refused, max(r.at for r in server.requests if where in r.path)]
    assert all(later - earlier >= 0.95 for earlier, later in pairwise(times))


@pytest.mark.slow
@pytest.mark.parametrize("trouble", ["500", "hang", "dead"])
def test_a_server_out_of_order_ends_the_call_soon_and_the_next_one_sends(
    trouble: str, server: Server, tmp_path: Path
) -> None:
    study_dir = study(tmp_path / "results", "g", 5)
    behaviours = {
        "500": lambda path, _: (500, {}) if "file_stream" in path else None,
        "hang": lambda path, _: time.sleep(600) if "file_stream" in path else None,
        "dead": None,
    }
    if (behaviour := behaviours[trouble]) is None:
        server.stop()
    else:
        server.behave = behaviour
    begin = time.monotonic()
    code, output = sync(study_dir, "--timeout-s", "1")
    assert code == 1
    assert counts(output) == [0, 0, 5, 0]
    assert len(re.findall("not sent: ", output)) == 5
    assert time.monotonic() - begin < 180
    assert "Traceback" not in output
    if trouble != "dead":
        server.behave = lambda path, _: None
        code, output = sync(study_dir)
        assert (code, counts(output)) == (0, [5, 0, 0, 0]), output
        check_sent(server, study_dir, "g")


@pytest.mark.slow
def test_a_hundred_runs_at_a_bounded_rate(server: Server, tmp_path: Path) -> None:
    study_dir = study(tmp_path / "results", "g", 100)
    code, output = sync(study_dir, "--rate", "50")
    assert (code, counts(output)) == (0, [100, 0, 0, 0]), output
    check_sent(server, study_dir, "g")
    times = [request.at for request in server.requests]
    assert len(times) / (times[-1] - times[0]) < 50
    assert len(times) <= 100 * 10 + 20


@pytest.mark.slow
def test_unfinished_unreadable_and_missing_runs(server: Server, tmp_path: Path) -> None:
    study_dir = study(tmp_path / "results", "g", 3)
    bad, unfinished, absent = sorted(tmp_path.glob("results/runs/*"))
    (bad / "result.json").write_text("{", encoding="utf-8")
    (unfinished / "result.json").unlink()
    for name in ("metrics.jsonl", "result.json"):
        (absent / name).unlink()
    code, output = sync(study_dir)
    assert (code, counts(output)) == (1, [1, 0, 1, 1]), output
    assert f"{bad.name} not sent: unreadable: " in output
    (run,) = server.runs.values()
    assert (run.name, run.exit_code, "val_loss" in run.summary) == (unfinished.name, 1, False)
    assert run.preempting  # it is to continue
    # The run ends: only what is new is sent.
    lines = run.streams["wandb-history.jsonl"].copy()
    finished_run(tmp_path / "results/runs", seed=run.values()["seed"])
    code, output = sync(study_dir)
    assert run.streams["wandb-history.jsonl"] == lines
    assert (run.exit_code, run.summary["status"]) == (0, "ok")


@pytest.mark.slow
def test_a_run_that_failed_before_its_first_step_is_sent(server: Server, tmp_path: Path) -> None:
    study_dir = study(tmp_path / "results", "n" * 70, 1)
    (run_dir,) = tmp_path.glob("results/runs/*")
    (run_dir / "metrics.jsonl").unlink()
    result = read_result(run_dir / "result.json")
    failed = replace(result, status="failed", error="out of memory", val_error=None)
    write_result(run_dir, failed)
    code, output = sync(study_dir)
    assert (code, counts(output)) == (0, [1, 0, 0, 0]), output
    (run,) = server.runs.values()
    assert (run.name, run.history, run.exit_code) == (run_dir.name, [], 1)
    assert (run.summary["status"], run.summary["error"]) == ("failed", "out of memory")
    assert run.tags == [tag_of(study_dir.name)]
    code, output = sync(study_dir)
    assert (code, counts(output)) == (0, [0, 1, 0, 0]), output


def test_a_run_whose_mirror_is_at_work_is_left_to_it(server: Server, tmp_path: Path) -> None:
    study_dir = study(tmp_path / "results", "g", 1)
    (run_dir,) = tmp_path.glob("results/runs/*")
    with (run_dir / "tracking.txt").open("wb") as mirror:
        fcntl.flock(mirror, fcntl.LOCK_EX)
        code, output = sync(study_dir)
    assert (code, counts(output)) == (0, [0, 0, 0, 1]), output
    assert server.requests == []


def test_bad_input_is_one_line(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, output = sync(tmp_path)
    assert (code, len(output.splitlines())) == (2, 1)
    assert output.startswith(f"error: no study in {tmp_path}")
    monkeypatch.delenv("WANDB_API_KEY")
    code, output = sync(study(tmp_path / "results", "g", 1))
    assert (code, len(output.splitlines())) == (2, 1)
    assert "WANDB_API_KEY" in output
    assert server.requests == []
    for option, value in (("--rate", "0"), ("--project", "a/b"), ("--entity", "")):
        with pytest.raises(SystemExit, match="2"):
            main(["results/g", option, value])
