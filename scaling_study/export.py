"""python -m scaling_study.export RUN_DIR -o FILE: a run's weights by timm's names."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from scaling_study.common.command_line import entry_point, report
from scaling_study.common.errors import InputError
from scaling_study.common.reading import yaml_in
from scaling_study.config.run import RunConfig, run_config
from scaling_study.models import timm_weights


@entry_point
def main(arguments: list[str]) -> int:
    """Write the weights; 2 with one message for a run or a file that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m scaling_study.export", description=__doc__)
    parser.add_argument("run_dir", type=Path, help="RESULTS/runs/RUN_ID")
    parser.add_argument("-o", dest="out", type=Path, required=True, help=".safetensors or .pth")
    choices, text = ("ema", "model"), "their average, or the last step"
    parser.add_argument("--weights", choices=choices, default="ema", help=text)
    options = parser.parse_args(arguments)
    try:
        export(options.run_dir, options.out, options.weights)
    except InputError as error:
        return report(str(error))
    print(f"wrote {options.out}")
    return 0


def export(run_dir: Path, out: Path, weights: str) -> None:
    """Write the `ema` or the last (`model`) weights of the run in `run_dir` to `out`.

    Raises an InputError without a run with a checkpoint there, for a network that timm does not
    have, or if `out` cannot be written.
    """
    run = _run_in(run_dir)
    timm_weights.names(run.model)
    if out.suffix not in (".safetensors", ".pth"):
        raise InputError(f"-o {out}: must end in .safetensors or .pth")
    from scaling_study.training.checkpoint import Checkpoints

    if (state := Checkpoints(run_dir, every_s=0).load(run.run_id)) is None:
        raise InputError(
            f"{run_dir}: there is no checkpoint that can be read; runs keep theirs with "
            "checkpoint.keep=final"
        )
    timm_weights.export(state[weights], run.model, out)


def _run_in(run_dir: Path) -> RunConfig:
    """The run that config.yaml in `run_dir` describes."""
    path = run_dir / "config.yaml"
    try:
        values = yaml_in(path)
        if isinstance(values, Mapping):
            return run_config(values)
        raise InputError("it holds no settings")
    except FileNotFoundError:
        raise InputError(f"{run_dir}: no run is there (No such file or directory)") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
