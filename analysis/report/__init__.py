"""A study's analysis from its table to the report."""
