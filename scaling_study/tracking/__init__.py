"""A mirror of runs in Weights & Biases. The files of a run are the truth; nothing is sent unasked."""
