"""Answers on standard output, a line each, the questions on standard input: what networks cost."""

import json
import os
import select
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import from_values
from scaling_study.models import family

# A plan asks without pauses; once it is made, torch's memory is given back.
IDLE_S = 20


def main() -> None:
    """Answer until there are no more questions."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever asks decides what Ctrl-C does
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # nothing is computed here
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a family prints is no answer
    while select.select([sys.stdin], [], [], IDLE_S)[0] and (line := sys.stdin.readline()):
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


def answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    """`count.counted` as plain values, or `refused` with the reason that nothing can be built."""
    from scaling_study.models.counting.count import counted

    try:
        kind = family(asked["model"]["family"])
        model = from_values(kind.config, asked["model"], "model.")
        assert kind.build is not None
        found = counted(
            lambda: kind.build(model, asked["outputs"], asked["resolution"]),  # type: ignore[misc]
            asked["outputs"],
            asked["resolution"],
            asked["precision"],
        )
    except InputError as error:
        return {"refused": str(error)}
    except Exception as error:  # a family's code can raise anything
        sizes = ", ".join(f"{key}={value}" for key, value in asked["model"].items())
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        return {"refused": f"model: no network can be built of {sizes}: {reason}"}
    values = asdict(found)
    for part in ("fixed", "per_image"):
        values["memory"][part] = getattr(found.memory, part).tolist()
    return values
