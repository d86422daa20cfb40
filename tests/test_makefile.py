"""What only a Makefile target puts together."""

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import environment
from scaling_study.study.result import read_result

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
def test_replicate_trains_studies_without_a_common_run_and_compares_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *("make", "--no-print-directory", "-f", str(ROOT / "Makefile"), "replicate"),
            # The environment is the one that runs the tests.
            *("-o", ".venv/.installed", f"BIN={Path(sys.executable).parent}"),
            *("GRID=smoke", "SEEDS=0,1 2,3", "ARGS=measure.at_end=false"),
        ],
        cwd=tmp_path,
        env=environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = [read_result(path) for path in tmp_path.glob("results/runs/*/result.json")]
    assert sorted(r.seed for r in results) == [0, 0, 1, 1, 2, 2, 3, 3]
    assert {r.status for r in results} == {"ok"}
    plans = [tmp_path / f"results/{name}/freeze.json" for name in ("smoke", "smoke_2")]
    assert all(path.is_file() for path in plans)
    shown = done.stdout[done.stdout.index("runs in cells") :]
    assert "4 in 2" in shown
    assert "do not confirm each other" not in shown
