from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from norface.protocol.record import CONSTANT, read_record
from norface.report.protocol_page import build_protocol_report
from norface.report.protocol_table import Cell, protocol_table, spread_of
from norface.report.protocol_trust import shown_table
from protocol_folder import leave_protocol


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lost = ("full, fold b, 5 people, seed 1",)
    skill = {"raw": 0.2, "full": 0.45, "in_x": 0.3}
    found = leave_protocol(
        tmp_path_factory.mktemp("p"), name="<i>p</i>", skill=skill, people=[5, 10], folds=("a", "b"), lost=lost
    )
    build_protocol_report(found)
    return found


def test_page_is_self_contained_escaped_and_says_what_is_missing(folder: Path) -> None:
    page = (folder / "report" / "index.html").read_text()
    assert "<i>p</i>" not in page and "&lt;i&gt;p&lt;/i&gt;" in page
    assert "<b>out of memory</b>" not in page and "&lt;b&gt;out of memory&lt;/b&gt;" in page
    assert "1 of 24 runs are not finished" in page
    assert not re.search(r"https?://|<script", page) and page.count("data:image/png;base64,") == 10  # light and dark
    for words in ("Can the probabilities be believed", "head turn |yaw|, degrees", "error over coverage, %"):
        assert words in page
    for words in ("labelled people does it take", "Differences to raw", CONSTANT, "95 % interval over subjects"):
        assert words in page


def test_a_protocol_without_people_or_baseline_has_no_such_sections(tmp_path: Path) -> None:
    leave_protocol(tmp_path, baseline=None, seeds=(0,))
    page = build_protocol_report(tmp_path).read_text()
    assert "labelled people" not in page and "Differences" not in page and "not finished" not in page


@pytest.mark.parametrize("task", ["fer", "au", "au-intensity"])
def test_tables_have_the_literatures_order(tmp_path: Path, task: str) -> None:
    leave_protocol(tmp_path, task=task, people=[5, 10])
    record = read_record(tmp_path)
    table = protocol_table(record)
    figures = {"fer": ["accuracy", "mean-class acc.", "macro F1"]}
    assert list(table.head) == figures.get(task, ["AU01", "AU12", "mean"])
    kinds = ["ICC(3,1)", "MAE", "MSE"] if task == "au-intensity" else [None]
    names = [(str(people), name) for people in (5, 10) for name in ("raw", "full", CONSTANT)]
    expected = [((kind,) if kind else ()) + (name, people) for kind in kinds for people, name in names]
    assert [key for key, _ in table.rows][: len(expected)] == expected  # extra rows follow
    first = record["summary"][0]["figures"]
    name = {"fer": "accuracy", "au": "f1.AU01", "au-intensity": "icc.AU01"}[task]
    assert table.rows[0][1][0] == Cell(name, first[name]["mean"], first[name]["std_seeds"])
    assert ('class="scroll summed"' in shown_table(table)) == (task != "fer")  # the mean stays in sight


def test_three_files_hold_the_same_numbers(folder: Path) -> None:
    record = read_record(folder)
    found = record["summary"][0]["figures"]["accuracy"]
    shown = f"{100 * found['mean']:.1f}", f"{100 * found['std_seeds']:.1f}"
    assert f"| raw | 5 | {shown[0]} ± {shown[1]} |" in (folder / "table.md").read_text()
    latex = (folder / "table.tex").read_text()
    assert rf"raw & 5 & ${shown[0]} \pm {shown[1]}$" in latex and r"in\_x & 5" in latex
    rows = list(csv.DictReader((folder / "table.csv").read_text().splitlines()))
    assert float(rows[0]["accuracy"]) == pytest.approx(found["mean"], abs=1e-6)
    assert float(rows[0]["accuracy std"]) == pytest.approx(found["std_seeds"], abs=1e-6)


def test_calibration_and_slices_are_tables_too(folder: Path) -> None:
    record = read_record(folder)
    trust = list(csv.DictReader((folder / "trust.csv").read_text().splitlines()))
    assert [(row["variant"], row["people"]) for row in trust[:2]] == [("raw", "5"), ("full", "5")]
    assert float(trust[0]["temperature"]) == pytest.approx(
        record["trust"][0]["figures"]["temperature"]["mean"], rel=1e-5
    )
    slices = list(csv.DictReader((folder / "slices.csv").read_text().splitlines()))
    assert [row["slice"] for row in slices[::3]] == ["below 10", "10 to 20", "20 to 30", "from 30"]
    difference = record["slices"][1]["difference"]["difference"]
    assert slices[1]["difference"] == f"{100 * difference:+.1f}" and slices[0]["difference"] == "n/a"


def test_spread_is_over_seeds_else_over_folds() -> None:
    assert spread_of({"seeds": [0, 1], "folds": ["a", "b"]}) == "seeds"
    assert spread_of({"seeds": [0], "folds": ["a", "b"]}) == "folds"
    assert spread_of({"seeds": [0], "folds": [""]}) == ""


def test_numbers_as_text() -> None:
    assert Cell("f1.AU01", 0.6543, 0.01).text() == "65.4 ± 1.0"
    assert Cell("icc", 0.6543, None).text() == "0.654"
    assert Cell("icc", None, None).text() == "n/a"
