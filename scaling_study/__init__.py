"""Scaling-strategy experiments for vision models: grid, plan, training runs, results."""

__version__ = "1.0.0"
