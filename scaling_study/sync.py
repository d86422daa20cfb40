"""python -m scaling_study.sync results/NAME: send a study's runs to W&B.

Runs are replayed from their files. Runs that W&B already has are not sent again; failures are
listed, and the next call retries them.
"""

import argparse
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scaling_study.common.command_line import entry_point, report
from scaling_study.common.errors import InputError
from scaling_study.config.tracking import Tracking, base_url, require_key, study_parser
from scaling_study.study.store import Store
from scaling_study.study.table import read_plan
from scaling_study.tracking import wandb_client, wandb_project
from scaling_study.tracking.base import TrackingError
from scaling_study.tracking.payload import Payload, payload_of, studies, tracked_run
from scaling_study.tracking.upload_record import UploadRecord, read_record, write_record
from scaling_study.tracking.uploader_handle import is_running
from scaling_study.tracking.wandb_client import CHECKPOINT, Target, Upload
from scaling_study.tracking.wandb_project import StoredRun

SOME_FAILED = 1
# Requests that the client makes per run; a test counts them.
REQUESTS_A_RUN = 10
# Failures in a row after which the remaining runs are not tried.
GIVE_UP = 3
# W&B may list a new run only after a moment, s.
VISIBLE_AFTER_S = 2


@dataclass(frozen=True)
class Options:
    """Destination, whether checkpoints go along, and limits: `rate` requests/s, `timeout_s` to open
    or to end a run."""

    project: str
    entity: str | None
    study: str
    rate: float
    timeout_s: float
    checkpoints: bool = False

    @property
    def tracking(self) -> Tracking:
        """The same as if runs were tracked while they train."""
        return Tracking(
            name="online",
            project=self.project,
            entity=self.entity,
            tags=(),
            finish_timeout_s=self.timeout_s,
            study=self.study,
            checkpoints=self.checkpoints,
        )


@dataclass(frozen=True)
class Item:
    """A run to send, tagged with the studies that list it."""

    payload: Payload
    run_dir: Path
    tags: tuple[str, ...]


def _positive(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text}: must be more than 0")
    return value


def sync(study_dir: Path, options: Options) -> int:
    """Send what is missing of a study, and print what was; an InputError without study or key."""
    plan = read_plan(study_dir)
    wandb_client.quiet_environment()
    require_key("sync")
    items, problems = _items([row["run_id"] for row in plan], study_dir)
    stale = [item for item in items if not _is_recorded(item, options)]
    sent: list[Item] = []
    if stale:
        try:
            wandb_client.require_answer()
            stale, known = _record_stored(stale, options)
            sent, failed = _send(stale, known, options)
            problems |= failed | _confirm(sent, options)
        except TrackingError as error:
            problems |= {item.payload.run_id: str(error) for item in stale}
    # Where nothing is to be sent nothing is asked.
    if (stale or options.entity) and (page := wandb_project.page(options.tracking)):
        print(f"W&B: project at {page}, a run at …/runs/RUN_ID")
    for run_id, problem in problems.items():
        print(f"  {run_id} not sent: {problem}")
    done = sum(item.payload.run_id not in problems for item in sent)
    up_to_date = sum(item.payload.run_id not in problems for item in items) - done
    waiting = len(plan) - done - up_to_date - len(problems)
    print(
        f"{study_dir}: {done} runs sent, {up_to_date} up to date, {len(problems)} not sent, "
        f"{waiting} not started or in work"
    )
    return SOME_FAILED if problems else 0


def _items(run_ids: Sequence[str], study_dir: Path) -> tuple[list[Item], dict[str, str]]:
    """Runs with something to send, and the reason for each that cannot be read."""
    store, listed = Store(study_dir.parent), studies(study_dir.parent)
    items, problems = [], {}
    for run_id in run_ids:
        run_dir = store.run_dir(run_id)
        # A run may fail before its first line of metrics: then there is nothing to send.
        if not any((run_dir / name).exists() for name in ("metrics.jsonl", "result.json")):
            continue
        if store.state(run_id) == "running" or is_running(run_dir):
            continue
        try:
            payload = payload_of(run_dir)
        except (ValueError, OSError) as error:
            problems[run_id] = f"unreadable: {error}"
        else:
            items.append(Item(payload, run_dir, tuple(listed[run_id])))
    return items, problems


