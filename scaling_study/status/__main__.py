"""python -m scaling_study.status results/NAME [--json | --watch]: the state of a study."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.live import Live

from scaling_study.common.command_line import entry_point, parser, report
from scaling_study.common.errors import InputError
from scaling_study.common.terminal import console, has_reader
from scaling_study.launch.queue_view import Accounts
from scaling_study.status.overview import Overview, overview
from scaling_study.status.view import screen, view
from scaling_study.study.active_sweep import is_at_work


@entry_point
def main(arguments: Sequence[str] | None = None) -> int:
    """Print the status of the study that the command line names; the exit code."""
    asked = parser(
        "scaling_study.status",
        "Shows a map of the runs of a study by state, progress, the time left, and failures with "
        "their cause and log.",
    )
    asked.add_argument("study", type=Path, help="a study's folder, as in results/depth_vs_width")
    how = asked.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="everything as one JSON object")
    how.add_argument("--watch", action="store_true", help="a live view until nothing is left")
    asked.add_argument(
        "--every", type=_seconds, default=15.0, metavar="S", help="seconds between views of --watch"
    )
    options = asked.parse_args(arguments)
    try:
        if options.watch:
            _watch(options.study, options.every)
        elif options.json:
            print(overview(options.study).as_json(), flush=True)
        else:
            console().print(view(overview(options.study)))
    except InputError as error:
        return report(str(error))
    except KeyboardInterrupt:
        pass
    return 0


def _seconds(text: str) -> float:
    if not (value := float(text)) >= 1:
        raise argparse.ArgumentTypeError(f"{text}: must be 1 second or more")
    return value


def _watch(study: Path, every_s: float) -> None:
    """Show the study until no run of it is running or queued."""
    accounted: Accounts = {}
    seen, here = overview(study, accounted), console()
    with Live(screen(seen, here), console=here, auto_refresh=False) as live:
        while _goes_on(seen, study) and has_reader():
            time.sleep(every_s)
            seen = overview(study, accounted)
            live.update(screen(seen, here), refresh=True)


def _goes_on(seen: Overview, study: Path) -> bool:
    """Also between two runs, and before the first, while a sweep here still has runs to start."""
    at_work = bool(seen.counts["running"] or seen.counts["queued"])
    return at_work or is_at_work(study)


if __name__ == "__main__":
    sys.exit(main())
