"""The paper's numbers."""

import pytest

from analysis.published.tables import figure_2


@pytest.fixture(scope="session")
def grid():
    return figure_2()
