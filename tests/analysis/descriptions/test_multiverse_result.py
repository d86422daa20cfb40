"""What is said of other analyses, in words and in files."""

import json
import re

import pytest

from analysis.__main__ import main
from analysis.descriptions.multiverse_result import Analysis, Multiverse
from helpers.judged import verdicts
from helpers.made_up_results import runs
from helpers.study import write_study


def test_descriptions_count_what_was_done():
    at = [Analysis(cost, "", "") for cost in ("FLOPs", "parameters")]
    seeds = [Analysis("FLOPs", "replicate", f"without seed {k}") for k in range(3)]
    cell = Analysis("FLOPs", "cell", "without a")
    found = dict.fromkeys([*at, *seeds], "supported") | {cell: "not_testable", at[1]: "refuted"}
    result = Multiverse("supported", found, cells=1)
    assert result.count == "supported in 4 of 5 analyses"
    assert result.description == (
        "supported in 4 of 5 analyses: at 2 costs and, at the declared one, without each of 3 "
        "replicates; 1 more could not be made"
    )
    assert "supported by cost: FLOPs 4 of 4, parameters 0 of 1" in result.shares()
    assert result.record()["verdicts"]["not_testable"] == ["at equal FLOPs, without a"]
    assert sum(map(len, result.record()["verdicts"].values())) == len(found)


@pytest.mark.slow
def test_the_count_stands_with_each_verdict(tmp_path, capsys):
    made = write_study(tmp_path, runs({4: -0.10, 24: 0.10}))
    assert main([str(made), "-o", str(tmp_path / "out"), "--formats", "none", "--details"]) == 0
    page, printed = (tmp_path / "out/report.html").read_text(), capsys.readouterr().out
    found = verdicts(tmp_path / "out")
    for name, verdict in found.items():
        if verdict["verdict"] == "not_testable":
            assert "multiverse" not in verdict
            continue
        other = verdict["multiverse"]
        count = f"{verdict['verdict']} in {other['same']} of {other['analyses']} analyses"
        assert other["description"].startswith(count)
        assert f"{other['description'][1:]}." in re.sub("</?span[^>]*>", "", page)
        (line,) = (text for text in printed.splitlines() if text.startswith(f"{name} "))
        assert line.endswith(f"; {count}")
    assert "R1-long" in found
    assert json.loads((tmp_path / "out/verdicts.json").read_text())["study"] == "demo"
