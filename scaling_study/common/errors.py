"""What goes wrong because of the user's input, and how an entry point says so."""


class InputError(ValueError):
    """Bad input: the message names the value and what would be accepted.

    Entry points print it without a traceback and exit with code 2; any other exception is a
    defect of ours and keeps its traceback.
    """
