"""Whether a change is kept: two groups of runs, and an error budget over a series of decisions."""
