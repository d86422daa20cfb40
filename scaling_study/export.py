"""python -m scaling_study.export RUN_DIR -o FILE: a run's weights by timm's names."""

import argparse
import sys
from pathlib import Path

import yaml

from scaling_study.cli import report
from scaling_study.config import run_config
from scaling_study.errors import InputError
from scaling_study.models import timm


def main(arguments: list[str]) -> int:
    """Write the weights; 2 with one message if the run or the file is not what it has to be."""
    parser = argparse.ArgumentParser(prog="python -m scaling_study.export", description=__doc__)
    parser.add_argument("run_dir", type=Path, help="RESULTS/runs/RUN_ID")
    parser.add_argument("-o", dest="out", type=Path, required=True, help=".safetensors or .pth")
    parser.add_argument(
        "--weights", choices=("ema", "model"), default="ema", help="their average, or the last step"
    )
    options = parser.parse_args(arguments)
    try:
        export(options.run_dir, options.out, options.weights)
    except InputError as error:
        return report(str(error))
    print(f"wrote {options.out}")
    return 0


def export(run_dir: Path, out: Path, weights: str) -> None:
    """Write the `ema` or the last (`model`) weights of the run in `run_dir` to `out`.

    Raises:
        InputError: no run with a checkpoint there, or a network that timm does not have.
    """
    try:
        run = run_config(yaml.safe_load((run_dir / "config.yaml").read_text(encoding="utf-8")))
    except OSError as error:
        raise InputError(f"{run_dir}: no run is there ({error.strerror})") from None
    timm.names(run.model)
    if out.suffix not in (".safetensors", ".pth"):
        raise InputError(f"-o {out}: must end in .safetensors or .pth")
    checkpoint = run_dir / "checkpoint.pt"
    if not checkpoint.is_file():
        raise InputError(
            f"{checkpoint}: there is none; runs keep theirs with checkpoint.keep=final"
        )
    import torch

    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    timm.export(state[weights], run.model, out)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
