"""Parts of the report without a browser: escaping, sentences, the command that repeats a run."""

import csv
import json
import shlex
import time
from dataclasses import asdict, replace

import hydra
import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from analysis.__main__ import main
from analysis.report.page import html
from analysis.report.page.content import assumed_regimes, environment, frontier_values, run_values
from analysis.report.page.sections import explorer, left_out
from analysis.rules.kind import Judgement
from analysis.rules.preregistration import load_rules
from analysis.rules.wording import sentence, why
from analysis.stats.contrast import Gap
from analysis.stats.decision import Verdict
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of, without_result
from helpers.analysis_data import add_run, cell, runs, write_real_study, write_study
from helpers.tiny import tiny
from scaling_study.common.paths import data_dir
from scaling_study.grid.run_at_point import run_at
from scaling_study.study.forecasts import RunForecast
from scaling_study.study.overrides import command, overrides, text
from scaling_study.study.result import write_result
from scaling_study.study.store import Store
from scaling_study.study.table import read_study

EVIL = '<script>alert("x")</script>&\''
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3),
)


@given(st.text(max_size=40))
def test_json_in_a_script_element_cannot_end_it(value):
    written = html.script_json({"value": value})
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == {"value": value}


def test_every_part_of_the_page_escapes_its_texts():
    page = html.table([{"a": EVIL}], {"a": EVIL}) + html.paragraph(EVIL)
    page += html.verdict(EVIL, EVIL, EVIL, EVIL, EVIL, [EVIL])
    page += html.folded(EVIL, []) + html.section(EVIL, EVIL, [])
    assert "<script" not in page
    assert 'alert("' not in page


def _judged(name, value, gap, epochs=30, **verdict):
    rules = {rule.name: rule for rule in load_rules(None, {}).rules}
    return Judgement(rules[name], Verdict(value, "a reason", **verdict), epochs, gap)


def gap(estimate, half):
    return Gap(estimate, half / 2, 12.0, estimate - half, estimate + half, 0.2, 0.0, {}, {})


@pytest.mark.parametrize(
    ("name", "value", "effect", "said"),
    [
        (
            *("R1-long", "supported", gap(0.021, 0.006)),
            "At 30 epochs depth beats width at equal step time by 2.1 % ± 0.6 % (relative error); "
            "supported",
        ),
        (
            *("R1-short", "refuted", gap(0.021, 0.006)),
            "At 30 epochs depth beats width at equal step time by 2.1 % ± 0.6 % (relative error); "
            "refuted",
        ),
        (
            *("R1-long", "inconclusive", gap(-0.004, 0.006)),
            "At 30 epochs depth and width cannot be told apart at equal step time: width is ahead "
            "by 0.4 % ± 0.6 % (relative error); inconclusive",
        ),
        (
            *("R4", "supported", gap(0.004, 0.001)),
            "Choosing between depth and width by short training costs 0.40 ± 0.10 percentage "
            "points of error in long training at equal step time; supported",
        ),
        (
            *("R4", "inconclusive", gap(0.0005, 0.001)),
            "It cannot be told whether choosing between depth and width by short training costs "
            "more than 0.1 percentage points of error in long training at equal step time: it "
            "costs 0.05 ± 0.10 percentage points; inconclusive",
        ),
        (
            *("R1-interaction", "inconclusive", gap(-0.004, 0.006)),
            "From the shortest to the longest training it cannot be told at equal step time "
            "whether depth or width gains: width is ahead by 0.4 % ± 0.6 % (relative error); "
            "inconclusive",
        ),
        (
            *("R3", "inconclusive", gap(0.169, 0.581)),
            "It cannot be told whether error falls more slowly with FLOPs beyond the best "
            "breakpoint: its exponent changes by 0.17 ± 0.58; inconclusive",
        ),
    ],
)
def test_verdicts_are_sentences(name, value, effect, said):
    judged = _judged(name, value, effect)
    assert sentence(judged) == said
    assert bool(why(judged)) == (value != "supported")


def test_every_kind_of_rule_has_a_sentence():
    for rule in load_rules(None, {}).rules:
        for value in (gap(0.3, 0.1), gap(-0.3, 0.1)):
            judged = _judged(rule.name, "supported", None if rule.kind == "all" else value)
            assert sentence(judged).endswith("; supported")
            if rule.kind != "all":
                unsure = _judged(rule.name, "inconclusive", replace(value, low=-0.5, high=0.5))
                assert "cannot be told" in sentence(unsure)
        untested = _judged(rule.name, "not_testable", None)
        assert sentence(untested).endswith("this study cannot test it")
        assert why(untested)


