"""analysis/figures."""
