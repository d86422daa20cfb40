"""`python -m scaling_study.status`: the state of a study's runs."""
