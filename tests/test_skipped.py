"""What a machine lacks is told in one line at the end of the tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import environment

PAGE = Path(__file__).parent / "analysis/report/page/test_live_page.py"


@pytest.mark.slow
def test_tests_that_need_a_browser_say_how_to_get_one(tmp_path: Path) -> None:
    no_browser = {"PATH": str(tmp_path), "CHROMIUM": ""}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-q", str(PAGE)],
        env=environment() | no_browser,
        cwd=PAGE.parents[4],
        capture_output=True,
        text=True,
        check=False,
    )
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("not run: "))
    assert "(no chromium here: apt-get install chromium, or CHROMIUM=path)" in line
    assert "real SLURM (make slurm-test; root on Debian installs it)" in line
    assert line.endswith("long ones (make test-slow)")
