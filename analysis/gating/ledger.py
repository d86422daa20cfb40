"""A series of decisions on disk: one JSON object a line, the budget first."""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from analysis.gating.budget import level
from analysis.gating.decide import Decision
from scaling_study.common.errors import InputError
from scaling_study.common.files import locked, replace_file
from scaling_study.common.reading import UnreadableError, parsed_json, text_in
from scaling_study.common.validation import is_number

SCHEMA = 1


class Ledger:
    """The decisions in a file, or a series of this decision alone where `path` is None."""

    def __init__(self, path: Path | None, alpha: float) -> None:
        """Raises an InputError for a file that is no ledger, or has another budget."""
        self.path, self.alpha = path, alpha
        self.decisions: list[dict[str, Any]] = []
        if path is not None and path.exists():
            self._read(path)

    def level(self) -> float:
        """The level of the next decision; without a file the whole budget."""
        if self.path is None:
            return self.alpha
        past = [(one["level"], one["verdict"] == "supported") for one in self.decisions]
        return level(past, self.alpha)

    def answered(self, question: str) -> dict[str, Any] | None:
        """The decision about the same runs and margin; asking twice costs nothing."""
        return next((one for one in self.decisions if one["question"] == question), None)

    def add(self, decision: Decision, question: str, names: Sequence[str]) -> dict[str, Any]:
        """Append a decision, whole or not at all."""
        number = len(self.decisions) + 1
        record = asdict(decision) | {
            "number": number,
            "question": question,
            "base": names[0],
            "change": names[1],
            "time": time.time(),
        }
        self.decisions.append(record)
        if self.path is not None:
            head = {"schema": SCHEMA, "alpha": self.alpha}
            lines = [json.dumps(one) for one in (head, *self.decisions)]
            replace_file(self.path, "\n".join(lines) + "\n")
        return record

    def _read(self, path: Path) -> None:
        try:
            head, *rest = (parsed_json(line) for line in text_in(path).splitlines())
        except (UnreadableError, ValueError) as error:
            raise InputError(f"--ledger {path}: no ledger ({error})") from None
        if not isinstance(head, dict) or head.get("schema") != SCHEMA:
            raise InputError(f"--ledger {path}: no ledger: it does not begin with its budget")
        if head.get("alpha") != self.alpha:
            raise InputError(
                f"--alpha {self.alpha:g}: {path} was begun with {head.get('alpha')}, and a budget "
                "that changes on the way is none; begin another ledger"
            )
        for one in rest:
            whole = isinstance(one, dict) and is_number(one.get("level"))
            if not whole or not {"verdict", "question"} <= one.keys():
                raise InputError(f"--ledger {path}: {str(one)[:60]} is no decision")
        self.decisions = rest


def alone(path: Path | None) -> AbstractContextManager[object]:
    """Only one decision at a time is added to a ledger."""
    if path is None:
        return nullcontext()
    if not path.parent.is_dir():
        raise InputError(f"--ledger {path}: no folder {path.parent}")
    return locked(path.with_name(f".{path.name}.lock"))


def question_of(base: Sequence[Mapping[str, Any]], change: Sequence[Mapping[str, Any]],
                margin: float) -> str:  # fmt: skip
    """A hash of the outcomes, seeds and treatments of both groups, and of the margin."""
    said = [
        sorted(repr((row["outcome"], str(row["seed"]), row["treatment"])) for row in rows)
        for rows in (base, change)
    ]
    return hashlib.sha256(json.dumps([said, margin]).encode()).hexdigest()[:16]
