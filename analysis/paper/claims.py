"""What Bello et al. 2021 (arXiv 2103.07579) claim, and what their own numbers give by our rules.

`python -m analysis.published` judges the numbers; a test compares these sentences with it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class PaperClaim:
    """A claim of the paper, where it stands, and the verdict and finding on its printed numbers."""

    says: str
    source: str
    verdict: str
    finding: str


# By the packaged rule that asks it.
CLAIMS = {
    "R1-long": PaperClaim(
        "The paper scales depth where training is long enough to over-fit",
        "Figure 3",
        "supported",
        "At 350 epochs depth beats width at equal step time by 2.8 % ± 1.1 % of the error",
    ),
    "R1-short": PaperClaim(
        "It scales width where training is short",
        "Figure 3",
        "supported",
        "At 10 epochs width beats depth at equal step time by 1.4 % ± 0.9 % of the error",
    ),
    "R1-interaction": PaperClaim(
        "So depth should gain on width as training gets longer",
        "Figure 3",
        "supported",
        "From the shortest to the longest training depth gains 4.2 % ± 1.4 % of the error on width "
        "at equal step time",
    ),
    "R4": PaperClaim(
        "It warns that what short training prefers may lose in long training",
        "Figure 3",
        "supported",
        "Choosing between depth and width by short training costs 0.46 ± 0.18 percentage points of "
        "error in long training at equal step time",
    ),
    "R2": PaperClaim(
        "It raises resolution more slowly than others did, because its returns diminish",
        "Figure 2",
        "supported",
        "A step in resolution from 320 px on returns 0.26 ± 0.09 times what one up to 160 px does",
    ),
    "R3": PaperClaim(
        "It finds that a power law of FLOPs holds for small networks and breaks for large ones",
        "Figure 2",
        "supported",
        "Beyond the best breakpoint error falls more slowly with FLOPs: its exponent changes by "
        "0.13 ± 0.02",
    ),
    "R3-harm": PaperClaim(
        "It finds that larger networks can be worse, as over-fitting sets in",
        "Figure 2",
        "supported",
        "11 % [5 %, 19 %] of single steps in width raise the error beyond noise",
    ),
}
