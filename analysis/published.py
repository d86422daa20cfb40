"""`python -m analysis.published -o DIR`: the paper's claims on the paper's own printed numbers.

Bello et al. 2021 (arXiv 2103.07579): Figure 3, digitised, for depth against width, and Table 7
for speed against EfficientNet. The tables ship in `analysis/paper`, each row with its source.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from analysis.noise import prior_sd
from analysis.speedup import Family, Speedup, speedup_of
from analysis.tables import Table

PAPER = Path(__file__).with_name("paper")
# Two percent of the 1,281,167 training images are held out as the paper's "minival" split.
N_MINIVAL = 25_623
N_VALIDATION = 50_000
# No timing error is printed; 2 % is what repeated timings of one network usually differ by.
TIMING_CV = 0.02
HARDWARE = {
    "TPUv3": ("tpuv3_latency_ms_bf16", 10.0),
    "V100": ("v100_latency_s_fp32", 1.0),
}


def read(name: str) -> list[dict[str, str]]:
    """Rows of one shipped table, all values as printed."""
    with (PAPER / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _run(row: Mapping[str, str]) -> dict[str, Any]:
    cell = f"d{row['depth']}-w{float(row['width_multiplier']):g}-r{row['image_res_px']}"
    config_id = f"{cell}-e{row['epochs']}"
    return {
        "run_id": config_id,
        "config_id": config_id,
        "depth": int(row["depth"]),
        "width": float(row["width_multiplier"]),
        "resolution": int(row["image_res_px"]),
        "epochs": int(row["epochs"]),
        "seed": 0,
        "n_val": N_MINIVAL,
        "val_error": 1 - float(row["top1_minival_pct"]) / 100,
        "step_time_s": float(row["tpu_time_per_step_s"]),
        "flops": 2e9 * float(row["gmacs_recomputed"]),
        "params": 1e6 * float(row["params_M_recomputed"]),
    }


def depth_width_table() -> Table:
    """Figure 3 as a table of runs, one per cell; FLOPs are 2 x the recomputed multiply-adds."""
    runs, left_out = [], {}
    for row in read("fig3_depth_width_epochs"):
        missing = [c for c in ("tpu_time_per_step_s", "top1_minival_pct") if not row[c]]
        if missing:
            name = f"d{row['depth']}-r{row['image_res_px']}-e{row['epochs']}"
            left_out[name] = f"not readable in the figure: {', '.join(missing)}"
        else:
            runs.append(_run(row))
    return Table("published", tuple(runs), (), left_out, 1000)


def half_unit(printed: str, integer_unit: float) -> float:
    """Half of the last printed digit; whole numbers are multiples of `integer_unit`."""
    decimals = len(printed.partition(".")[2])
    return (10.0**-decimals if decimals else integer_unit) / 2


def family(name: str, column: str, integer_unit: float) -> Family:
    """One family of Table 7 with its latencies on one kind of hardware."""
    rows = read(name)
    error = np.array([1 - float(row["top1_pct_paper_table7"]) / 100 for row in rows])
    return Family(
        names=tuple(f"{row['model']}@{row['image_res_px']}" for row in rows),
        cost=np.array([float(row[column]) for row in rows]),
        error=error,
        cost_half=np.array([half_unit(row[column], integer_unit) for row in rows]),
        error_half=np.full(error.size, 0.0005),
        error_sd=np.array([prior_sd(e, N_VALIDATION) for e in error]),
        cost_cv=TIMING_CV,
    )


def speedups() -> dict[str, Speedup]:
    """ResNet-RS over EfficientNet at equal accuracy, by hardware."""
    return {
        hardware: speedup_of(
            family("resnet_rs_family", column, unit), family("efficientnet_family", column, unit)
        )
        for hardware, (column, unit) in HARDWARE.items()
    }


def speedup_records(results: Mapping[str, Speedup]) -> list[Record]:
    """A record per EfficientNet model and one for the mean, by hardware; None is outside."""
    records: list[Record] = []
    for hardware, s in results.items():
        bands = zip(s.names, s.ratio, s.ratio_low, s.ratio_high, strict=True)
        for model, *values in [*bands, ("mean", s.mean, s.mean_low, s.mean_high)]:
            numbers = [None if np.isnan(v) else float(v) for v in values]
            record = dict(zip(("estimate", "low", "high"), numbers, strict=True))
            records.append({"hardware": hardware, "model": model, **record})
    return records


def _speedup_line(hardware: str, s: Speedup) -> str:
    low, high = np.nanmin(s.ratio), np.nanmax(s.ratio)
    return (
        f"R5 {hardware}: ResNet-RS {low:.1f}-{high:.1f}x faster than EfficientNet at equal "
        f"accuracy; mean {s.mean:.2f}x [{s.mean_low:.2f}, {s.mean_high:.2f}]; outside the "
        f"overlap: {', '.join(s.outside)}"
    )


def _speedup_json(s: Speedup) -> dict[str, Any]:
    return {
        "mean": s.mean,
        "ci_low": s.mean_low,
        "ci_high": s.mean_high,
        "range": [float(np.nanmin(s.ratio)), float(np.nanmax(s.ratio))],
        "share_of_range": s.share,
        "outside": list(s.outside),
    }


def _save_speedups(records: Sequence[Record], directory: Path) -> Saved:
    title = "Speed at equal accuracy (Table 7), 95 % intervals"
    with style():
        return save(forest.speedups(records), records, directory, "speedups", title)


def command(directory: Path) -> list[str]:
    """Judge the paper's numbers and write everything to DIR; the lines to print."""
    directory.mkdir(parents=True, exist_ok=True)
    table, rules = depth_width_table(), prereg(None, {})
    by_cost = {cost: judge(table, rules, cost) for cost in COST_NAMES}
    main_verdicts = by_cost[rules.cost]
    fast = speedups()
    content = summary(table, rules, main_verdicts)
    content["by_cost"] = {
        cost: {j.rule: record(j, rules) for j in judgements} for cost, judgements in by_cost.items()
    }
    content["speedups"] = {hardware: _speedup_json(s) for hardware, s in fast.items()}
    write_json(directory / "verdicts.json", content)
    cells = cells_of(table.rows)
    saved = figures(cells, rules, main_verdicts, content["gaps"], directory)
    saved.append(_save_speedups(speedup_records(fast), directory))
    said = [_speedup_line(hardware, s) for hardware, s in fast.items()]
    sections = [
        ("Depth against width (Figure 3, digitised)", verdict_sections(main_verdicts, rules)),
        ("Speed (Table 7)", [report.paragraph(text) for text in said]),
        ("Figures", [report.figure(s) for s in saved]),
        ("Cells", [report.table(cell_records(cells), CELL_COLUMNS)]),
        (f"Cells left out ({len(table.left_out)})", left_out_section(table)),
    ]
    report.write(directory / "report.html", "The paper's claims on the paper's numbers", sections)
    others = [line(j, rules) for c, js in by_cost.items() if c != rules.cost for j in js]
    return [
        *(f"left out: {cell}: {reason}" for cell, reason in table.left_out.items()),
        f"figures and report.html in {directory}",
        "at other costs:",
        *(f"  {text}" for text in others),
        *said,
        *lines(main_verdicts, rules),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.published",
        description="The paper's claims, judged on the paper's own published numbers.",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    args = parser.parse_args(arguments)
    return run(lambda: command(args.output))


if __name__ == "__main__":
    sys.exit(main())
