"""What a study's table shows beside its verdicts: variants, dominance, over-fitting, forecasts."""
