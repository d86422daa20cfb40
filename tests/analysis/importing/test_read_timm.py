"""timm's tables of results, inference and training."""

import pytest

from analysis.importing.read_timm import read_timm
from helpers.imported_tables import INFER, RESULTS, TRAIN, timm_files, write
from scaling_study.common.errors import InputError


def test_timm_is_joined_at_equal_size(tmp_path):
    table = read_timm(timm_files(tmp_path)[::-1])
    kept = table.frame.set_index("model")
    assert list(kept.index) == [
        "resnetrs50.tf_in1k", "efficientnet_b0.ra_in1k", "efficientnet_b1.ft_in1k"
    ]  # fmt: skip
    assert table.left_out == {
        "resnetrs101.tf_in1k@288": "tested at 288 px, timed at 192 and 224 px",
        "eva_giant_patch14_560.m30m@560": "no throughput",
    }
    first = kept.loc["resnetrs50.tf_in1k"]
    assert first["image_time_s"] == pytest.approx(1 / 2000)
    assert first["flops"] == pytest.approx(8.96e9)
    assert first["val_error"] == pytest.approx(0.20108)
    assert first["params"] == pytest.approx(35.69e6)


def test_timm_alone_and_with_training(tmp_path):
    results, _ = timm_files(tmp_path)
    alone = read_timm([results]).frame
    assert alone["params"].max() == pytest.approx(1.01445e9)
    assert set(alone["n_val"]) == {50_000}
    train = read_timm([results, write(tmp_path, "t.csv", TRAIN)])
    assert train.frame["step_time_s"].tolist() == pytest.approx([0.30242])
    assert len(train.left_out) == 4


def test_timm_that_is_wrong(tmp_path):
    results, infer = timm_files(tmp_path)
    twice = write(tmp_path, "d.csv", INFER + INFER.splitlines()[1] + "\n")
    other = write(tmp_path, "o.csv", INFER.replace("resnetrs50,224", "resnetrs50,160"))
    lone = write(tmp_path, "l.csv", "\n".join(RESULTS.splitlines()[:2]) + "\n")
    for files, message in (
        ([infer], "give one table of results"),
        ([results, infer, infer], "these are results, infer, infer"),
        ([results, twice], "d.csv: two rows or more are the same run: model=resnetrs50"),
        ([lone, other], "no model of the results has a throughput"),
        ([write(tmp_path, "x.csv", "a,b\n1,2\n")], "is no table of timm's"),
    ):
        with pytest.raises(InputError, match=message):
            read_timm(files)
