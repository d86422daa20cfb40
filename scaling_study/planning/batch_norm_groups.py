"""Over which images batch norm works where several processes train a run: its recipe says so."""

from scaling_study.common.validation import require
from scaling_study.config.run import RunConfig
from scaling_study.cost.step_memory import has_batch_norm
from scaling_study.grid.parent_expression import NAME

GHOSTS = "train.ghost_batch={seen} has groups of so many with any number"
ALL = "train.sync_batch_norm=true lets it see those of all"


def check_batch_norm(
    run: RunConfig, processes: int, setting: str, value: object, stage: str = ""
) -> None:
    """Raise an InputError if `processes` would decide over which images batch norm works.

    `setting` had their number as its `value`; `stage` is what a grid calls a run that others start
    from, "" for its cells.
    """
    seen = run.train.batch_size // run.train.accumulation // processes
    require(
        processes == 1 or run.program is not None or _of_the_recipe(run),
        setting,
        value,
        f"{run.run_id} takes {processes} processes, in each of which batch norm would see {seen} "
        f"images, by the accident of that number; {_remedy(seen, stage)}",
    )


def _of_the_recipe(run: RunConfig) -> bool:
    """Whether the recipe alone decides over which images batch norm works, if there is any."""
    recipe = run.train.sync_batch_norm or run.train.ghost_batch > 0
    return recipe or not has_batch_norm(run)


def _remedy(seen: int, stage: str) -> str:
    both = f"{GHOSTS.format(seen=seen)}, {ALL}"
    if NAME.fullmatch(stage):  # it has a recipe of its own, which no other setting reaches
        return f"{both}: '+grid.parents.{stage}={{train.sync_batch_norm: true}}'"
    return f"{both}: run({stage}, train.sync_batch_norm=true)" if "=" in stage else both