def _is_recorded(item: Item, options: Options) -> bool:
    """Whether a record shows that all of the run is where the options say."""
    if (record := read_record(item.run_dir)) is None or not set(item.tags) <= set(record.tags):
        return False
    return record == _record(item, record, options) and not _lacks_checkpoint(item, record, options)


def _lacks_checkpoint(item: Item, found: UploadRecord | StoredRun, options: Options) -> bool:
    wanted = options.checkpoints and (item.run_dir / CHECKPOINT).is_file()
    return wanted and not found.checkpoint


def _record(item: Item, found: UploadRecord | StoredRun, options: Options) -> UploadRecord:
    return UploadRecord(
        url=base_url(),
        entity=options.entity,
        project=options.project,
        group=found.group,
        tags=found.tags,
        files_sha256=item.payload.digest,
        checkpoint=found.checkpoint,
    )


def _record_stored(
    items: Sequence[Item], options: Options
) -> tuple[list[Item], dict[str, StoredRun]]:
    """Write a record for each run that W&B has; returns the others, and what W&B has of any."""
    ids = [item.payload.run_id for item in items]
    known = wandb_project.stored_runs(ids, options.project, options.entity)
    left = []
    for item in items:
        found, digest = known.get(item.payload.run_id), item.payload.digest
        is_there = found and found.digest == digest and set(item.tags) <= set(found.tags)
        if found and is_there and not _lacks_checkpoint(item, found, options):
            write_record(item.run_dir, _record(item, found, options))
        else:
            left.append(item)
    return left, known


def _send(
    items: Sequence[Item], known: dict[str, StoredRun], options: Options
) -> tuple[list[Item], dict[str, str]]:
    """Send the runs one after the other; returns those sent, and the errors of the others."""
    sent, failed, in_a_row = [], {}, 0
    for item in items:
        run_id, start = item.payload.run_id, time.monotonic()
        if in_a_row >= GIVE_UP:
            failed[run_id] = f"not tried, after {GIVE_UP} failures in a row"
            continue
        try:
            _send_one(item, known.get(run_id), options)
        except TrackingError as error:
            failed[run_id] = str(error)
            in_a_row += 1
        else:
            sent.append(item)
            in_a_row = 0
        time.sleep(max(0.0, start + REQUESTS_A_RUN / options.rate - time.monotonic()))
    return sent, failed


def _send_one(item: Item, found: StoredRun | None, options: Options) -> None:
    group = found.group if found and found.group else options.study
    tags = tuple(dict.fromkeys([*(found.tags if found else ()), *item.tags]))
    upload = Upload.open(tracked_run(item.run_dir, options.tracking), Target(group, tags))
    for number, row in item.payload.rows:
        upload.write(number, row)
    upload.finish(item.payload.marked_summary)


def _confirm(sent: Sequence[Item], options: Options) -> dict[str, str]:
    """Record the sent runs that W&B lists, because its client does not notice every refusal."""
    waiting = list(sent)
    for wait in (0, VISIBLE_AFTER_S):
        if waiting:
            time.sleep(wait)
            waiting, _ = _record_stored(waiting, options)
    return {item.payload.run_id: "W&B does not show what was sent" for item in waiting}


@entry_point
def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0; 1 if something could not be sent; 2 for bad input."""
    what = "Send a study's runs to Weights & Biases; what is there is not sent again."
    parser = study_parser("scaling_study.sync", what)
    for option, default, unit, text in (
        ("--rate", 20, "N", "requests a second (%(default)s)"),
        ("--timeout-s", 60, "S", "give up opening or ending one run after this long (%(default)s)"),
    ):
        parser.add_argument(option, type=_positive, default=default, metavar=unit, help=text)
    checkpoints = "also the final checkpoint of each run, as an artifact"
    parser.add_argument("--checkpoints", action="store_true", help=checkpoints)
    args = parser.parse_args(arguments)
    study = args.results.resolve().name
    options = Options(args.project, args.entity, study, args.rate, args.timeout_s, args.checkpoints)
    try:
        return sync(args.results, options)
    except InputError as error:
        return report(str(error))


if __name__ == "__main__":
    sys.exit(main())
