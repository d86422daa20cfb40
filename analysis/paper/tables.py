"""The paper's printed and digitised numbers as they are; each CSV row names its source.

Bello et al. 2021 (arXiv 2103.07579): Figures 2 and 3 (digitised) and Table 7.
"""

import csv
from pathlib import Path

PAPER = Path(__file__).parent


def read(name: str) -> list[dict[str, str]]:
    """Rows of one shipped table, all values as printed."""
    with (PAPER / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
