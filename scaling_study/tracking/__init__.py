"""Copies of runs in W&B and TensorBoard. The files are the truth; nothing is sent unasked."""
