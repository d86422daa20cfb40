"""`python -m analysis.published`: the paper's claims on the paper's numbers."""
