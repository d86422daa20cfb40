"""Which icons of the npm package `@iconify/json` make a data set: permissive, no brands, no copies.

The package has some 240 sets of icons (https://iconify.design), each by its own designers. An
icon's concept is its name without words of style: `heart-outline` is a heart. The concepts that
most sets have drawn are classes, and a part of the sets is kept for the test, so that its designers
are unseen. Sets copy each other: a test icon that looks like one of training is left out.
"""

import hashlib
import json
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaling_study.data.images.svg import rendered


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


N_CLASSES = 100
# SPDX names of licences that ask for no more than a notice.
LICENCES = frozenset(
    ("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "OFL-1.1")
) | {"Unlicense"}
# Kinds of sets whose icons are marks, or coloured.
OTHER_SETS = ("Emoji", "Flags / Maps", "Logos", "UI Multicolor")
BRANDS = _words(
    "amazon android apple behance bluetooth discord dribbble dropbox facebook figma github "
    "gitlab google instagram linkedin paypal pinterest reddit skype slack snapchat spotify "
    "telegram tiktok twitch twitter vimeo whatsapp windows youtube"
)
# Words of names that say how an icon is drawn, not what it shows.
STYLES = _words(
    "alt baseline bold broken bulk circle color curved duo duotone f fill filled l large "
    "light line linear mini o outline outlined regular round rounded s sharp simple small "
    "solid square stroke thin tone two twotone"
)
# Of one set and concept; others are the same drawing in other styles.
MOST_OF_A_SET = 3
TEST_SHARE = 0.3
# Cosine of two drawings at `COMPARED_PX`, above which one is taken for a copy of the other.
COPY, COMPARED_PX = 0.98, 32


class Icon(NamedTuple):
    """`concept` is its class, `source` its set and name, `svg` the drawing."""

    concept: str
    source: str
    svg: str


def select(package: Path) -> dict[str, list[Icon]]:
    """The icons of `train` and `test`, by class, set and name."""
    kinds, drawn = _read(package)
    by_concept: dict[str, dict[str, list[Icon]]] = defaultdict(lambda: defaultdict(list))
    for prefix in sorted(filter(lambda name: _usable(kinds[name]), drawn)):
        for name, icon in sorted(drawn[prefix]["icons"].items()):
            if (what := concept(name)) not in BRANDS and not icon.get("hidden"):
                drawing = _svg(icon, drawn[prefix])
                by_concept[what][prefix].append(Icon(what, f"{prefix}:{name}", drawing))
    classes = sorted(by_concept, key=lambda what: (-len(by_concept[what]), what))[:N_CLASSES]
    chosen = [
        icon
        for what in sorted(classes)
        for of_a_set in by_concept[what].values()
        for icon in of_a_set[:MOST_OF_A_SET]
    ]
    train, test = ([i for i in chosen if _of_test(i) is kept] for kept in (False, True))
    return {"train": train, "test": _without_copies(test, train)}


def concept(name: str) -> str:
    """What an icon shows: its name without words of style and numbers at its ends."""
    words = [word for word in re.split(r"[-_]", name) if word]
    while len(words) > 1 and (words[-1] in STYLES or words[-1].isdigit()):
        words.pop()
    while len(words) > 1 and words[0] in STYLES:
        words.pop(0)
    return "-".join(words)


def digest(parts: Mapping[str, Sequence[Icon]]) -> str:
    """SHA-256, in hex, of which icons these are."""
    lines = (f"{part} {icon.concept} {icon.source}" for part in parts for icon in parts[part])
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _read(package: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the package says of its sets, and the sets, by their short names."""
    kinds, drawn = dict[str, Any](), dict[str, Any]()
    with tarfile.open(package) as archive:
        for member in archive:
            name = re.fullmatch(r"package/json/([\w-]+)\.json", member.name)
            if not name and member.name != "package/collections.json":
                continue
            content = archive.extractfile(member)
            assert content is not None
            if name:
                drawn[name[1]] = json.load(content)
            else:
                kinds = json.load(content)
    return kinds, {name: icons for name, icons in drawn.items() if name in kinds}


def _usable(kind: Mapping[str, Any]) -> bool:
    permissive = kind["license"].get("spdx") in LICENCES
    return permissive and not kind.get("palette") and kind.get("category") not in OTHER_SETS


def _svg(icon: Mapping[str, Any], of: Mapping[str, Any]) -> str:
    """The drawing in the middle of a square."""
    left, top = (icon.get(key, of.get(key, 0)) for key in ("left", "top"))
    width, height = (icon.get(key, of.get(key, 16)) for key in ("width", "height"))
    side = max(width, height)
    box = f"{left - (side - width) / 2:g} {top - (side - height) / 2:g} {side:g} {side:g}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}">{icon["body"]}</svg>'


def _of_test(icon: Icon) -> bool:
    """Whether a set is kept for the test, by its short name alone."""
    first = hashlib.sha256(icon.source.partition(":")[0].encode()).digest()[0]
    return first < 256 * TEST_SHARE


def _without_copies(icons: Sequence[Icon], of: Sequence[Icon]) -> list[Icon]:
    """Those that look like none of the others."""
    known = _directions(of)
    kept = []
    for first in range(0, len(icons), 1000):
        some = icons[first : first + 1000]
        alike = (_directions(some) @ known.T).max(axis=1, initial=0.0)
        kept += [icon for icon, cosine in zip(some, alike, strict=True) if cosine <= COPY]
    return kept


def _directions(icons: Iterable[Icon]) -> NDArray[np.float32]:
    pixels = rendered([icon.svg for icon in icons], COMPARED_PX).astype(np.float32)
    flat = pixels.reshape(len(pixels), -1)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.asarray(flat / np.maximum(length, 1e-6), dtype=np.float32)
