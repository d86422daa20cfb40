"""How far the runs of a sweep are, and when the last will have ended, from files alone."""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from scaling_study.launch.outcome import Outcome
from scaling_study.planning.order import last_end_s, needs_of
from scaling_study.planning.plan import Planned
from scaling_study.study.claims import alive, read_note
from scaling_study.study.run_metrics import reached
from scaling_study.study.store import Store

# So many runs, in the order in which they start, are looked at for those in work.
LOOKED_AT = 500
# A run that has not ended has done at most this share.
NEARLY = 0.99


@dataclass(frozen=True)
class InWork:
    """A run that trains now: `epoch` is what its metrics said at the time `at`, s since 1970.

    `began` is when its process did, `loss` None before the first record.
    """

    row: Planned
    epoch: float
    loss: float | None
    began: float
    at: float


@dataclass(frozen=True)
class Progress:
    """`share` of the work that is done, seconds `left` (None: not known yet), runs in work."""

    share: float
    left: float | None
    working: Sequence[InWork]


class Work:
    """The runs that a sweep starts, in that order, `slots` at a time.

    Work is counted in forecast seconds, or as `Planned.work` unless all runs have a forecast.
    Outcomes may be added by one thread while another looks.
    """

    def __init__(self, rows: Sequence[Planned], store: Store, slots: int) -> None:
        self._rows = {row.run.run_id: row for row in rows}
        self._store, self._slots = store, max(slots, 1)
        self._forecast = all(row.forecast_s is not None for row in rows)
        self._amount = {
            run_id: (row.forecast_s or 0.0) if self._forecast else row.work
            for run_id, row in self._rows.items()
        }
        self._outcomes = dict[str, Outcome]()
        # Epochs that runs had when they were first seen, and the largest shares that were.
        self._first, self._most = dict[str, float](), dict[str, float]()
        self._lock = threading.Lock()

    def add(self, outcome: Outcome) -> None:
        """A run has ended."""
        with self._lock:
            self._outcomes[outcome.run_id] = outcome

    @property
    def runs(self) -> int:
        return len(self._rows)

    @property
    def finished(self) -> int:
        """Runs that need no more work of this sweep: all outcomes but those that were stopped."""
        return sum(outcome.status != "stopped" for outcome in self._outcomes.values())

    @property
    def statuses(self) -> Counter[str]:
        """How many runs have ended with each status."""
        return Counter(outcome.status for outcome in self._outcomes.values())

    def look(self, now: float) -> Progress:
        """The work at the time `now`, in s since 1970."""
        with self._lock:
            working = self._working()
            pace = self._pace(working)
            for one in working:
                run_id = one.row.run.run_id
                share = self._share(one, pace, now)
                self._most[run_id] = max(share, self._most.get(run_id, 0.0))
            done = self._done()
            return Progress(done, self._left(working, pace), working)

    def _working(self) -> list[InWork]:
        """The runs that live processes claim."""
        found = []
        open_ = [run_id for run_id in self._rows if run_id not in self._outcomes]
        for run_id in open_[:LOOKED_AT]:
            folder = self._store.run_dir(run_id)
            if not alive(folder / "job.json"):
                continue
            began = float(read_note(folder / "job.json").get("began") or 0.0)
            seen = reached(folder)
            epoch, loss = (seen.epoch, seen.loss) if seen else (self._rows[run_id].begins, None)
            self._first.setdefault(run_id, epoch)
            at = max(began, seen.at) if seen else began
            found.append(InWork(self._rows[run_id], epoch, loss, began, at))
        return found

    def _pace(self, working: Sequence[InWork]) -> float | None:
        """Seconds per amount of work, by what has been done; a forecast counts as one run."""
        amount = sum(self._amount.values()) / len(self._rows) if self._forecast else 0.0
        seconds = amount
        for run_id, outcome in self._outcomes.items():
            if outcome.status in ("ok", "diverged") and outcome.wall_s is not None:
                seconds += outcome.wall_s
                amount += self._amount[run_id]
        for one in working:
            run_id = one.row.run.run_id
            if (gained := one.epoch - self._first[run_id]) > 0:
                seconds += one.at - one.began
                amount += self._amount[run_id] * gained / one.row.own_epochs
        return seconds / amount if amount else None

    def _share(self, one: InWork, pace: float | None, now: float) -> float:
        """The share of a run that is done: what is on record, and since then an epoch at most."""
        epochs = one.row.own_epochs
        share = max(one.epoch - one.row.begins, 0.0) / epochs
        if pace:
            whole_s = self._amount[one.row.run.run_id] * pace
            share += min(max(now - one.at, 0.0) / whole_s, 1 / epochs)
        return min(share, NEARLY)

    def _done(self) -> float:
        """The share of all work that is done; it never falls."""
        ended = (r for r, outcome in self._outcomes.items() if outcome.status != "stopped")
        shares = self._most | dict.fromkeys(ended, 1.0)
        done = sum(share * self._amount[run_id] for run_id, share in shares.items())
        return done / (sum(self._amount.values()) or 1.0)

    def _left(self, working: Sequence[InWork], pace: float | None) -> float | None:
        """Seconds until the last run ends."""
        if pace is None:
            return None
        first = [one.row.run.run_id for one in working]
        rest = [r for r in self._rows if r not in self._outcomes and r not in {*first}]
        seconds = [self._amount[r] * pace * (1 - self._most.get(r, 0.0)) for r in (*first, *rest)]
        needs = needs_of({r: self._rows[r].run.parents for r in (*first, *rest)})
        return last_end_s(seconds, max(self._slots, len(first)), needs)
