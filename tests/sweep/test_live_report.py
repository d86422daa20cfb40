"""A running sweep's report: refreshed beside it, never in its way."""

import os
import stat
import sys
import time
from pathlib import Path

import pytest

from helpers.made_up_results import runs
from helpers.real_study import write_real_study
from helpers.study import write_study
from helpers.tiny import tiny
from scaling_study.common.errors import InputError
from scaling_study.cost.closed_form import run_cost
from scaling_study.cost.time_model import Estimate
from scaling_study.grid.cell import Cell
from scaling_study.planning.plan import Planned, forecasts_of
from scaling_study.study.forecasts import keep, read_forecasts, started
from scaling_study.sweep import live_report
from scaling_study.sweep.live_report import Refresher, refresher, seconds


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), (60, 60), (1.5, 1.5), ("60s", 60), ("5min", 300), ("1h", 3600), ("90", 90)],
)
def test_times_as_people_write_them(value, expected):
    assert seconds(value) == expected


@pytest.mark.parametrize("value", ["soon", "0s", 0, -3, "5 days", True, "1e3s", ""])
def test_other_times_are_refused_by_name(value):
    with pytest.raises(InputError, match=r"report\.every=.* as in 60s, 5min or 1h"):
        seconds(value)


def test_the_folder_of_figures_is_the_one_that_make_uses(tmp_path):
    report = {"every": None, "out": None}
    assert refresher({"report": report}, tmp_path / "demo", True).figures_dir == Path(
        "figures/demo"
    )
    with pytest.raises(InputError, match=r"report\.out=3"):
        refresher({"report": report | {"out": 3}}, tmp_path, True)


def test_a_sweep_that_leaves_cannot_refresh(tmp_path):
    report = {"every": "60s", "out": None}
    with pytest.raises(InputError, match=r"report\.every=60s: .*launcher\.wait=true"):
        refresher({"report": report}, tmp_path, False)
    assert refresher({"report": report | {"every": None}}, tmp_path, False).every_s is None


@pytest.mark.slow
def test_the_report_grows_with_the_runs_and_ends_as_a_page_at_rest(tmp_path):
    study, out = tmp_path / "results" / "demo", tmp_path / "figures"
    results = write_real_study(study, seeds=1, resolutions=(16,))
    path = study.parent / "runs" / results[-1].run_id / "result.json"
    last = path.read_text()
    path.unlink()
    page = out / "report.html"
    others = {p: p.read_text() for p in study.parent.glob("runs/*/result.json")}
    for other in others:
        other.unlink()
    with Refresher(study, out, 1.0):
        _until(page.exists)
        text = page.read_text()
        assert "Nothing to compare yet" in text
        assert '"runs_in":0,"live_s":1.0' in text
        for other, result in others.items():
            other.write_text(result)
        _until(lambda: "Nothing to compare yet" not in page.read_text())
        text = page.read_text()
        assert '"live_s":1.0' in text
        assert f'"runs_in":{len(results) - 1}' in text
        path.write_text(last)
    text = page.read_text()
    assert '"live_s":null' in text
    assert f'"runs_in":{len(results)}' in text


def _until(met, limit_s=180):
    end = time.monotonic() + limit_s
    while not met():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_a_study_of_failures_ends_as_a_page_at_rest(tmp_path):
    study, page = tmp_path / "results" / "demo", tmp_path / "figures" / "report.html"
    write_real_study(study, seeds=1, resolutions=(16,), status="failed", error="x", val_error=None)
    with Refresher(study, page.parent, 1.0):
        _until(lambda: page.exists() and '"live_s":1.0' in page.read_text())
    assert '"live_s":null' in page.read_text()


