"""Image classification: top-1 error."""

LEARNED_SHARE = 0.1


def learned_error(n_classes: int) -> float:
    """The error (a fraction) above which a run has learned nothing.

    A guesser gets 1/K right. Twice that is asked for, or with few classes, where that is much
    (everything, of two), a tenth of what is left above a guess.
    """
    guessed = 1 / n_classes
    return 1 - guessed - min(guessed, LEARNED_SHARE * (1 - guessed))