@given(st.text(max_size=30) | VALUES)
@example("A²")
def test_values_are_written_in_the_grammar_of_overrides(value):
    if isinstance(value, str) and ("\n" in value or "\r" in value or "$" in value):
        return  # a name in a config has neither
    (parsed,) = OverridesParser.create().parse_overrides([f"key={text(value)}"])
    assert parsed.value() == value


def composed(line):
    """The run that a printed command leads to, composed as its entry point does."""
    program = ["python", "-m", "scaling_study.train"]
    words = shlex.split(line)
    assert words[:3] == program
    with hydra.initialize_config_dir(str(data_dir("conf")), version_base="1.3"):
        settings = OmegaConf.to_container(hydra.compose("train", words[3:]), resolve=True)
    run = run_at(settings, {})
    return run, settings["results_dir"]


def settings_of(*words):
    with hydra.initialize_config_dir(str(data_dir("conf")), version_base="1.3"):
        settings = OmegaConf.to_container(hydra.compose("train", list(words)), resolve=True)
    run = run_at(settings, {})
    return run


def stored(run):
    """A run's config as its config.yaml says it."""
    return yaml.safe_load(yaml.safe_dump(asdict(run)))


KINDS = (
    (),
    ("data=digits", "model.depth=26", "seed=3", "precision=fp32"),
    ("train.weight_decay=1e-5", "train.channels_last=false", "model.width=1.5"),
    ("model=efficientnet", "model.depth=1.2", "data.resolution=32"),
    ("+preset=resnet_rs_50_160", "data=imagenet", f"data.root={text('/a ${b} c')}"),
    ("train=paper", "train.batch_size=32", "model.depth=200", "metrics_every_s=1"),
    ("train=efficientnet", "train.batch_size=32", "data=cifar10", "tracking=offline"),
)


@pytest.mark.parametrize("run", [*KINDS, tiny()], ids=str)
def test_the_printed_command_leads_to_the_same_run(run):
    run = settings_of(*run) if isinstance(run, tuple) else run
    again, folder = composed(command(stored(run), "a folder/with 'signs' & more"))
    assert again.run_id == run.run_id
    assert folder == "a folder/with 'signs' & more"


def test_a_run_from_a_file_of_weights_is_repeated_from_it(tmp_path):
    file = tmp_path / "it's.pt"
    file.write_bytes(b"weights")
    run = settings_of("+preset=resnet_rs_50_160", "data=imagenet", f"init={text(f'timm:{file}')}")
    assert composed(command(stored(run), "repeated"))[0].run_id == run.run_id


def test_defaults_need_no_override():
    assert overrides(stored(settings_of("precision=fp32"))) == ["precision=fp32"]
    assert "data=digits" in overrides(stored(settings_of("data=digits")))
    assert "seed=7" in overrides(stored(tiny(seed=7)))


def test_finished_runs_are_repeated_elsewhere_and_failed_ones_in_place(tmp_path):
    study = tmp_path / "results" / "demo"
    results = write_real_study(study, seeds=1)
    add_run(study, results[0], run_id="no-folder", status="failed", error="disk")
    path = study.parent / "runs" / results[1].run_id / "result.json"
    path.unlink()
    values = run_values(
        table_of(read_study(study), {}),
        study.parent / "runs",
        {"no-folder": RunForecast(3.0, None, None)},
    )
    by_id = {run["id"]: run for run in values}
    assert len(by_id) == len(results) + 1
    done, missing, bare = (by_id[k] for k in (results[0].run_id, results[1].run_id, "no-folder"))
    assert composed(done["command"])[1] == "repeated"
    again, folder = composed(missing["command"])
    assert (again.run_id, folder) == (results[1].run_id, str(study.parent))
    assert missing["reason"] == "no result yet"
    assert (bare["command"], bare["forecast_s"]) == (None, 3.0)


