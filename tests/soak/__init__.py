"""Soak: small studies under random sequences of faults, for as long as one likes.

`make soak ARGS='--hours 2'`; docs/reliability.md says what is promised. A sequence disturbs sweeps
of one study in several ways, then the same command finishes it: every run once, with the results of
an undisturbed study, no temporary file and no process left.
"""
