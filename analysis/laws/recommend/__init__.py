"""What to train next under a budget."""
