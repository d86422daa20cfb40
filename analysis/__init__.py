"""From a table of finished runs to frontiers, contrasts and verdicts. Never imports torch."""
