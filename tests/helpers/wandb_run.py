"""What a W&B server knows of a run, from what it was sent."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Run:
    """What the server knows of a run."""

    name: str
    group: str = ""
    job_type: str = ""
    display_name: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    streams: dict[str, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    files: dict[str, bytes] = field(default_factory=dict)
    exit_code: int | None = None
    preempting: bool = False
    opened: int = 0

    @property
    def history(self) -> list[dict[str, Any]]:
        """Rows as logged, without W&B's own columns but with `_step`."""
        lines = self.streams["wandb-history.jsonl"]
        rows = [json.loads(lines[i]) for i in sorted(lines)]
        return [{k: v for k, v in r.items() if k == "_step" or k[0] != "_"} for r in rows]

    @property
    def summary(self) -> dict[str, Any]:
        lines = self.streams["wandb-summary.json"]
        return json.loads(lines[max(lines)]) if lines else {}

    def values(self) -> dict[str, Any]:
        """The config without W&B's wrapping."""
        return {k: v["value"] for k, v in self.config.items() if k != "_wandb"}

    def stored(self) -> dict[str, Any]:
        """What a client that resumes asks for."""
        history, events = self.streams["wandb-history.jsonl"], self.streams["wandb-events.jsonl"]
        tail = [history[max(history)]] if history else []
        return {
            "id": "b",
            "name": self.name,
            "summaryMetrics": json.dumps(self.summary),
            "displayName": self.display_name,
            "logLineCount": 0,
            "historyLineCount": len(history),
            "eventsLineCount": len(events),
            "historyTail": json.dumps(tail),
            "eventsTail": "[]",
            "config": json.dumps(self.config),
            "tags": self.tags,
            "notes": None,
            "wandbConfig": '{"t": 1}',
        }

    def shown(self) -> dict[str, Any]:
        """What the public API answers."""
        return self.stored() | {
            "projectId": 1,
            "sweepName": None,
            "state": "running" if self.exit_code is None else "finished",
            "group": self.group,
            "jobType": self.job_type,
            "commit": None,
            "readOnly": False,
            "createdAt": "2026-01-01T00:00:00",
            "heartbeatAt": "2026-01-01T00:00:00",
            "description": "",
            "systemMetrics": "{}",
            "user": {"name": "me", "username": "me"},
            "historyKeys": {},
        }
