"""What a GPU multiplies, asked of a program that answers as nvidia-smi does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scaling_study.common import device
from scaling_study.common.device import best_precision

# Answers a query of one column, or fails as drivers do that do not know the column.
PROGRAM = """#!{python}
import sys
answers = {answers!r}
column = sys.argv[1].removeprefix("--query-gpu=")
if column not in answers:
    print(f'Field "{{column}}" is not a valid field to query.')
    sys.exit(2)
print("\\n".join(answers[column]))
"""


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    device._of_gpus.cache_clear()
    yield
    device._of_gpus.cache_clear()


@pytest.fixture
def gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Gpus":
    return Gpus(tmp_path, monkeypatch)


class Gpus:
    """Puts a false nvidia-smi first on the path."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._monkeypatch = folder, monkeypatch

    def answer(self, **answers: list[str]) -> None:
        program = self._folder / "nvidia-smi"
        program.write_text(PROGRAM.format(python=sys.executable, answers=answers), encoding="utf-8")
        program.chmod(0o755)
        path = f"{self._folder}{os.pathsep}{os.environ['PATH']}"
        self._monkeypatch.setenv("PATH", path)


@pytest.mark.parametrize(
    ("capability", "precision"),
    [
        ("6.0", "fp16"),  # P100
        ("7.0", "fp16"),  # V100
        ("7.5", "fp16"),  # T4
        ("8.0", "bf16"),  # A100
        ("8.9", "bf16"),  # L40
        ("9.0", "bf16"),  # H100
        ("10.0", "bf16"),  # B200: not less than 8.0, as texts compare
        ("12.0", "bf16"),
    ],
)
def test_bf16_begins_at_compute_capability_8(gpus: Gpus, capability: str, precision: str) -> None:
    gpus.answer(compute_cap=[capability])
    assert best_precision("cuda") == precision


def test_the_oldest_of_several_gpus_decides(gpus: Gpus) -> None:
    gpus.answer(compute_cap=["9.0", "7.0"])
    assert best_precision("cuda") == "fp16"


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("Tesla V100-SXM2-32GB", "fp16"),
        ("Tesla T4", "fp16"),
        ("NVIDIA GeForce RTX 2080 Ti", "fp16"),
        ("Quadro RTX 6000", "fp16"),
        ("NVIDIA A100-SXM4-80GB", "bf16"),
        ("NVIDIA RTX A6000", "bf16"),
        ("NVIDIA GeForce RTX 3090", "bf16"),
        ("NVIDIA L4", "bf16"),
    ],
)
def test_drivers_that_do_not_know_the_column_give_a_name(
    gpus: Gpus, name: str, precision: str
) -> None:
    gpus.answer(name=[name])
    assert best_precision("cuda") == precision


def test_an_answer_that_is_no_number_does_not_count(gpus: Gpus) -> None:
    gpus.answer(compute_cap=["[N/A]", "7.5"])
    assert best_precision("cuda") == "fp16"


def test_where_no_gpu_can_be_asked_it_is_bf16(gpus: Gpus) -> None:
    gpus.answer()
    assert best_precision("cuda") == "bf16"


def test_torch_is_not_asked(gpus: Gpus) -> None:
    gpus.answer(compute_cap=["7.0"])
    code = (
        "import sys; from scaling_study.common.device import best_precision; "
        "print(best_precision('cuda'), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["fp16", "False"]
