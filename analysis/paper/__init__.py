"""The paper's numbers, each row with its source, and readers of them."""
