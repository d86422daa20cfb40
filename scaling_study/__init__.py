"""Scaling-strategy experiments for vision models: grid, plan, training runs, results."""

__version__ = "0.1.0"
