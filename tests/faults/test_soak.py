"""A few minutes' worth of `make soak`: other sequences of faults for other seeds."""

import random

import pytest

from soak import faults
from soak.__main__ import Soak, new_study
from soak.study import PromiseError, check, finish

SEQUENCES = (
    (faults.worker_killed, faults.several_sweeps),
    (faults.full_disk,),
    (faults.another_namespace,),
)


@pytest.fixture(scope="module")
def soak(tmp_path_factory: pytest.TempPathFactory) -> Soak:
    folder = tmp_path_factory.mktemp("soak")
    for path in (folder, *folder.parents[:2]):
        path.chmod(0o755)
    return Soak(1, folder)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(SEQUENCES)))
def test_the_same_command_finishes_a_disturbed_study(soak: Soak, number: int) -> None:
    before, kinds = soak.faults.total() + len(soak.lacks), SEQUENCES[number]
    soak.play(random.Random(number), kinds)
    print("\n".join(soak.lines()))
    assert soak.faults.total() + len(soak.lacks) == before + len(kinds)


@pytest.mark.slow
def test_a_broken_promise_is_seen(soak: Soak) -> None:
    """The comparison itself: a file that was left, and a result that is another one."""
    with new_study(soak.parent) as study:
        finish(study)
        assert check(study, soak.wanted) == 0
        (study.cache / ".a.12.tmp").touch()
        with pytest.raises(PromiseError, match="temporary files are left"):
            check(study, soak.wanted)
        images = study.run_dirs()[0] / "images.json"
        images.write_text(images.read_text(encoding="utf-8") + " ", encoding="utf-8")
        with pytest.raises(PromiseError, match="another images than that of an undisturbed run"):
            check(study, soak.wanted)
