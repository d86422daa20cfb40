"""The report: one self-contained page of verdicts, interactive figures, runs and what made them."""
