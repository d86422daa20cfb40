"""Texts of a drawn figure, and whether they can be read."""

from itertools import combinations, pairwise

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation, Text


def texts(figure):
    """Visible texts with their boxes in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    found = []
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip():
            found.append((text, text.get_window_extent(renderer)))
    return found


def check(figure):
    """Nothing is cut off, no ticks run into each other, no direct label covers another."""
    FigureCanvasAgg(figure).draw()
    inside = figure.bbox.padded(2)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [t for t in axis.get_major_ticks() if low <= t.get_loc() <= high]
            shown = [t.label1 for t in ticks if t.label1.get_visible() and t.label1.get_text()]
            boxes = [text.get_window_extent() for text in shown]
            boxes.sort(key=lambda b: (b.x0, b.y0))
            for a, b in pairwise(boxes):
                assert not a.padded(-1).overlaps(b.padded(-1)), (
                    axes.get_title("left"),
                    axis.axis_name,
                )
            if axis.get_scale() == "log":
                assert len(ticks) >= 2, (axes.get_title("left"), axis.axis_name)
    labels = [(t, box) for t, box in texts(figure) if isinstance(t, Annotation)]
    for text, box in labels:
        assert inside.contains(box.x0, box.y0), text.get_text()
        assert inside.contains(box.x1, box.y1), text.get_text()
    for (a, box_a), (b, box_b) in combinations(labels, 2):
        assert not box_a.padded(-2).overlaps(box_b.padded(-2)), (a.get_text(), b.get_text())
    for axes in figure.axes:
        for text in (axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title):
            if text.get_text():
                box = text.get_window_extent()
                assert inside.contains(box.x0, box.y0), text.get_text()
                assert inside.contains(box.x1, box.y1), text.get_text()


def words(figure):
    return [text.get_text() for text, _ in texts(figure)]
