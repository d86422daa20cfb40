"""A study's W&B workspace, and its analysis as a W&B run."""
