from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from norface.report.curves import MAX_PANELS, Curve, curves_figure, find_curves, read_metrics
from norface.report.theme import DARK, LIGHT


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_empty_cells_and_what_is_not_finite_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    write(path, "epoch,step,train/loss,val/loss\n0,0,1.5,\n0,1,nan,\n0,1,,2.5\n0,2,inf,\n")
    assert read_metrics(path) == {"train/loss": {0: 1.5}, "val/loss": {1: 2.5}}


def test_stages_runs_and_splits_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path / "normalizer" / "metrics.csv", "step,train/loss_step,train/loss_epoch,val_r2,lr-Adam\n1,9,2,3,4\n")
    for name in ("raw", "both"):
        write(tmp_path / "classifier" / "fer" / name / "metrics.csv", "step,train/loss,test/accuracy\n1,2,3\n")
    write(tmp_path / "teacher" / "identity" / "lightning_logs" / "version_0" / "metrics.csv", "step,loss\n1,2\n")
    stages = find_curves(tmp_path)
    assert set(stages) == {"normalizer", "classifier/fer", "teacher/identity"}
    assert [(curve.split, curve.panel, curve.values) for curve in stages["normalizer"]] == [
        ("train", "loss", (2.0,)),
        ("val", "r2", (3.0,)),
    ]
    assert [(curve.run, curve.panel) for curve in stages["classifier/fer"]] == [("both", "loss"), ("raw", "loss")]
    assert [(curve.run, curve.split) for curve in stages["teacher/identity"]] == [("", "")]


def test_a_resumed_run_takes_over_from_its_first_step(tmp_path: Path) -> None:
    logs = tmp_path / "normalizer" / "lightning_logs"
    write(logs / "version_2" / "metrics.csv", "step,train/loss\n1,10\n2,10\n3,10\n")
    write(logs / "version_10" / "metrics.csv", "step,train/loss\n2,20\n3,20\n4,20\n")
    (curve,) = find_curves(tmp_path)["normalizer"]
    assert curve.steps == (1, 2, 3, 4)
    assert curve.values == (10.0, 20.0, 20.0, 20.0)


@pytest.mark.parametrize(("low", "scale"), [(0.001, "log"), (0.5, "linear"), (-1.0, "linear")])
def test_scale_is_logarithmic_where_values_span_decades(low: float, scale: str) -> None:
    curve = Curve("", "train", "loss", (0, 1, 2), (1.0, 0.7, low))
    drawn = curves_figure([curve], LIGHT)
    assert drawn.axes[0].get_yscale() == scale


def test_long_curves_get_a_smoothed_line_that_does_not_lag() -> None:
    steps = tuple(range(400))
    noise = np.random.default_rng(0).normal(0, 0.3, 400)
    curve = Curve(
        "", "train", "loss", steps, tuple(float(step + wobble) for step, wobble in zip(steps, noise, strict=True))
    )
    measured, smooth = curves_figure([curve], DARK).axes[0].get_lines()
    inner = slice(20, -20)
    error = np.asarray(smooth.get_ydata())[inner] - np.asarray(steps)[inner]
    assert abs(error).max() < 0.3
    assert np.asarray(measured.get_ydata()).tolist() == list(curve.values)


def test_losses_come_first_and_panels_are_limited() -> None:
    panels = [f"metric {index}" for index in range(20)] + ["identity loss", "loss"]
    drawn = curves_figure([Curve("", "val", panel, (0, 1), (1.0, 2.0)) for panel in panels], LIGHT)
    titles = [ax.get_title(loc="left") for ax in drawn.axes]
    assert titles[:3] == ["loss", "identity loss", "metric 0"]
    assert len(titles) == MAX_PANELS


def test_compared_runs_share_one_legend_with_solid_validation() -> None:
    curves = [Curve(run, split, "loss", (0, 1), (1.0, 2.0)) for run in ("both", "raw") for split in ("train", "val")]
    (box,) = curves_figure(curves, LIGHT).legends
    assert [text.get_text() for text in box.get_texts()] == ["originals", "originals + normalized"]
    assert [line.get_linestyle() for line in box.get_lines()] == ["-", "-"]


def test_shares_of_the_gradient_are_one_panel_with_a_legend_of_its_own(tmp_path: Path) -> None:
    names = [
        "normalizer/gradient_share/identity",
        "normalizer/gradient_share/paired",
        "normalizer/gradient_norm/generator",
    ]
    write(tmp_path / "normalizer" / "metrics.csv", f"step,{','.join(names)}\n1,0.2,0.8,3\n2,0.3,0.7,2\n")
    curves = find_curves(tmp_path)["normalizer"]
    assert [(curve.panel, curve.part) for curve in curves] == [
        ("gradient share", "identity"),
        ("gradient share", "paired"),
        ("gradient norm", "generator"),
    ]
    drawn = curves_figure(curves, LIGHT)
    assert [ax.get_title(loc="left") for ax in drawn.axes[:2]] == ["gradient share", "gradient norm"]
    box = drawn.axes[0].get_legend()
    assert box is not None
    assert [text.get_text() for text in box.get_texts()] == ["identity", "paired"]
    assert [line.get_color() for line in drawn.axes[0].get_lines()] == [line.get_color() for line in box.get_lines()]


def test_validated_figures_come_before_the_terms_of_training() -> None:
    curves = [Curve("", "", f"term {index}", (0, 1), (1.0, 2.0)) for index in range(MAX_PANELS)]
    drawn = curves_figure([*curves, Curve("", "val", "expression r2", (0, 1), (0.0, 0.5))], LIGHT)
    assert drawn.axes[0].get_title(loc="left") == "expression r2"
