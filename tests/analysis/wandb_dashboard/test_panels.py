"""Which panels a workspace has: none that would be empty, titles in words."""

from pathlib import Path
from typing import Any

import pytest

from analysis import dashboard
from analysis.study.measure import ERROR
from analysis.wandb_dashboard.payload import Chart
from analysis.wandb_dashboard.workspace import Shown, build, sections
from helpers.made_up_results import runs
from helpers.study import write_study
from scaling_study.study.axes import own_axes

# Importing W&B's library of workspaces warns of its own use of pydantic.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def shown(columns: set[str], records: set[str], **more: Any) -> Shown:
    given: dict[str, Any] = {"charts": (), "images": (), "frontiers": False} | more
    return Shown(**given, columns=frozenset(columns), records=frozenset(records))


def titles(found: list[Any]) -> dict[str, list[str | None]]:
    return {s.name: [getattr(p, "title", None) for p in s.panels] for s in found}


def test_a_study_without_costs_and_records_has_only_what_it_has() -> None:
    (axis,) = own = own_axes({"axes": {"task.settings.lr": [1, 2]}})
    found = titles(sections(shown({"seed", "outcome"}, {"step", "epoch"}), own))
    assert found == {
        "What the study says": ["Report"],
        "Runs": [f"Error over {axis.label}"],
        "All axes": [None],
        "Tables of verdicts and of all configurations": [None],
    }


def test_without_the_library_of_workspaces_nothing_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = write_study(tmp_path, runs({4: 0.0}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert dashboard.main([str(study)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "pip install 'scaling-study[workspaces]'" in line
    assert not (tmp_path / "figures").exists()


def test_records_of_training_have_a_panel_each_in_words() -> None:
    curve = {"curve_val_error", "curve_val_error_raw", "curve_val_loss", "curve_train_error"}
    records = {"step", "epoch", "loss", "lr", "images_per_s", "grad_norm", "val_error", *curve}
    found = sections(shown({"val_error", "flops", "depth"}, records))
    assert titles(found)["Training"] == [
        *("Training error while training", "Validation error while training"),
        *("Validation loss while training", "Grad norm", "Images per second"),
        *("Training loss", "Learning rate"),
    ]
    (panel,) = [p for p in found[-1].panels if p.title == "Validation error while training"]
    assert [str(getattr(y, "name", y)) for y in panel.y] == [
        "curve_val_error",
        "curve_val_error_raw",
    ]


def test_a_workspace_of_many_runs_shows_the_analysis_first() -> None:
    charts = [Chart("frontiers/flops", "Frontiers over FLOPs", "FLOPs", {"4 epochs": []})]
    panels = sections(shown({"flops"}, set(), charts=charts), outcome=("val_error", ERROR))
    for n_runs, most in ((3, 10), (400, 401), (5000, 1000)):
        built = build("me", "lab", "s", "s", panels, n_runs)
        assert built.settings.max_runs == most
        first, second = built.runset_settings.order
        assert (first.item.name, first.ascending) == ("JobType", True)
        assert second.item.name == "val_error"
