"""Why a study cannot be compared."""

from scaling_study.common.errors import InputError


class PreconditionError(ValueError):
    """A precondition of the comparison fails; the message says which."""


class NothingToCompareError(InputError):
    """No run of a whole study can be analysed; why not is known of each."""
