"""A study as the analysis sees it: table, cells, arms, compared settings."""
