"""What trackers do on request alone: system metrics, checkpoints, alerts."""

import json
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.mirrored_runs import wait_for
from helpers.tiny import NOT_TRACKED
from helpers.tracked import call, finished_run, study
from helpers.wandb_server import Server
from scaling_study.common.errors import InputError
from scaling_study.launch.registry import launcher
from scaling_study.sweep import alerts
from scaling_study.tracking import wandb_client
from scaling_study.tracking.announce import send_alert
from scaling_study.tracking.base import Alert
from scaling_study.tracking.payload import tracked_run
from scaling_study.tracking.wandb_client import Target, Upload

ONLINE = replace(NOT_TRACKED, name="online", study="g", finish_timeout_s=60.0)


@pytest.mark.slow
def test_system_metrics_are_those_of_the_run_and_name_no_machine(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wandb_client, "SAMPLE_S", 0.2)
    finished_run(tmp_path / "results/runs", seed=0)
    (run_dir,) = tmp_path.glob("results/runs/*")
    asked = replace(ONLINE, system_metrics=True)
    upload = Upload.open(tracked_run(run_dir, asked, os.getpid()), Target("g", ()))
    (run,) = server.runs.values()
    wait_for(lambda: run.streams["wandb-events.jsonl"])
    upload.finish({"status": "ok"})
    sampled = json.loads(run.streams["wandb-events.jsonl"][0])
    assert sampled["system.proc.memory.rssMB"] > 0
    sent = json.dumps([run.config, run.summary]).encode() + b"".join(run.files.values())
    assert "wandb-metadata.json" not in run.files
    assert socket.gethostname().encode() not in sent.split(b'"')


@pytest.mark.slow
def test_sync_sends_checkpoints_once(server: Server, tmp_path: Path) -> None:
    study_dir = study(tmp_path / "results", "g", 2)
    first = min(tmp_path.glob("results/runs/*"))
    (first / "checkpoint.pt").write_bytes(b"weights")  # the other keeps none

    def sent(*more: str) -> str:
        code, output = call(
            "scaling_study.sync", str(study_dir), "--rate", "1000", *more, cwd=tmp_path
        )
        assert code == 0, output
        return output.splitlines()[-1]

    assert ": 2 runs sent, 0 up to date" in sent()
    assert server.artifacts.named == {}
    assert ": 1 runs sent, 1 up to date" in sent("--checkpoints")
    (name,) = server.artifacts.named
    assert name == f"checkpoint-{first.name}" == server.runs[first.name].summary["checkpoint"]
    assert server.artifacts.named[name]["checkpoint.pt"] == b"weights"
    server.requests.clear()
    for more in ((), ("--checkpoints",)):
        assert ": 0 runs sent, 2 up to date" in sent(*more)
    assert server.requests == []


@pytest.mark.slow
def test_alerts_name_the_failure_and_a_dead_server_harms_nothing(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    alerts.say_repeated(ONLINE, "it failed")  # nobody asked
    asked = replace(ONLINE, alerts=True)
    alerts.say_repeated(asked, "the first 3 runs failed alike")
    (alert,) = server.alerts
    assert (alert["title"], alert["severity"]) == ("g: stopped, runs fail alike", "ERROR")
    assert alert["text"] == "the first 3 runs failed alike"
    assert capsys.readouterr().out == ""
    server.stop()
    send_alert(asked, Alert("title", "text"))
    assert capsys.readouterr().out == (f"W&B: no alert was sent: nothing answers at {server.url}\n")


def test_alerts_of_a_sweep_that_leaves_its_jobs_are_refused() -> None:
    with pytest.raises(InputError, match="launcher=slurm a sweep ends when its jobs are in the qu"):
        alerts.check(replace(ONLINE, alerts=True), launcher("slurm"))
    alerts.check(replace(ONLINE, alerts=True), launcher("local"))
    alerts.check(ONLINE, launcher("slurm"))
