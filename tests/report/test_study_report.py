from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from norface.imaging.files import write_png
from norface.report.study_page import _picture, build_study_report
from norface.report.study_table import study_table
from norface.study.record import read_record
from study_folder import leave_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = leave_study(
        tmp_path_factory.mktemp("s"), name="<i>s</i>", people=[10, 100], lost=("all, 100 people, seed 1",)
    )
    build_study_report(found)
    return found


def test_page_is_self_contained_escaped_and_says_what_is_missing(folder: Path) -> None:
    page = (folder / "report" / "index.html").read_text()
    assert "<i>s</i>" not in page and "&lt;i&gt;s&lt;/i&gt;" in page
    assert "<b>out of memory</b>" not in page and "&lt;b&gt;out of memory&lt;/b&gt;" in page
    assert "1 of 8 runs are not finished" in page
    assert not re.search(r"https?://|<script", page)
    drawn = sorted(path.name for path in (folder / "report").glob("*.png"))
    assert drawn == ["faces-all.png", "faces-none.png", "faces-variants.png", "losses.png", "people.png"]
    assert page.count("data:image/png;base64,") == 2 * len(drawn)  # light and dark
    for words in ("How many people must it have seen", "Differences to none", "The same faces", "not passed"):
        assert words in page


def test_what_there_is_not_has_no_section(tmp_path: Path) -> None:
    leave_study(tmp_path, baseline=None, seeds=[0])
    for path in tmp_path.rglob("faces.png"):
        path.unlink()
    page = build_study_report(tmp_path).read_text()
    for words in ("How many people", "Differences", "The same faces", "not finished", "Bands", "±"):
        assert words not in page


def test_three_files_hold_the_same_numbers(folder: Path) -> None:
    record = read_record(folder)
    rows = list(csv.DictReader((folder / "table.csv").read_text().splitlines()))
    assert [(row["variant"], row["people"]) for row in rows] == [
        (variant, people) for people in ("10", "100") for variant in ("none", "all")
    ]
    for row, block in zip(rows, record["summary"], strict=True):
        assert float(row["R²"]) == pytest.approx(block["figures"]["expression_r2"]["mean"], abs=1e-5)
    mean, std = (float(rows[0][key]) for key in ("R²", "R² std"))
    assert f"| none | 10 | {mean:.3f} ± {std:.3f} |" in (folder / "table.md").read_text()
    assert rf"none & 10 & ${mean:.3f} \pm {std:.3f}$" in (folder / "table.tex").read_text()
    assert "chance in 0.05" in study_table(record).caption


@pytest.mark.parametrize("shape", [(24, 25, 3), (25, 24, 3)])
def test_a_picture_that_is_no_rows_of_faces_is_left_out(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    write_png(tmp_path / "faces.png", np.zeros(shape, np.uint8))
    assert _picture(tmp_path / "faces.png") is None
    write_png(tmp_path / "faces.png", np.zeros((16, 40, 3), np.uint8))
    assert [row.shape for row in _picture(tmp_path / "faces.png") or []] == [(8, 40, 3)] * 2
