"""python -m scaling_study.train model.depth=26: one run in this process, stored like any other."""

from pathlib import Path
from typing import Any

from scaling_study import cli, display
from scaling_study.launch import inline
from scaling_study.launch.job import Job
from scaling_study.plan import runs_of, setting_of
from scaling_study.store import Store


def main(settings: dict[str, Any], overrides: list[str]) -> int:
    """Train the run that `settings` describe unless the store has its result."""
    (run,) = runs_of(settings, [{}])
    Store(Path(settings["results_dir"])).check_writable()
    (outcome,) = inline.launch([Job(run, setting_of(settings))])
    print(display.ended(outcome), flush=True)
    return 1 if outcome.status == "failed" else 0


if __name__ == "__main__":
    cli.run(main, "train")
