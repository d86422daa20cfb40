"""What a plan and a sweep say of images: what GPUs ask of cores, and who waited."""

from types import SimpleNamespace
from typing import Any

from scaling_study.sweep.image_notes import bound_by_data, loader


def planned(device: str, step_s: float | None, batch: int = 256, processes: int = 1) -> Any:
    data = SimpleNamespace(name="photos", resolution=224)
    run = SimpleNamespace(device=device, data=data, train=SimpleNamespace(batch_size=batch))
    step = None if step_s is None else SimpleNamespace(value=step_s)
    return SimpleNamespace(run=run, step=step, processes=processes)


def ended(rate: float | None, data: str = "photos", resolution: int = 224) -> Any:
    return SimpleNamespace(data=data, resolution=resolution, core_images_per_s=rate)


def test_what_gpus_ask_stands_beside_what_a_core_was_measured_to_give() -> None:
    rows = [planned("cuda", 0.1), planned("cuda", 0.2), planned("cuda", 0.05, processes=4)]
    (line,) = loader(rows, [None, ended(None), ended(900, "digits"), ended(900, resolution=160)])
    begin = "loader: up to 2,560 images/s for each GPU; "
    assert line == f"{begin}`python benchmarks/data.py` measures what one core decodes"
    (line,) = loader(rows, [ended(300), ended(400), ended(500), None])
    assert line == f"{begin}one core made 400 in 3 finished runs, so it takes 7"
    assert loader([planned("cpu", 0.1), planned("cuda", None)], [ended(300)]) == []


def test_runs_that_waited_for_images_say_how_many_workers_they_need() -> None:
    def waited(needed: int | None) -> Any:
        return SimpleNamespace(workers_needed=needed)

    assert bound_by_data([None, waited(None)]) == []
    assert bound_by_data([waited(3), None, waited(12), waited(None)]) == [
        "2 of 3 runs waited for images (bound: data): loader.workers=12, with as many cores for "
        "each process, would end that"
    ]
