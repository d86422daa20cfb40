"""The ten words that a report needs; docs/report.md has them too."""

WORDS: tuple[tuple[str, str], ...] = (
    (
        "seed",
        "what a training draws at random: first weights, order of images; the same seed repeats it",
    ),
    (
        "cell",
        "one network and length of training, trained with several seeds; its mean error is a point "
        "in the figures",
    ),
    (
        "replicate",
        "the runs of one seed over all cells, or a whole study with other seeds: what tells an "
        "effect from luck",
    ),
    (
        "arm",
        "the cells in which one thing grows, here depth or width, from a base that both arms share",
    ),
    ("regime", "a length of training; the shortest and the longest of a study are compared"),
    (
        "relative error",
        "a difference as a share of the error: from 30 % to 27 % of images wrong is 10 % of the "
        "error",
    ),
    (
        "interval",
        "the range in which the true effect lies, but for 5 % of studies; "
        '"5 % ± 2 %" is 3 % to 7 %',
    ),
    ("margin", "the least effect that counts, declared beforehand: 0.5 % of the error"),
    (
        "verdict",
        "supported: the interval lies beyond the margin; refuted: short of it; undecided: neither",
    ),
    ("frontier", "the networks than which none is both cheaper and better"),
)
