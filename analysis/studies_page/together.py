"""Studies of several data sets in a page of prose: the effect of each rule in all of them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from analysis.meta_analysis.command import NAME, TITLE, summary

TEXT = """\
A study is about one data set. Below each rule that two or more of them can answer stands its effect
in every data set, the mean over data sets, and the interval in which the effect in a *new* data set
would lie ([summary](summary.md)); `published` is the paper's own ImageNet table. Few data sets,
chosen because they are at hand, are no random sample of data sets."""


def together(studies: Sequence[str], pictures: Path) -> Iterator[str]:
    """The section's lines in Markdown; its picture and numbers go to the folder `pictures`.

    Raises:
        InputError: studies that cannot be summarised.
    """
    *said, _ = summary(studies, Path("results"), pictures, formats="png")
    for numbers in (f"{NAME}.csv", f"{NAME}.json"):
        (pictures / numbers).unlink()
    yield from ("## Over several data sets", "", TEXT, "")
    yield from (f"![{TITLE}]({pictures.name}/{NAME}.png)", "", "```", *said, "```", "")
    command = f"python -m analysis.summary {' '.join(studies)}"
    yield from ("**Again.**", "", "```sh", f"{command} -o figures/{NAME}", "```", "")
