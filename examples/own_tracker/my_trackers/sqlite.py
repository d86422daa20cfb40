# my_trackers/sqlite.py
"""All runs of a store in one SQLite file, RESULTS/runs.sqlite: records as they come, results."""

import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from scaling_study.tracking.base import TrackedRun, Tracker

TABLES = """
CREATE TABLE IF NOT EXISTS runs (id TEXT PRIMARY KEY, name TEXT, config TEXT, summary TEXT);
CREATE TABLE IF NOT EXISTS records (run TEXT, number INTEGER, record TEXT);
"""


class Rows:
    """The sink of one run; it gets all of its records again at each attempt."""

    def __init__(self, run: TrackedRun) -> None:
        self._run = run.run_id
        path = run.folder.parent.parent / "runs.sqlite"
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._db.executescript(TABLES)
        columns = (run.run_id, run.name, json.dumps(run.config))
        self._db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, NULL)", columns)
        self._db.execute("DELETE FROM records WHERE run = ?", [run.run_id])

    def write(self, number: int, row: Mapping[str, Any]) -> None:
        # After an earlier checkpoint what was written from this number on is void.
        void = "DELETE FROM records WHERE run = ? AND number >= ?"
        self._db.execute(void, (self._run, number))
        record = (self._run, number, json.dumps(row))
        self._db.execute("INSERT INTO records VALUES (?, ?, ?)", record)

    def finish(self, summary: Mapping[str, Any]) -> None:
        found = (json.dumps(summary), self._run)
        self._db.execute("UPDATE runs SET summary = ? WHERE id = ?", found)
        self._db.close()


TRACKER = Tracker(title="SQLite", open=Rows)
