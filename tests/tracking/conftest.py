"""The W&B server of the tests."""

from helpers.tracked import server

__all__ = ["server"]
