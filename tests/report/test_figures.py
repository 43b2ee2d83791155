from __future__ import annotations

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from norface.report import figures
from norface.report.theme import DARK, LIGHT, Theme, png

SCORES = {"raw": 0.5, "normalized": 0.8, "oracle": 0.95}


def draw_all(theme: Theme) -> dict[str, Figure]:
    names = ["happy", "sad $x$"]
    return {
        "bars": figures.score_bars(SCORES, "Probe", "accuracy", 0.125, theme),
        "confusion": figures.confusion([[8, 2], [0, 0]], names, "Probe", theme),
        "experts": figures.expert_use([[0.9, 0.1], [0.0, 0.0]], names, "Input experts", theme),
        "aus": figures.per_au_bars({"raw": {"AU01": 0.2}, "both": {"AU01": 0.5, "AU12": -0.1}}, "ICC", "AUs", theme),
        "timing": figures.timing_bars({"faces": 3.0, "fer_both": 200.0}, theme),
    }


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_every_figure_draws_in_both_themes(theme: Theme) -> None:
    surface = np.array([int(theme.surface[index : index + 2], 16) for index in (5, 3, 1)])
    for name, drawn in draw_all(theme).items():
        pixels = cv2.imdecode(np.frombuffer(png(drawn), np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None and pixels.std() > 5, name
        assert np.abs(pixels[0, 0].astype(int) - surface).max() <= 3, name  # the page's own background
        height, width = pixels.shape[:2]
        expected = drawn.get_size_inches() * 200
        assert np.abs(np.array([width, height]) - expected).max() <= 1


def test_bars_are_as_long_as_their_scores_and_named() -> None:
    (ax,) = figures.score_bars(SCORES, "Probe", "accuracy", None, LIGHT).axes
    assert [bar.get_width() for bar in ax.patches] == list(SCORES.values())  # type: ignore[attr-defined]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "originals",
        "normalized alone",
        "oracle (true normalized)",
    ]
    assert not any("constant" in text.get_text() for text in ax.texts)


def test_action_units_without_a_score_say_so() -> None:
    (ax,) = figures.per_au_bars({"raw": {"AU01": 0.2, "AU12": None}, "both": {"AU01": 0.5}}, "F1", "x", LIGHT).axes
    assert [text.get_text() for text in ax.texts] == ["n/a", "n/a"]
    nothing = float("nan")
    (ax,) = figures.expert_use([[0.9, 0.1], [nothing, nothing]], ["a", "b"], "x", LIGHT).axes
    assert [text.get_text() for text in ax.texts] == ["90", "10", "n/a", "n/a"]


def test_confusion_shows_percent_of_each_true_class() -> None:
    (ax,) = figures.confusion([[3, 1], [0, 0]], ["a", "b"], "x", LIGHT).axes
    shown = np.asarray(ax.images[0].get_array())
    assert shown.tolist() == [[0.75, 0.25], [0.0, 0.0]]
    assert [text.get_text() for text in ax.texts] == ["75", "25"]


def test_large_confusion_matrices_have_no_numbers_in_their_cells() -> None:
    size = 20
    counts = np.eye(size).tolist()
    (ax,) = figures.confusion(counts, [str(index) for index in range(size)], "x", LIGHT).axes
    assert len(ax.texts) == 0