@pytest.fixture
def analysis(tmp_path, monkeypatch):
    """Let shell commands take the place of the analysis: while it is live, and at last."""

    def put(live, last):
        script = tmp_path / "python"
        script.write_text(f'#!/bin/sh\ncase "$*" in *--live*) {live};; *) {last};; esac\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(sys, "executable", str(script))

    return put


@pytest.fixture
def stuck(tmp_path, analysis):
    """An analysis that never ends while it is live; the file with its process number."""
    pid = tmp_path / "pid"
    analysis(f"echo $$ > {pid}; exec sleep 600", "exit 0")
    return pid


LIVE_DATA = '{"runs":["\\"live_s\\":1.0"],"live_s":1.0,"made":"today"}'


@pytest.mark.parametrize("last", ["exit 2", "exec sleep 600"])
def test_the_page_left_behind_is_at_rest_whatever_the_last_analysis_does(
    last, tmp_path, analysis, monkeypatch, capsys
):
    monkeypatch.setattr(live_report, "LAST_LIMIT_S", 0.5)
    page = tmp_path / "report.html"
    analysis(f"printf '%s' '{LIVE_DATA}' > {page}", last)
    with Refresher(tmp_path, tmp_path, 1.0):
        _until(lambda: page.exists() and page.read_text() == LIVE_DATA)
        start = time.monotonic()
    assert time.monotonic() - start < 180  # the analysis would last for 600 s, or 900 s at most
    assert page.read_text() == LIVE_DATA.replace('"live_s":1.0', '"live_s":null')
    assert "the report was not refreshed: " in capsys.readouterr().out


def test_a_report_is_made_anew_only_if_a_run_has_begun_or_ended(tmp_path, analysis):
    made = tmp_path / "made"
    analysis(f"echo x >> {made}", "exit 0")
    study = write_study(tmp_path, runs({4: 0.05})[:2])
    folder = next(study.parent.glob("runs/*/"))
    with Refresher(study, tmp_path, 1.0) as live:
        for count, news in enumerate(("result.json", "job.json"), 1):
            _until(lambda count=count: made.exists() and made.read_text() == count * "x\n")
            time.sleep(2.5)  # two more turns, in which there is nothing new
            assert made.read_text() == count * "x\n"
            (folder / news).touch()
        _until(lambda: made.read_text() == 3 * "x\n")
        live.rest()


def test_an_interrupted_sweep_leaves_a_page_at_rest(tmp_path, analysis):
    page = tmp_path / "report.html"
    analysis(f"printf '%s' '{LIVE_DATA}' > {page}", "exit 0")

    def sweep():
        with Refresher(tmp_path, tmp_path, 1.0):
            _until(lambda: page.exists() and page.read_text() == LIVE_DATA)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep()
    assert '"live_s":null' in page.read_text()


def test_a_stuck_analysis_ends_with_the_sweep(tmp_path, stuck):
    with Refresher(tmp_path, tmp_path, 1.0):
        _until(lambda: stuck.exists() and stuck.read_text().strip())
        start = time.monotonic()
    assert time.monotonic() - start < 180  # its own limit is 900 s
    with pytest.raises(ProcessLookupError):
        os.kill(int(stuck.read_text()), 0)


def test_an_interrupted_sweep_does_not_wait_for_a_report(tmp_path, stuck):
    def sweep():
        with Refresher(tmp_path, tmp_path, 1.0):
            _until(lambda: stuck.exists() and stuck.read_text().strip())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep()
    with pytest.raises(ProcessLookupError):
        os.kill(int(stuck.read_text()), 0)


def test_a_failing_analysis_is_told_and_harms_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Refresher(tmp_path, tmp_path, 1.0):
        pass
    assert "the report was not refreshed: see" in capsys.readouterr().out
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    with Refresher(tmp_path, tmp_path, 1.0):
        pass


def test_without_a_time_nothing_is_started(tmp_path, capsys):
    with Refresher(tmp_path, tmp_path, None):
        pass
    assert capsys.readouterr().out == ""
    assert list(tmp_path.iterdir()) == []


def planned(run, time, state="planned"):
    return Planned(Cell(run, {}), {}, run_cost(run), None, time, None, state, None, None)


def test_what_was_forecast_first_is_kept(tmp_path):
    one, two = tiny(), tiny(seed=1)
    keep(forecasts_of([planned(one, Estimate(3.0, 2.0, 5.0)), planned(two, None)]), tmp_path)
    later = [planned(one, Estimate(9.0, 8.0, 9.9), "failed"), planned(two, Estimate(5.0, 4.0, 7.0))]
    keep(forecasts_of(later), tmp_path)
    assert read_forecasts(tmp_path) == {one.run_id: (3.0, 2.0, 5.0), two.run_id: (5.0, 4.0, 7.0)}


def test_a_torn_note_of_forecasts_stops_nothing(tmp_path):
    one, two = tiny(), tiny(seed=1)
    keep(forecasts_of([planned(one, Estimate(3.0, 2.0, 5.0))]), tmp_path)
    path = tmp_path / "forecasts.csv"
    path.write_bytes(path.read_bytes() + b"\xff\xfe,1\n")
    keep(forecasts_of([planned(two, Estimate(5.0, 4.0, 7.0))]), tmp_path)
    found = read_forecasts(tmp_path)
    assert (found[one.run_id], found[two.run_id]) == ((3.0, 2.0, 5.0), (5.0, 4.0, 7.0))


@pytest.mark.parametrize(
    ("values", "forecast"),
    [
        ("3.0,2.0,5.0", (3.0, 2.0, 5.0)),
        ("3.0,,", (3.0, None, None)),
        ("3.0,2.0,", (3.0, None, None)),
        (",2.0,5.0", None),
        ("nan,2.0,5.0", None),
        ("-1,2.0,5.0", None),
        ("soon,2.0,5.0", None),
    ],
)
def test_what_the_file_of_forecasts_holds_is_read_the_same_everywhere(values, forecast, tmp_path):
    one, two = tiny(), tiny(seed=1)
    path = tmp_path / "forecasts.csv"
    path.write_text(f"run_id,forecast_s,forecast_s_low,forecast_s_high\n{one.run_id},{values}\n")
    keep(forecasts_of([planned(two, Estimate(5.0, 4.0, 7.0))]), tmp_path)
    assert path.read_text().splitlines()[1] == f"{one.run_id},{values}"
    assert started(tmp_path) == {one.run_id, two.run_id}
    assert read_forecasts(tmp_path).get(one.run_id) == forecast


@pytest.mark.slow
def test_a_sweep_leaves_a_report_of_all_its_runs(command, tmp_path):
    easy = ("train.epochs=10", "data.perturbation=0.1", "data.train_per_class=48")
    done = command("scaling_study.sweep", "+grid=smoke", "report.every=5s", *easy)
    assert done.returncode == 0, done.stderr
    assert "report: figures/smoke/report.html, refreshed every 5 s" in done.stdout
    page = (tmp_path / "figures" / "smoke" / "report.html").read_text()
    assert '"runs_in":4' in page
    assert '"live_s":null' in page
    log = (tmp_path / "results" / "smoke" / "report.log").read_text()
    assert log.splitlines()[-1] == (tmp_path / "figures/smoke/report.html").as_uri()
