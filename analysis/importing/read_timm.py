"""timm's published result tables: accuracy joined with throughput, with our columns.

`results-imagenet.csv` gives accuracy by model and test size, `benchmark-infer-*.csv` and
`benchmark-train-*.csv` throughput by architecture and image size. An accuracy belongs to weights
(`resnet50.a1_in1k`), a throughput to their architecture (`resnet50`).
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.importing.columns import converted
from analysis.importing.read_csv import Imported, frame_of, read_rows, refuse_duplicates
from scaling_study.common.errors import InputError

N_VALIDATION = 50_000
ACCURACY = {
    "model": "model",
    "val_error": "top1_err",
    "resolution": "img_size",
    "params": "param_count",
}
OPTIONAL = ("params", "batch_size", "flops", "activations", "step_time_s")
UNITS = {
    "val_error": "percent",
    "params": "millions",
    "flops": "GMACs",
    "activations": "millions",
    "image_time_s": "per second",
    "step_time_s": "ms",
}


def _timed(kind: str) -> dict[str, str]:
    """Our names for the columns of a benchmark of inference or training."""
    columns = {
        "model": "model",
        "resolution": f"{kind}_img_size",
        "image_time_s": f"{kind}_samples_per_sec",
        "batch_size": f"{kind}_batch_size",
        "flops": f"{kind}_gmacs",
        "activations": f"{kind}_macts",
    }
    return columns | ({"step_time_s": "train_step_time"} if kind == "train" else {})


def _ours(path: Path) -> tuple[str, pd.DataFrame]:
    """Which table a file is (results, infer or train) and its rows with our columns."""
    frame = frame_of(read_rows(path))
    if {"top1_err", "img_size", "model"} <= set(frame):
        return "results", _checked(path, frame, ACCURACY)
    for kind in ("infer", "train"):
        if f"{kind}_samples_per_sec" in frame:
            return kind, _checked(path, frame, _timed(kind))
    raise InputError(
        f"{path} is no table of timm's: it needs model, top1_err and img_size, or "
        f"infer_samples_per_sec or train_samples_per_sec; it has {', '.join(frame.columns)}"
    )


def _checked(path: Path, frame: pd.DataFrame, theirs: dict[str, str]) -> pd.DataFrame:
    columns = {o: t for o, t in theirs.items() if t in frame or o not in OPTIONAL}
    try:
        ours = converted(frame, columns, {o: u for o, u in UNITS.items() if o in columns})
        refuse_duplicates(ours)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    return ours


def _why(model: str, resolution: float, timed: dict[str, list[float]]) -> str:
    """Why a model of the results has no throughput."""
    sizes = timed.get(model) or timed.get(model.partition(".")[0])
    if not sizes:
        return "no throughput"
    return f"tested at {resolution:g} px, timed at {' and '.join(f'{s:g}' for s in sizes)} px"


def join(results: pd.DataFrame, benchmark: pd.DataFrame) -> Imported:
    """Accuracy with the throughput at the same image size; other models are left out by name.

    A throughput under the full name of the weights comes before that of their architecture.
    """
    named = set(benchmark["model"])
    keys = [m if m in named else m.partition(".")[0] for m in results["model"]]
    costs = benchmark.rename(columns={"model": "architecture"})
    both = results.assign(architecture=keys).merge(
        costs, on=["architecture", "resolution"], how="left", indicator=True
    )
    timed = {str(m): sorted(rows["resolution"]) for m, rows in benchmark.groupby("model")}
    missing = both[both.pop("_merge") != "both"]
    left_out = {
        f"{r['model']}@{r['resolution']:g}": _why(r["model"], r["resolution"], timed)
        for r in missing.to_dict("records")
    }
    kept = both.drop(index=missing.index).reset_index(drop=True)
    if kept.empty:
        raise InputError("no model of the results has a throughput at the size it was tested at")
    return Imported(pd.DataFrame(kept), left_out)


def read_timm(paths: Sequence[Path]) -> Imported:
    """timm's results, joined with one benchmark table if there is one; in any order.

    Costs are `params`, `flops` (2 x multiply-adds), `activations` and `image_time_s` (1 over
    throughput; steps of different batch sizes do not compare). `n_val` is ImageNet's 50,000 and
    `data` imagenet.

    Raises:
        InputError: unreadable, not one table of results and at most one benchmark, duplicates,
            or no model in both.
    """
    tables = [_ours(path) for path in paths]
    results = [frame for kind, frame in tables if kind == "results"]
    benchmarks = [frame for kind, frame in tables if kind != "results"]
    if len(results) != 1 or len(benchmarks) > 1:
        raise InputError(
            "give one table of results and at most one benchmark, as in results-imagenet.csv "
            f"benchmark-infer-*.csv; these are {', '.join(kind for kind, _ in tables)}"
        )
    accuracy = results[0].assign(n_val=N_VALIDATION, data="imagenet")
    return join(accuracy, benchmarks[0]) if benchmarks else Imported(accuracy)
