"""The results of a packed study as one table, described in Croissant 1.1."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers.archives import RESULTS
from scaling_study.archive.pack import main as pack
from scaling_study.archive.unpack import main as unpack
from scaling_study.study.result import COLUMNS

WORDS = ("--license", "CC-BY-4.0", "--creator", "A. Uthor", "--url", "https://example.org/demo")


def packed(study: Path, out: Path, *words: str) -> tuple[dict[str, Any], bytes]:
    assert pack([str(study), "-o", str(out), *words]) == 0
    with zipfile.ZipFile(out) as archive:
        return json.loads(archive.read("demo/croissant.json")), archive.read("demo/results.csv")


def references(node: Any) -> Iterator[str]:
    """Ids that are referred to: objects with nothing else than an id."""
    if isinstance(node, dict):
        if [*node] == ["@id"]:
            yield node["@id"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_it_has_what_the_specification_requires(study: Path, tmp_path: Path) -> None:
    """Required properties of a data set, a file and fields; every reference has its object.

    mlcroissant 1.1.1 found such a file valid, and read its records.
    """
    (study / "grid.yaml").write_text("name: demo\nn_classes: 10\nquestion: Does it?\n")
    words = (*WORDS, "--published", "2026-01-31")
    found, table = packed(study, tmp_path / "demo.zip", *words)
    assert found["@type"] == "sc:Dataset"
    assert found["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    assert found["@context"]["conformsTo"] == "dct:conformsTo"
    assert found["name"] == "demo"
    assert found["description"].startswith("Does it? ")
    assert found["license"] == "https://spdx.org/licenses/CC-BY-4.0"
    assert found["creator"] == {"@type": "sc:Person", "name": "A. Uthor"}
    assert found["url"] == "https://example.org/demo"
    assert found["datePublished"] == "2026-01-31"
    assert found["dateCreated"] == "2033-05-18", "when the last run ended: 2e9 s"
    (file,) = found["distribution"]
    assert file["@type"] == "cr:FileObject"
    assert file["contentUrl"] == "results.csv"
    assert file["sha256"] == hashlib.sha256(table).hexdigest()
    (records,) = found["recordSet"]
    fields = {field["name"]: field for field in records["field"]}
    ids = {file["@id"], records["@id"], *(field["@id"] for field in records["field"])}
    assert {*references(found)} <= ids
    header = table.decode().splitlines()[0].split(",")
    assert [field["source"]["extract"]["column"] for field in records["field"]] == header
    described = {**COLUMNS, "began": "when the run began, in s since 1970"}
    assert {name: f["description"] for name, f in fields.items()} == described
    units = {name: f["unitText"] for name, f in fields.items() if "unitText" in f}
    assert (units["step_time_s"], units["val_error"], units["resolution"]) == (
        *("s", "fraction", "px"),
    )
    assert (units["train_flops"], units["images_per_s"]) == ("FLOPs", "images/s")
    assert (units["n_val"], units["peak_memory_bytes"]) == ("images", "bytes")
    types = {name: f["dataType"] for name, f in fields.items()}
    assert (types["epochs"], types["val_error"], types["git_dirty"], types["versions"]) == (
        *("sc:Integer", "sc:Float", "sc:Boolean", "sc:Text"),
    )


def test_the_table_has_every_result_with_its_numbers(study: Path, tmp_path: Path) -> None:
    _, table = packed(study, tmp_path / "demo.zip")
    rows = list(csv.DictReader(io.StringIO(table.decode())))
    assert [row["run_id"] for row in rows] == [r.run_id for r in RESULTS]
    for row, result in zip(rows, RESULTS, strict=True):
        assert [*row] == [*COLUMNS, "began"]
        assert row["val_error"] == ("" if result.val_error is None else repr(result.val_error))
        assert int(row["epochs"]) == result.epochs


def test_what_is_not_known_is_left_out_and_said(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found, _ = packed(study, tmp_path / "demo.zip")
    assert not {"license", "creator", "url", "datePublished"} & found.keys()
    assert "no licence in croissant.json" in capsys.readouterr().out


def test_who_unpacks_a_study_packs_it_with_its_licence(study: Path, tmp_path: Path) -> None:
    first = packed(study, tmp_path / "demo.zip", *WORDS)
    there = tmp_path / "there"
    assert unpack([str(tmp_path / "demo.zip"), "--results", str(there)]) == 0
    assert packed(there / "demo", tmp_path / "again.zip") == first
    other, _ = packed(there / "demo", tmp_path / "other.zip", "--license", "https://a.org/terms")
    assert other["license"] == "https://a.org/terms"
    assert other["creator"] == first[0]["creator"]


@pytest.mark.parametrize(
    "words",
    [
        ("--license", "my own licence"),
        ("--url", "example.org"),
        ("--published", "last week"),
    ],
)
def test_nonsense_is_one_sentence(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, str]
) -> None:
    assert pack([str(study), "-o", str(tmp_path / "x.zip"), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {words[0]}={words[1]}: is no")
    assert not (tmp_path / "x.zip").exists()
