"""From a grid file to cells: axes, tied points, conditions, equal-compute axes."""
