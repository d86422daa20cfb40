"""What it saves that the lengths of a grid share their trunks, and what its anchors cost."""

from collections.abc import Sequence

from scaling_study.planning.plan import Planned


def saving_lines(rows: Sequence[Planned]) -> list[str]:
    """A line about a plan with trunks, whatever of it is trained already; else none.

    By FLOPs of training, or by epochs times images where those of a run are blank.
    """
    on_trunk = [row for row in rows if row.run.on_trunk]
    if not on_trunk:
        return []
    whole, shared = (sum(part) for part in zip(*map(_parts, on_trunk), strict=True))
    anchors = [row for row in rows if row.cell.anchor]
    added = sum(_parts(row)[0] for row in anchors)
    return [
        f"grid.one_trunk: {len(on_trunk)} runs of several lengths train {_percent(shared / whole)} "
        f"less than each alone, as their trunks are trained once; {len(anchors)} runs by cosine, "
        f"the anchors, add {_percent(added / whole)}"
    ]


def _parts(row: Planned) -> tuple[float, float]:
    """The work of a run's whole length, and of the part that another trains."""
    epochs = row.run.train.epochs
    whole = row.cost.train_flops or epochs * (row.columns["n_train"] or 1)
    return float(whole), whole * row.begins / epochs


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
