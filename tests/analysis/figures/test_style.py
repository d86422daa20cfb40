"""What all figures share: rows of panels, names of points, ink, colours."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from analysis.figures.drawing.labels import ink
from analysis.figures.drawing.panels import panels, spread
from analysis.figures.drawing.style import COLORS, LINES, VERDICTS, WIDTH


def test_small_text_has_contrast_and_keeps_its_hue():
    """WCAG asks for 4.5 to 1; a blend with black keeps the ratio of red, green and blue."""
    for color in (*LINES, *COLORS.values(), *VERDICTS.values()):
        before, after = np.array(to_rgb(color)), np.array(ink(color))
        linear = np.where(after <= 0.04045, after / 12.92, ((after + 0.055) / 1.055) ** 2.4)
        assert 1.05 / (0.05 + linear @ [0.2126, 0.7152, 0.0722]) >= 4.5
        np.testing.assert_allclose(np.cross(before, after), 0, atol=1e-9)


@pytest.mark.parametrize("count", [*range(1, 10), 30])
def test_panels_fill_rows_of_about_equal_length(count):
    figure, found = panels(list(range(count)))
    assert [key for key, _ in found] == list(range(count))
    assert len(figure.axes) == count
    assert figure.get_figwidth() <= WIDTH


def test_few_names_are_spread_over_many_points():
    rows = [{"i": i} for i in range(40)]
    chosen = [r["i"] for r in spread(rows, 9)]
    assert (chosen[0], chosen[-1], len(set(chosen))) == (0, 39, 9)
    assert spread(rows[:9], 9) == rows[:9]


def test_colours_can_be_told_apart_by_the_colour_blind():
    """Machado et al. 2009, severity 1: the arms stay far apart in Lab for each kind."""
    kinds = {
        "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    }

    def lab(color, matrix):
        rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        seen = np.clip(np.array(matrix) @ linear, 0, 1)
        xyz = np.array(
            [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
        )
        x, y, z = np.cbrt(np.maximum(xyz @ seen / [0.9505, 1, 1.089], 1e-4))
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    groups = ([COLORS[a] for a in ("depth", "width", "base")], list(LINES[:4]))
    for matrix in kinds.values():
        for colors in groups:
            for a, b in combinations(colors, 2):
                assert np.linalg.norm(lab(a, matrix) - lab(b, matrix)) > 15, (a, b)
