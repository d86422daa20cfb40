"""One module per family, each with a `FAMILY`; found by name, so that none has to be listed."""
