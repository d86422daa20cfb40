"""Statistics that know no rule: contrasts, decisions, frontiers, noise, looks."""
