"""Writes schema_N.tar.gz, a small store of the present schema of results: `python
tests/compat/write_small_store.py EMPTY_FOLDER`, once for each schema that is released.
"""

import json
import sys
from pathlib import Path

from write_store import pack, run

from scaling_study.study.result import SCHEMA

HERE = Path(__file__).resolve().parent
SMALL = (
    *("+grid=smoke", "grid.name=small", "grid.points=[{width: 0.03125}]"),
    *("grid.axes.depth=[14]", "grid.axes.seed=[0,1,2]"),
    *("train.epochs=2", "train.warmup_epochs=0", "data.train_per_class=16", "train.batch_size=16"),
    *("data.val_per_class=8", "measure.at_end=false", "launcher.slots=1", "precision=fp32"),
)


def store_of(schema: int) -> Path:
    """The small store that keeps results of this schema."""
    return HERE / f"schema_{schema}.tar.gz"


def main(folder: Path) -> None:
    """Three finished runs, of which one has lost its result and kept its checkpoint."""
    run(folder, [sys.executable, "-m", "scaling_study.sweep", *SMALL])
    for path in sorted(folder.glob("results/runs/*/*")):
        if path.name in ("log.txt", "checkpoint.prev.pt"):
            path.unlink()
        elif path.name == "job.json":
            note = json.loads(path.read_text(encoding="utf-8"))
            path.write_text(json.dumps(note | {"host": "host", "node": "host"}), encoding="utf-8")
    lost = sorted(folder.glob("results/runs/*/result.json"))[-1]
    for path in folder.glob("results/runs/*/checkpoint.pt"):
        if path.parent != lost.parent:
            path.unlink()
    lost.rename(folder / "results/lost.json")
    pack(folder, store_of(SCHEMA))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
