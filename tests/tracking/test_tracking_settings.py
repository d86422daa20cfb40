"""Settings of tracking: what is refused, tags, and that they are outside the run id."""

import os
from pathlib import Path
from typing import Any

import pytest

from helpers.mirrored_runs import tracked, train
from helpers.tracked import call
from helpers.wandb_server import Server
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.tracking import tag_of, tracking_of
from scaling_study.tracking.registry import check


@pytest.mark.slow
@pytest.mark.parametrize("key", [None, pytest.param("short", marks=pytest.mark.slow)])
def test_online_without_a_key_is_refused_before_anything_is_launched(
    key: str | None, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    code, output = call("scaling_study.sweep", "+grid=smoke", "tracking=online", cwd=tmp_path)
    assert code == 2
    assert output.startswith("error: tracking=online: ")
    assert len(output.splitlines()) == 1
    for way in ("WANDB_API_KEY", "wandb login", "tracking=offline"):
        assert way in output
    assert not key or key not in output
    assert not (tmp_path / "results").exists()
    assert server.requests == []


GROUP: dict[str, Any] = {
    "name": "none",
    "project": "p",
    "entity": None,
    "tags": [],
    "finish_timeout_s": 5,
    "system_metrics": False,
    "checkpoints": False,
    "alerts": False,
}


def test_tags_of_long_names_are_short_and_differ() -> None:
    assert tag_of("n" * 64) == "n" * 64
    long = [tag_of("n" * 64 + end) for end in "ab"]
    assert [len(tag) for tag in long] == [64, 64]
    assert long[0] != long[1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "of"}, "tracking.name='of': unknown tracker; known: none, offline, online, ten"),
        ({"name": "no.such"}, "or the import path of a module of yours, as in my_trackers.my"),
        ({"alerts": True}, "tracking.alerts=true: not with tracking=none; with tracking=online"),
        (
            {"name": "tensorboard", "checkpoints": True},
            "checkpoints=true: not with tracking=tensorboard; with tracking=offline or online",
        ),
        ({"system_metrics": "maybe"}, "tracking.system_metrics='maybe': must be true or false"),
        ({"project": "a/b"}, "tracking.project=a/b: must be a name without"),
        ({"tags": "mine"}, "tracking.tags='mine': must be a list of names"),
        ({"tags": ["x" * 65]}, "1 to 64 characters"),
        ({"finish_timeout_s": 0}, "tracking.finish_timeout_s=0.0: must be more than 0"),
        ({"entity": 3}, "tracking.entity=3: must be a name"),
        ({"projct": "p"}, "tracking.projct: no such setting (did you mean project?)"),
    ],
)
def test_bad_settings_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        check(tracking_of({"tracking": GROUP | changes}))
    assert message in str(refused.value)


def test_tracking_is_outside_the_run_id(execution: ExecutionConfig, server: Server) -> None:
    server.stop()
    first, _ = train(execution)
    result = (first / "result.json").stat()
    second, outcome = train(tracked(execution))
    assert first == second
    assert outcome.status == "ok"
    assert (second / "result.json").stat() == result  # it was there
    assert os.listdir(first).count("tracking.txt") == 0
