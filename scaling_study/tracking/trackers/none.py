"""`tracking=none`: a run's own files alone, metrics.jsonl and result.json."""

from scaling_study.tracking.base import Tracker

TRACKER = Tracker(title="files", open=None)
