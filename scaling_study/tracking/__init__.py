"""A mirror of runs in Weights & Biases: the files are the truth, and nothing is sent unasked."""
