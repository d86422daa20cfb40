"""Rules that take their noise from a prior."""

PRIOR = {"rules": {"seed_sd": "prior"}}
