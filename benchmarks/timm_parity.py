"""Our networks against timm's: python benchmarks/timm_parity.py [NAME ...]

Names are `resnetrs50` to `resnetrs420` (the default: all seven) and `efficientnet_b0` to `_b7`,
whose batch norms are given our eps here. Needs timm 1.0 and torchvision, which the project does
not: install both without dependencies into an environment of their own that also sees the project's
packages (benchmarks/README.md). `--keys FILE` writes names and shapes of timm's state dicts, which
tests/models/test_timm_weights.py reads.
"""

import argparse
import gzip
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from scaling_study.models import network
from scaling_study.models.families.efficientnet import BATCH_NORM_EPS, EfficientNetConfig
from scaling_study.models.families.resnet import ResNetConfig
from scaling_study.models.family import ModelConfig
from scaling_study.models.initial_weights import initial_weights
from scaling_study.models.modules import build
from scaling_study.models.timm_weights import export, load

# torchvision's CUDA build declares these operators in a library that a CPU torch cannot load.
LIBRARY = torch.library.Library("torchvision", "DEF")
for operator in ("nms", "qnms"):
    LIBRARY.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import timm  # noqa: E402

DEPTHS = (50, 101, 152, 200, 270, 350, 420)
# Even and odd feature maps: 160 px gives 40, 20, 10 and 5 px, 111 px gives 28, 14, 7 and 4.
SIDES = (160, 111)
# Coefficients of depth and width (Tan and Le 2019, the released code).
COMPOUND = {
    f"efficientnet_b{n}": pair
    for n, pair in enumerate(
        [
            (1.0, 1.0),
            (1.1, 1.0),
            (1.2, 1.1),
            (1.4, 1.2),
            (1.8, 1.4),
            (2.2, 1.6),
            (2.6, 1.8),
            (3.1, 2.0),
        ]
    )
}


def config(name: str) -> ModelConfig:
    """Our model of timm's name."""
    if name in COMPOUND:
        depth, width = COMPOUND[name]
        return EfficientNetConfig(
            family="efficientnet",
            depth=depth,
            width=width,
            stem="imagenet",
            se_ratio=0.25,
            bn_momentum=0.01,
            dropout=0.0,
            stochastic_depth=0.0,
        )
    return ResNetConfig(
        family="resnet",
        depth=int(name.removeprefix("resnetrs")),
        width=1.0,
        block="bottleneck",
        stem="rs",
        shortcut="average",
        stride_in="conv2",
        se_ratio=0.25,
        zero_gamma=True,
        init="he",
        bn_momentum=0.1,
        dropout=0.0,
        stochastic_depth=0.0,
        stochastic_depth_mode="per_stage",
    )


def look_trained(module: nn.Module) -> None:
    """Random batch norms with the statistics of a batch: others hide what the images are."""
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.normal_(norm.bias, std=0.2)
        norm.momentum = 1.0
    with torch.no_grad():
        module.train()(torch.randn(16, 3, 96, 96))
    for norm in norms:
        norm.momentum = 0.1
    module.eval()


def differences(name: str, folder: Path) -> Iterator[str]:
    """One line a side and format: largest difference of logits, beside that of two images."""
    torch.manual_seed(len(name))
    theirs = timm.create_model(name)
    if name in COMPOUND:
        for part in theirs.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eps = BATCH_NORM_EPS
    look_trained(theirs)
    model = config(name)
    for suffix in (".safetensors", ".pth"):
        file = folder / f"{name}{suffix}"
        if suffix == ".pth":
            torch.save(theirs.state_dict(), file)
        else:
            from safetensors.torch import save_file

            save_file(theirs.state_dict(), file)
        ours = build(network(model, 1000)).eval()
        init = initial_weights(f"timm:{file}")
        assert init is not None
        load(ours, model, init)
        for side in SIDES:
            images = torch.randn(2, 3, side, side)
            with torch.no_grad():
                expected, got = theirs(images), ours(images)
            largest = float((expected - got).abs().max())
            images_differ = float((expected[0] - expected[1]).abs().max())
            yield f"{suffix:12} {side} px: max |difference| {largest:.1e} of {images_differ:.2g}"
        file.unlink()
        export(ours.state_dict(), model, file)
        back = timm.create_model(name, checkpoint_path=str(file)).state_dict()
        same = all(torch.equal(back[key], t) for key, t in theirs.state_dict().items())
        yield f"{suffix:12} exported, loaded by timm: {'bit for bit' if same else 'DIFFERENT'}"
        file.unlink()


def write_keys(file: Path, names: list[str]) -> None:
    """Names and shapes of every tensor of timm's state dicts."""
    with torch.device("meta"):
        lists = {
            name: [[key, list(t.shape)] for key, t in timm.create_model(name).state_dict().items()]
            for name in names
        }
    content = json.dumps(lists, separators=(",", ":")).encode()
    file.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[f"resnetrs{d}" for d in DEPTHS])
    parser.add_argument("--keys", type=Path)
    options = parser.parse_args()
    if options.keys:
        return write_keys(options.keys, options.names)
    print(
        f"timm {timm.__version__}, torch {torch.__version__}, fp32, {torch.get_num_threads()} CPU"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in options.names:
            for line in differences(name, Path(folder)):
                print(f"{name:12} {line}", flush=True)
    return None


if __name__ == "__main__":
    main()
