"""The script for GPUs, all of it but for what needs one, on networks that say nothing of speed."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

ROOT = Path(__file__).resolve().parent.parent
TINY = ("model.depth=14", "model.width=0.125", "data.resolution=16")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import gpu, gpu_runs

    monkeypatch.setattr(gpu, "PAPERS", gpu.NETWORKS, raising=False)
    monkeypatch.setattr(gpu, "NETWORKS", {"tiny": (TINY, 4, "resnetrs50")})
    few = {"MATRIX": 64, "COPIED": 4096, "TURNS": 2, "STEPS": 1, "AUGMENTED": (4, 24, 16)}
    for name, value in few.items():
        monkeypatch.setattr(gpu, name, value)
    small = ("data.classes=2", "data.train_per_class=8", "data.val_per_class=4")
    monkeypatch.setattr(gpu_runs, "SHORT", (*TINY, "train.epochs=2", "train.batch_size=8"))
    monkeypatch.setattr(gpu_runs, "STUDY", ("+grid=smoke", "measure.at_end=false", *small))
    monkeypatch.setattr(gpu_runs, "FEW", small)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return gpu


@pytest.mark.slow
def test_all_parts_are_measured_and_on_disk(
    gpu: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tests` starts another pytest, which finds no GPU; torch.compile takes a C++ compiler."""
    parts = {**gpu.PARTS, "compiled": (lambda _: 1 / 0, 0)}
    monkeypatch.setattr(gpu, "PARTS", {n: p for n, p in parts.items() if n != "tests"})

    def create_model(name: str) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, gpu.CLASSES)
        )

    theirs = SimpleNamespace(create_model=create_model, __version__="0")
    monkeypatch.setattr(gpu, "imported", lambda _: theirs)
    gpu.main(["--device", "cpu", "-o", str(tmp_path / "here" / "cpu.json")])
    record = json.loads((tmp_path / "here" / "cpu.json").read_text())
    found = record["parts"]
    assert min(found["ceilings"].values()) > 0
    assert found["augmentation"]["images_per_s"] > 0
    tiny = found["networks"]["tiny"]
    assert tiny["images_per_s"] == pytest.approx(4 / tiny["step_s"])
    assert tiny["roofline_share"] >= tiny["matmul_share"] > 0
    assert tiny["over_timm"] > 0
    assert tiny["foreseen_memory_bytes"] > 0
    shares = [kernel["share"] for kernel in found["kernels"]["kernels"]]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1
    assert any(kernel["kind"] == "convolution" for kernel in found["kernels"]["kernels"])
    assert found["sharing"]["one_over_two"] > 0
    assert found["resuming"]["resumed_error"] == found["resuming"]["undisturbed_error"]
    assert "left_out" in found["filling"]
    assert found["compiled"]["failed"].startswith("ZeroDivisionError")
    assert record["versions"]["timm"] == "0"


def test_no_part_begins_after_the_time(gpu: Any, tmp_path: Path) -> None:
    gpu.main(["--device", "cpu", "--seconds", "0", "-o", str(tmp_path / "cpu.json")])
    parts = json.loads((tmp_path / "cpu.json").read_text())["parts"]
    assert parts.keys() == gpu.PARTS.keys()
    assert all("left" in part["left_out"] for part in parts.values())


def test_without_a_gpu_it_says_so(gpu: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        gpu.main([])
    assert "no CUDA device is visible" in capsys.readouterr().err


def test_the_networks_whose_speed_is_measured_are_the_papers(gpu: Any) -> None:
    runs = {n: gpu.composed(*s, precision="bf16") for n, (s, *_) in gpu.PAPERS.items()}
    models = {name: run.model for name, run in runs.items() if name.startswith("ResNet-RS")}
    assert [model.depth for model in models.values()] == [50, 152, 350]
    assert {(model.stem, model.se_ratio) for model in models.values()} == {("rs", 0.25)}
    assert [int(name.rpartition("@")[2]) for name in runs] == [
        run.data.resolution for run in runs.values()
    ]