def test_runs_without_a_result_have_a_state_and_what_was_planned(tmp_path):
    study = tmp_path / "results" / "demo"
    results = write_real_study(study, seeds=1)
    runs_dir = study.parent / "runs"
    planned, failed, torn, halved = results[:4]
    (runs_dir / planned.run_id / "result.json").unlink()
    changes = {"status": "failed", "val_error": None, "cause": "host_memory", "error": "oom"}
    write_result(runs_dir / failed.run_id, replace(failed, **changes))
    (runs_dir / torn.run_id / "result.json").write_text("{")
    write_result(runs_dir / halved.run_id, replace(halved, memory_halvings=1))
    columns = ("run_id", "config_id", "epochs", "depth", "width", "resolution", "seed", "flops")
    with (study / "plan.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *([getattr(r, c) for c in columns] for r in results)])
    table = table_of(read_study(study), {})
    by_id = {run["id"]: run for run in run_values(table, runs_dir, {})}
    assert len(by_id) == len(results)
    states = {"planned": planned, "failed": failed, "unreadable": torn, "left out": halved}
    for state, result in states.items():
        found = by_id[result.run_id]
        assert found["state"] == state
        assert [found[c] for c in columns[2:]] == [getattr(result, c) for c in columns[2:]]
        folder = composed(found["command"])[1]
        assert (folder == "repeated") == (state == "left out")
    assert by_id[halved.run_id]["val_error"] == halved.val_error
    with Store(study.parent).claim(planned.run_id):
        (row, *_) = without_result(read_study(study))
    assert (row["run_id"], row["state"]) == (planned.run_id, "running")
    listed = "".join(left_out(table))
    assert "1 planned, 1 failed, 1 unreadable, 1 left out. " in listed
    assert "failed (host_memory): oom" in listed


@pytest.mark.parametrize("kind", ["failed", "diverged"])
def test_a_study_without_a_comparable_run_has_a_page_of_what_became_of_them(tmp_path, capsys, kind):
    results = runs({10: 0.1}, seeds=1)
    changes = {"status": kind, "val_error": None, "error": "boom & bust", "cause": "error"}
    study = write_study(tmp_path, [replace(r, **changes) for r in results])
    page = tmp_path / "out" / "report.html"
    assert main([str(study), "-o", str(page.parent)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.rstrip().endswith(f"{page} lists every run")
    text = page.read_text()
    assert all(result.run_id in text for result in results)
    assert ("failed (error): boom &amp; bust" in text) == (kind == "failed")
    assert ("6 failed. The sweep&#x27;s command" in text) == (kind == "failed")
    page.unlink()
    assert main([str(study), "-o", str(page.parent), "--where", "depth=7"]) == 2
    assert not page.exists()  # the page of another choice of runs would be lost


def test_bars_from_an_assumed_noise_say_so():
    seeds = [cell("a", 1.0, (0.5, 0.51)), cell("b", 2.0, (0.4, 0.41))]
    single = [replace(c, errors=c.errors[:1], epochs=99) for c in seeds]
    assert assumed_regimes(StudyCells([*seeds, *single])) == [99]
    assert (
        "mean over its seeds with a 95 % interval. "
        in explorer(StudyCells(seeds), published=False)[0]
    )
    assert (
        "one run, its bar assumed noise, one seed"
        in explorer(StudyCells(single), published=False)[0]
    )
    assert (
        "at 99 epochs one run, its bar assumed" in explorer(StudyCells([*seeds, *single]), False)[0]
    )


def test_the_environment_counts_runs(tmp_path):
    study = tmp_path / "results" / "demo"
    results = write_real_study(study, seeds=1)
    rows = [vars(replace(r, git_dirty=i == 0)) for i, r in enumerate(results)]
    found = {(e["what"], e["value"]): e["runs"] for e in environment(rows)}
    commit = results[0].git_commit
    assert found["git commit", commit] == len(rows) - 1
    assert found["git commit", f"{commit} with uncommitted changes"] == 1
    assert found["version of torch", "2.13"] == len(rows)
    assert found["device", "cpu: test"] == len(rows)


@pytest.mark.slow
@pytest.mark.alone
def test_the_report_of_500_runs_is_small_and_soon_there(tmp_path):
    study = tmp_path / "results" / "demo"
    results = write_real_study(study, seeds=13, resolutions=(16, 24, 32, 40))
    assert len(results) == 520
    start = time.monotonic()
    assert main([str(study), "-o", str(tmp_path / "out")]) == 0
    assert time.monotonic() - start < 90  # ten seconds alone on a core of 2024
    assert (tmp_path / "out" / "report.html").stat().st_size < 8e6


def test_every_resolution_has_a_frontier_of_its_own_with_a_band():
    """The frontier at a cost is the least error of what costs no more, of that px or of any."""
    cells = [
        replace(cell(f"{px}-{cost}", cost, (e, e + 0.01, e - 0.01)), resolution=px)
        for px, shift in ((16, 0.0), (24, 0.05))
        for cost, error in ((1.0, 0.5), (2.0, 0.3), (3.0, 0.4), (4.0, 0.2))
        for e in (error + shift,)
    ]
    found = frontier_values(StudyCells(cells), ["flops"])["flops"][10]
    assert found["16"]["cost"] == pytest.approx([1, 2, 3, 4])
    assert found["16"]["error"] == pytest.approx([0.5, 0.3, 0.3, 0.2])
    assert found["24"]["error"] == pytest.approx([0.55, 0.35, 0.35, 0.25])
    assert found["all"]["error"] == pytest.approx([0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.2, 0.2])
    for part in found.values():
        rows = zip(part["band_low"], part["error"], part["band_high"], strict=True)
        assert all(low < error < high for low, error, high in rows)
