"""Which evaluation images runs get right, read where a study's rules ask for it."""

from collections.abc import Mapping, Sequence
from typing import Any

from scaling_study.study.image_outcomes import read_image_outcomes
from scaling_study.study.table import Study


def with_images(rows: Sequence[Mapping[str, Any]], study: Study) -> list[Mapping[str, Any]]:
    """The rows with what each run says of its images, where `rules.generalise` is declared.

    None where a run does not say.
    """
    if "generalise" not in (study.grid.get("rules") or {}):
        return list(rows)
    runs = study.path.parent / "runs"
    return [{**row, "images": read_image_outcomes(runs / str(row["run_id"]))} for row in rows]
