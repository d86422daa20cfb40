"""`python -m scaling_study.sweep`: from a grid to trained runs."""
