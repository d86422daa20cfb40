"""Forms of scaling laws, and fitting them by variable projection."""
