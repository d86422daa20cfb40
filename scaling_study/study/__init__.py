"""A study on disk: run folders, results, claims, forecasts."""
