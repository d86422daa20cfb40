"""What the table of a study's results is, in Croissant 1.1, which other programs read.

The format is http://mlcommons.org/croissant/1.1: JSON-LD with the vocabulary of schema.org. What
the study does not say, as who publishes it where, is left out.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from scaling_study.common.reading import read_json
from scaling_study.common.validation import require
from scaling_study.study.result import COLUMNS, column_types
from scaling_study.study.result_table import BEGAN, BEGAN_MEANS, TABLE

DESCRIPTION = "croissant.json"
VERSION = "http://mlcommons.org/croissant/1.1"
SPDX = "https://spdx.org/licenses/"
RECORDS = "runs"
ADDRESS, NAME = re.compile(r"https?://\S+$"), re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*$")
# Units that end the text of a column, after a comma; and of columns whose text does not say it.
UNITS = ("px", "s", "bytes", "nats", "fraction")
OTHER_UNITS = {
    **dict.fromkeys(("flops", "train_flops", "eval_flops", "shared_flops"), "FLOPs"),
    **dict.fromkeys(("batch_size", "micro_batch_size", "n_train", "n_val"), "images"),
    "images_per_s": "images/s",
}
TYPES = {bool: "sc:Boolean", int: "sc:Integer", float: "sc:Float"}
# Names of Croissant's own, all of which mlcroissant wants to see; all others are of schema.org.
OWN = (
    *("annotation", "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty"),
    *("excludes", "extract", "field", "fileProperty", "fileObject", "fileSet", "format"),
    *("includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField"),
    *("recordSet", "references", "regex", "readLines", "sdVersion", "separator", "source"),
    *("subField", "transform", "unArchive", "value"),
    *("path", "repeated", "replace", "samplingRate"),
)
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{name: f"cr:{name}" for name in OWN},
}


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What only its author knows of a study's data, None where it is not given.

    `license` is its SPDX name or its address, `published` a date as in 2026-01-31.
    """

    license: str | None = None
    creator: str | None = None
    url: str | None = None
    published: str | None = None

    def check(self) -> None:
        """Raise an InputError that names an option of `pack` which makes no sense."""
        of_license = self.license is None or ADDRESS.match(self.license) or NAME.match(self.license)
        require(
            bool(of_license), "--license", self.license, "is no SPDX name, as CC-BY-4.0, or URL"
        )
        known = self.url is None or bool(ADDRESS.match(self.url))
        require(known, "--url", self.url, "is no address, as https://example.org/study")
        try:
            date.fromisoformat(self.published or "2000-01-01")
        except ValueError:
            require(False, "--published", self.published, "is no date, as 2026-01-31")

    def properties(self) -> dict[str, Any]:
        """What is given, as Croissant has it."""
        name = self.license
        found = {
            "license": f"{SPDX}{name}" if name and not ADDRESS.match(name) else name,
            "creator": self.creator and {"@type": "sc:Person", "name": self.creator},
            "url": self.url,
            "datePublished": self.published,
        }
        return {key: value for key, value in found.items() if value}


def published_as(study_dir: Path, given: Publication) -> dict[str, Any]:
    """What is given of a study's publication, and what is not as it was said before.

    Raises an InputError as `Publication.check`.
    """
    given.check()
    return _known_before(study_dir) | given.properties()


def _known_before(study_dir: Path) -> dict[str, Any]:
    """What croissant.json of a published study says of its publication, and when it ended."""
    before: Any = read_json(study_dir / DESCRIPTION, {})
    names = ("license", "creator", "url", "datePublished", "dateCreated")
    known = before if isinstance(before, Mapping) else {}
    return {name: known[name] for name in names if name in known}


def description(
    study: str, question: str, table: str, ended: float | None, published: Mapping[str, Any]
) -> str:
    """croissant.json for a study with this table of results.

    `ended` is when its last run did, in s since 1970, None where nobody knows.
    """
    created = {} if ended is None else {"dateCreated": f"{datetime.fromtimestamp(ended, UTC):%F}"}
    found = json.dumps(
        {
            "@context": CONTEXT,
            "@type": "sc:Dataset",
            "conformsTo": VERSION,
            "name": study,
            "description": f"{question} Results of training runs, a row each.".strip(),
            **published,
            **created,
            "distribution": [_file(table)],
            "recordSet": [_records()],
        },
        indent=1,
        ensure_ascii=False,
    )
    return f"{found}\n"


def _file(table: str) -> dict[str, Any]:
    content = table.encode()
    return {
        "@type": "cr:FileObject",
        "@id": TABLE,
        "name": TABLE,
        "contentUrl": TABLE,
        "contentSize": f"{len(content)} B",
        "encodingFormat": "text/csv",
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _records() -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": RECORDS,
        "name": RECORDS,
        "key": {"@id": f"{RECORDS}/run_id"},
        "field": [_column(name, text) for name, text in {**COLUMNS, BEGAN: BEGAN_MEANS}.items()],
    }


def _column(name: str, text: str) -> dict[str, Any]:
    kinds = column_types().get(name, {float})
    last = text.rpartition(", ")[2].removesuffix(" since 1970")
    unit = last if last in UNITS else OTHER_UNITS.get(name)
    return {
        "@type": "cr:Field",
        "@id": f"{RECORDS}/{name}",
        "name": name,
        "description": text,
        **({"unitText": unit} if unit else {}),
        "dataType": next((TYPES[kind] for kind in TYPES if kind in kinds), "sc:Text"),
        "source": {"fileObject": {"@id": TABLE}, "extract": {"column": name}},
    }
