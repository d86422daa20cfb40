"""Runs that learn from the labels that another gives a pool of images."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers.file_batches import files_run, shown
from helpers.photos import encoded, picture, write_folders
from helpers.tiny import tiny
from helpers.trained_runs import MEASURED, lines, same, stopped, weights
from scaling_study.common import stop_request
from scaling_study.common.errors import InputError
from scaling_study.common.ranks import ALONE
from scaling_study.config.evaluation import labelling_flops
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.config.teaching import file_of
from scaling_study.cost.closed_form import run_cost
from scaling_study.data import data_info, load_pool
from scaling_study.data.storage.array_cache import one_at_a_time
from scaling_study.launch.job import Job
from scaling_study.launch.probe import shortened
from scaling_study.models.initial_weights import ParentRun
from scaling_study.training import pseudo_labels, teachers
from scaling_study.training.input_pipeline.batches import TrainingData, to_input
from scaling_study.training.labeller import Labeller
from scaling_study.training.loop import train
from scaling_study.training.pseudo_labels import PseudoLabels, pool_of

TEACHER = tiny(**{"train.epochs": 1, "train.warmup_epochs": 0})
POOL = {"data.pool_images": 70, "train.pseudo_share": 0.25}


def student(**changes: Any) -> RunConfig:
    return tiny(**{"teacher": f"run:{TEACHER.run_id}", **POOL, **changes})


def taught(execution: ExecutionConfig) -> Path:
    """The results folder, with the teacher in it."""
    assert Job(TEACHER, execution)().status == "ok"
    return Path(execution.results_dir)


def folder(execution: ExecutionConfig, name: str) -> Path:
    found = Path(execution.results_dir) / name
    found.mkdir(parents=True)
    return found


def labels_of(run: RunConfig, results: Path) -> PseudoLabels:
    found = pseudo_labels.read(file_of(run, TEACHER, results), {"teacher": TEACHER.run_id})
    assert found is not None
    return found


def test_the_teacher_is_part_of_the_id_and_runs_without_one_keep_theirs() -> None:
    ids = {student().run_id, tiny(**{"data.pool_images": 70}).run_id}
    ids |= {student(**{"train.pseudo_threshold": 0.5}).run_id}
    ids |= {tiny(teacher="run:another", **POOL).run_id}
    assert len(ids) == 4
    assert student().run_id == tiny(teacher={"run": TEACHER.run_id}, **POOL).run_id
    neutral = {"train.pseudo_share": 0.0, "train.pseudo_threshold": 0.0, "data.pool_images": 0}
    assert tiny(teacher="none", **neutral).run_id == tiny().run_id
    assert student().parents == (TEACHER.run_id,)
    both = student(init=f"run:{TEACHER.run_id}")
    assert both.parents == (TEACHER.run_id,)
    assert shortened(both).parents == ()  # a probe of its speed needs no other run


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"train.pseudo_share": 1.0}, r"train\.pseudo_share=1\.0: must be in \(0, 1\)"),
        ({"train.pseudo_share": 0.0}, r"train\.pseudo_share=0\.0: with teacher=run:.* must be in"),
        ({"train.pseudo_share": 0.02}, "is 0 of 16 images; a batch must have images of both kinds"),
        ({"train.pseudo_threshold": 1.5}, r"train\.pseudo_threshold=1\.5: must be in \[0, 1\]"),
        ({"teacher": "none"}, r"train\.pseudo_share=0\.25: nothing labels a pool; give teacher"),
        ({"train.repeats": 2}, r"train\.repeats=2: does not go with train\.pseudo_share"),
        ({"teacher": "timm:a.pth"}, r"teacher=timm:a\.pth: must be none, or run:RUN_ID"),
        ({"data.pool_images": 0}, "images without labels, of which there are none; give data.pool"),
        (
            {"train.batch_size": 256},
            "batch_size=256: 192 of them have labels of their own, more than the 128 training",
        ),
        ({"data.pool_images": -1}, r"data\.pool_images=-1: must be 0 or more"),
    ],
)
def test_settings_that_make_no_sense_are_one_sentence(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        run_cost(student(**changes))


def test_a_teacher_of_other_classes_or_without_weights_is_refused(
    execution: ExecutionConfig,
) -> None:
    results = Path(execution.results_dir)
    with pytest.raises(InputError, match=r"config\.yaml is not there; train that run first"):
        teachers.check(student(), results)
    taught(execution)
    teachers.check(student(), results)
    with pytest.raises(InputError, match="it knows 4 classes, data=fractals has 7"):
        teachers.check(student(**{"data.classes": 7}), results)
    with pytest.raises(InputError, match=r"other classes, those of data\.seed=0; data\.seed is 3"):
        teachers.check(student(**{"data.seed": 3}), results)
    (results / "runs" / TEACHER.run_id / "checkpoint.pt").unlink()
    with pytest.raises(InputError, match="its checkpoint was not kept"):
        teachers.check(student(), results)
    file_of(student(), TEACHER, results).touch()
    teachers.check(student(), results)  # nobody needs its weights any more


def test_labels_are_the_teachers_predictions_of_each_image(execution: ExecutionConfig) -> None:
    """Against its own average, one image at a time and in float64."""
    from scaling_study.models import network
    from scaling_study.models.modules import build

    results, run = taught(execution), student()
    pool_of(run, execution, ALONE, lambda: None)
    found = labels_of(run, results)
    module = build(network(TEACHER.model, 4))
    run_dir = results / "runs" / TEACHER.run_id
    stored = torch.load(run_dir / "checkpoint.pt", weights_only=True)["ema"]
    module.load_state_dict(stored)
    module.double().eval()
    data = TrainingData.of(TEACHER, execution, folder(execution, "seen"))
    pixels = load_pool(run.data, Path(execution.cache_dir)).pixels  # type: ignore[union-attr]
    with torch.inference_mode():
        inputs = to_input(torch.from_numpy(pixels)[:, None], data.mean, data.std).double()
        chances = torch.cat([module(one[None]) for one in inputs]).softmax(1)
    assert np.array_equal(found.labels, chances.argmax(1).numpy())
    assert np.allclose(found.confidence, chances.max(1).values.numpy(), atol=1e-5)
    about = json.loads(str(np.load(file_of(run, TEACHER, results))["about"]))
    assert about["flops"] == labelling_flops(run, TEACHER) == 70 * run_cost(TEACHER).flops


def test_batches_have_their_share_of_the_pool_whatever_makes_them(
    execution: ExecutionConfig,
) -> None:
    """An epoch is one pass over the labelled images; the pool is seen in passes of its own."""
    taught(execution)
    run = student(**{"data.shift": 0.0, "data.flip": False})
    pool = pool_of(run, execution, ALONE, lambda: None)
    assert pool is not None
    data = TrainingData.of(run, execution, folder(execution, "data"), pool.images)
    assert data.steps_per_epoch == 128 // 12
    cost, plain = run_cost(run), run_cost(tiny())
    assert cost.steps == 2 * (128 // 12)
    assert cost.train_flops == 3 * plain.flops * 16 * cost.steps
    own = {image.tobytes() for image in data._part("train").pixels}  # type: ignore[union-attr]
    names = {
        image.tobytes(): int(label)
        for image, label in zip(*vars(pool.images).values(), strict=True)
    }
    assert own.isdisjoint(names)
    assert len(names) == 70
    batches = list(data.batches(0, 20))
    seen: list[bytes] = []
    for pixels, labels in batches:
        images = [image[0].numpy().tobytes() for image in pixels]
        taken = [place for place, image in enumerate(images) if image in names]
        assert taken == [3, 7, 11, 15]  # evenly: every process and forward pass has its share
        assert [names[images[place]] for place in taken] == labels[taken].tolist()
        seen += [images[place] for place in taken]
    assert len(set(seen[:70])) == 70  # a whole pass before the next
    assert seen[70:] != seen[:10]
    first = {image[0].numpy().tobytes() for pixels, _ in batches[:10] for image in pixels}
    assert len(first & own) == 120
    for rank in (0, 1):
        half = data.batches(5, 6, rank, 2)
        pixels, labels = next(half)
        assert torch.equal(pixels, batches[5][0][8 * rank : 8 * rank + 8])
        assert torch.equal(labels, batches[5][1][8 * rank : 8 * rank + 8])


def test_workers_change_no_batch_with_a_pool_of_files(
    execution: ExecutionConfig, tmp_path: Path
) -> None:
    """Some lie in a folder of the pool; one that is no image is never seen."""
    root, pool = write_folders(tmp_path / "set"), tmp_path / "pool"
    (pool / "more").mkdir(parents=True)
    for number in range(9):
        place = pool / ("more" if number % 2 else ".") / f"{number}.jpg"
        place.write_bytes(encoded(picture(number % 3, 5000 + number)))
    (pool / "broken.png").write_bytes(b"no image")
    (pool / "notes.txt").write_bytes(b"no image, and no name of one")
    plain = files_run("imagefolder", root)
    teacher = replace(plain, train=replace(plain.train, epochs=1, warmup_epochs=0))
    assert Job(teacher, execution)().status == "ok"
    run = replace(
        plain,
        data=replace(plain.data, pool_root=str(pool)),
        train=replace(plain.train, pseudo_share=0.5),
        teacher=ParentRun(run=teacher.run_id),
    )
    assert data_info(run.data).n_pool == 10
    found = pool_of(run, execution, ALONE, lambda: None)
    assert found is not None
    assert len(found.images.labels) == 9
    made = []
    for workers in (0, 2):
        how = replace(execution, loader_workers=workers)
        data = TrainingData.of(run, how, folder(execution, f"by {workers}"), found.images)
        made.append(shown(data.batches(0, 8)))
        assert data.corrupt_images == 0
    assert made[0] == made[1]
    assert [len(labels) for _, labels in made[0]] == [8] * 8


def test_a_threshold_leaves_out_what_the_teacher_is_less_sure_of(
    execution: ExecutionConfig,
) -> None:
    results = taught(execution)
    pool_of(student(), execution, ALONE, lambda: None)
    found = labels_of(student(), results)
    middle = float(np.median(found.confidence))
    run = student(**{"train.pseudo_threshold": middle})
    written = file_of(run, TEACHER, results).stat().st_mtime_ns
    pool = pool_of(run, execution, ALONE, lambda: None)
    assert pool is not None
    assert np.array_equal(pool.images.labels, found.labels[found.confidence >= middle])
    assert file_of(run, TEACHER, results).stat().st_mtime_ns == written  # labelled once for both
    with pytest.raises(InputError, match=r"pseudo_threshold=1: the teacher is as sure of no image"):
        pool_of(student(**{"train.pseudo_threshold": 1.0}), execution, ALONE, lambda: None)


def test_damaged_labels_are_made_again_and_others_are_not_taken(
    execution: ExecutionConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    results, run = taught(execution), student()
    pool_of(run, execution, ALONE, lambda: None)
    path, found = file_of(run, TEACHER, results), labels_of(run, results)
    whole = path.read_bytes()
    other = np.where(found.labels == 0, 1, 0)
    with np.load(path) as arrays:
        forged = {**arrays, "labels": other}  # a good file, whose digest is not that of its labels
    np.savez(path, **forged)
    for content in (path.read_bytes(), whole[: len(whole) // 2], b"", b"PK torn"):
        path.write_bytes(content)
        pool = pool_of(run, execution, ALONE, lambda: None)
        assert pool is not None
        assert np.array_equal(labels_of(run, results).labels, found.labels)
        assert "is damaged: labelling again" in capsys.readouterr().out
    assert pseudo_labels.read(path, {"teacher": "another"}) is None


def test_pieces_of_a_large_pool_survive_an_interruption(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, run = taught(execution), student(**{"data.pool_images": 600})
    pool_of(run, execution, ALONE, lambda: None)
    path, whole = file_of(run, TEACHER, results), labels_of(run, results)
    path.unlink()
    monkeypatch.setattr(pseudo_labels, "PIECE", 250)
    asked, predicted = list[range](), Labeller.predicted

    def interrupted(labeller: Labeller, places: range) -> PseudoLabels:
        asked.append(places)
        if len(asked) == 2:
            raise stop_request.Stopped("interrupted")
        return predicted(labeller, places)

    monkeypatch.setattr(Labeller, "predicted", interrupted)
    with pytest.raises(stop_request.Stopped):
        pool_of(run, execution, ALONE, lambda: None)
    assert not path.exists()
    assert len([*path.parent.glob("pseudo_labels-*.npz")]) == 1
    pool_of(run, execution, ALONE, lambda: None)
    assert asked == [range(250), range(250, 500), range(250, 500), range(500, 600)]
    assert labels_of(run, results).digest == whole.digest
    assert [*path.parent.glob("pseudo_labels-*.npz")] == [path]


def test_a_run_that_waits_for_anothers_labels_takes_them_and_can_be_stopped(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results, run = taught(execution), student()
    pool_of(run, execution, ALONE, lambda: None)
    path = file_of(run, TEACHER, results)
    made = path.rename(path.with_suffix(".elsewhere"))
    monkeypatch.setattr(pseudo_labels, "LOOK_S", 0.05)
    capsys.readouterr()
    with one_at_a_time(path):
        stop_request.request("preempted")
        with pytest.raises(stop_request.Stopped, match="preempted"):
            pool_of(run, execution, ALONE, lambda: None)
        stop_request.clear()
        appears = threading.Timer(0.5, lambda: made.rename(path))
        appears.start()
        pool = pool_of(run, execution, ALONE, lambda: None)
    assert pool is not None
    assert not appears.is_alive()
    assert capsys.readouterr().out == ""  # it has labelled nothing


def test_labels_of_former_weights_go_when_a_teacher_is_trained_again(
    execution: ExecutionConfig,
) -> None:
    results, run = taught(execution), student()
    pool_of(run, execution, ALONE, lambda: None)
    path = file_of(run, TEACHER, results)
    Job(TEACHER, execution)()  # which has a result, and so nothing to do
    assert path.is_file()
    for name in ("result.json", "checkpoint.pt"):
        (path.parent / name).unlink()
    assert Job(TEACHER, execution)().status == "ok"
    assert not path.exists()


def test_a_teacher_that_failed_blocks_its_student(execution: ExecutionConfig) -> None:
    job = Job(student(), execution)
    assert job().status == "blocked"
    failing = Job(TEACHER, execution)
    failing.write_failure("no more power", "error")
    outcome = job()
    assert outcome.status == "blocked"
    assert "which is failed (error): no more power" in (outcome.error or "")
    assert not job.store.run_dir(job.run.run_id).joinpath("config.yaml").exists()


def test_a_sure_teacher_of_one_image_gives_it_to_every_batch(execution: ExecutionConfig) -> None:
    """The pool is passed several times in a batch where fewer of its images are left."""
    results, run_dir = taught(execution), folder(execution, "child")
    pool_of(student(), execution, ALONE, lambda: None)
    highest = float(labels_of(student(), results).confidence.max())
    run = student(
        **{"train.pseudo_threshold": highest, "train.epochs": 1, "train.warmup_epochs": 0}
    )
    assert train(run, run_dir, execution)["status"] == "ok"


def test_of_runs_that_start_together_one_labels(
    execution: ExecutionConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All have looked for labels, and found none, before the first one makes them."""
    taught(execution)
    runs = [student(**{"train.pseudo_threshold": least}) for least in (0.0, 0.1, 0.2)]
    all_looked, looked, read = threading.Barrier(len(runs)), threading.local(), pseudo_labels.read

    def reading(*arguments: Any) -> PseudoLabels | None:
        found = read(*arguments)
        if not hasattr(looked, "once"):
            looked.once = True
            all_looked.wait(60)
        return found

    monkeypatch.setattr(pseudo_labels, "read", reading)
    label = partial(pool_of, execution=execution, world=ALONE, fence=lambda: None)
    with ThreadPoolExecutor(len(runs)) as pool:
        found = list(pool.map(label, runs))
    assert capsys.readouterr().out.count("labels 70 images of the pool") == 1
    assert len({one.digest for one in found if one is not None}) == 1
    assert None not in found


@pytest.mark.slow
def test_a_stopped_student_ends_with_the_bits_of_an_undisturbed_one(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results, run = taught(execution), student()
    whole_dir, run_dir = folder(execution, "whole"), folder(execution, "resumed")
    whole = train(run, whole_dir, execution)
    stopped(run, run_dir, execution, monkeypatch, 13)
    resumed = train(run, run_dir, execution)
    assert [resumed[k] for k in MEASURED] == [whole[k] for k in MEASURED]
    assert same(weights(run_dir), weights(whole_dir))
    assert lines(run_dir) == lines(whole_dir)
    # Other labels than it began with: it starts again rather than mix them.
    begun = folder(execution, "begun")
    stopped(run, begun, execution, monkeypatch, 13)
    path, found = file_of(run, TEACHER, results), labels_of(run, results)
    forged = PseudoLabels((found.labels + 1) % 4, found.confidence)
    with np.load(path) as arrays:
        about = json.loads(str(arrays["about"])) | {"digest": forged.digest}
    np.savez(path, **vars(forged), about=np.array(json.dumps(about)))
    train(run, begun, execution)
    assert "not those that the run began with: starting again" in capsys.readouterr().out
    assert not same(weights(begun), weights(whole_dir))
