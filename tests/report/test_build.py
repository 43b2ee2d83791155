from __future__ import annotations

import html
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import pytest

from norface.errors import OutputError, ResultsError
from norface.report.build import build_report
from norface.report.summary import terminal_table
from norface.results import read_results, update_results

EVIL = "<script>alert('$x_1$')</script>\"onload=\"evil()"


class Loads(HTMLParser):
    """Collects tags, and everything that a browser would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "href", "data", "action") and value is not None:
                self.loaded.append(value)
            if name.startswith("on"):
                self.handlers.append(name)


def parse(page: Path) -> Loads:
    parser = Loads()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


@pytest.fixture(scope="module")
def report_page(run_folder: Path) -> Path:
    return build_report(run_folder, run_folder / "report")


def test_page_is_self_contained(report_page: Path) -> None:
    found = parse(report_page)
    assert not {"script", "link", "iframe", "object", "embed"} & set(found.tags)
    assert found.handlers == []
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in found.loaded)
    style = re.search(r"<style>(.*?)</style>", report_page.read_text(), re.DOTALL)
    assert style is not None and "url(" not in style[1] and "@import" not in style[1]


def test_links_lead_to_sections(report_page: Path) -> None:
    text = report_page.read_text()
    links = [address for address in parse(report_page).loaded if address.startswith("#")]
    assert len(links) == 9
    assert all(f'id="{link[1:]}"' in text for link in links)


def test_page_says_what_was_run_and_whether_it_passed(report_page: Path) -> None:
    text = html.unescape(report_page.read_text())
    for words in (
        "Gate passed",
        "explain 79% of the variance",
        "right subject away in 3.1% of cases (chance 2.5%)",
        "seed 0",
        "0.561 → 0.818, oracle 0.978",
        "originals alone 0.602 (+0.232)",
        "17 min 13 s",
        "best mean-class accuracy on val",
        "0f3a" * 16,
        "Solid: validation, dashed: training.",
        "Last: epoch 10",
    ):
        assert words in text, words
    assert "to add it" not in text  # nothing is missing


def test_figures_lie_beside_the_page_and_show_something(report_page: Path) -> None:
    expected = {
        "grid", "scores-probe", "scores-classifier", "scores-classifier_au", "confusion-classifier-both",
        "confusion-probe-normalized", "experts-classifier-input", "per-au-classifier_au", "curves-normalizer",
        "curves-teacher-identity", "curves-classifier-fer", "preview-first", "preview-middle", "preview-last", "timing",
    }  # fmt: skip
    found = {path.stem: path for path in report_page.parent.glob("*.png")}
    assert expected <= set(found)
    for path in found.values():
        pixels = cv2.imread(str(path))
        assert pixels is not None and pixels.std() > 5, f"{path.name} is blank"


def test_every_figure_has_a_dark_twin_and_words(report_page: Path) -> None:
    text = report_page.read_text()
    drawn = text.count("<picture>")
    assert drawn > 10 and text.count('media="(prefers-color-scheme: dark)"') == drawn
    assert text.count("<img ") == len(re.findall(r'<img src="[^"]*" alt="[^"]+', text))


def test_people_of_the_training_stand_beside_the_others(tmp_path: Path) -> None:
    check = {"name": "expression_r2", "value": 0.5, "limit": 0.4, "direction": "min", "passed": True}
    gate = {"expression_r2": 0.5, "identity_to_target": 0.7, "passed": True, "checks": [check]}
    update_results(tmp_path / "results.json", {"gate": gate})
    assert "people of the training" not in build_report(tmp_path, tmp_path / "out").read_text()
    update_results(tmp_path / "results.json", {"gate": {"seen": {"expression_r2": 0.875, "split": "normalizer"}}})
    page = build_report(tmp_path, tmp_path / "out").read_text()
    assert "on people of the training" in page and "0.875" in page
    with pytest.raises(ResultsError, match=r"seen\.expression_r2"):
        update_results(tmp_path / "results.json", {"gate": {"seen": {"expression_r2": 1.5}}})


def test_names_from_the_data_are_escaped(tmp_path: Path) -> None:
    run = tmp_path / EVIL.replace("/", "_")
    block = {"task": "fer", "accuracy": 0.5, "confusion": [[5, 5], [5, 5]], "classes": [EVIL, "happy"]}
    check = {"name": EVIL, "value": 0.5, "limit": 0.4, "direction": "min", "passed": False}
    expert_use = {"output": [[0.5, 0.5], [1.0, 0.0]], "input_by_stream": {EVIL: [0.5, 0.5]}}
    update_results(
        run / "results.json",
        {
            "gate": {"passed": False, "checks": [check]},
            "probe": {"raw": block},
            "classifier": {"both": {**block, "expert_use": expert_use}},
            "classifier_au": {"both": {"task": "au", "f1": 0.5, "f1_per_au": {EVIL: 0.5}}},
            "protocol": {EVIL: {EVIL: [EVIL]}, "dataset": EVIL, "leaked_subjects": [EVIL]},
            "versions": {"norface": EVIL},
            "timing": {f"{EVIL}_s": 3.0},
        },
    )
    page = build_report(run, tmp_path / "out")
    found = parse(page)
    assert "script" not in found.tags and found.handlers == []
    text = page.read_text()
    assert EVIL not in text and "<script" not in text
    assert html.escape(EVIL) in text
    assert html.unescape(text).count("Leakage was allowed") == 1


def test_missing_parts_are_named_with_their_command(tmp_path: Path) -> None:
    update_results(tmp_path / "results.json", {"seed": 3})
    text = html.unescape(build_report(tmp_path, tmp_path / "report").read_text())
    assert "Gate not run" in text
    commands = set(re.findall(r"Run <code>(.*?)</code>", text))
    assert {"make gate", "make demo", "make train-normalizer", "make train-classifier TASK=fer"} <= commands
    assert list((tmp_path / "report").glob("*.png")) == []


def test_figures_that_could_not_be_computed_are_not_available(tmp_path: Path) -> None:
    nan = float("nan")
    check = {"name": "expression_r2", "value": nan, "limit": 0.7, "direction": "min", "passed": False}
    part = {
        "gate": {"expression_r2": nan, "passed": False, "checks": [check]},
        "probe": {"raw": {"accuracy": nan, "mean_class_accuracy": 0.5, "confusion": [[0, 0], [0, 0]]}},
    }
    update_results(tmp_path / "results.json", part)
    text = build_report(tmp_path, tmp_path / "report").read_text()
    assert "Gate failed" in text and "not measured" in text
    assert '<td class="number">n/a</td>' in text
    assert "nan" not in text.lower().replace("data:image", "").split("<main>")[0]


def test_action_units_without_labels_are_not_available(tmp_path: Path) -> None:
    per_au = {"AU01": 0.5, "AU02": None, "AU12": 0.7}
    use = {"input": [[0.5, 0.5], [None, None], [0.1, 0.9]], "output": [[0.5, 0.5]] * 3}
    block = {"task": "au", "f1": 0.6, "f1_per_au": per_au, "labels": list(per_au), "expert_use": use, "n_faces": 40}
    none = {"task": "au", "f1": None, "f1_per_au": dict.fromkeys(per_au)}
    update_results(tmp_path / "results.json", {"classifier_au": {"raw": none, "both": block}})
    text = html.unescape(build_report(tmp_path, tmp_path / "report").read_text())
    assert "n/a: AU02 has no labels." in text
    assert "Action unit detection (mean F1): raw n/a, both 0.600" in terminal_table(
        read_results(tmp_path / "results.json")
    )


def test_unlabelled_test_faces_are_told_apart(tmp_path: Path) -> None:
    block = {"task": "fer", "accuracy": 0.5, "n_faces": 40, "n_labels": 30, "n_subjects": 4}
    update_results(tmp_path / "results.json", {"classifier": {"both": block}})
    text = html.unescape(build_report(tmp_path, tmp_path / "report").read_text())
    assert "40 test faces of 4 people, 30 of them with a label." in text


def test_half_written_pictures_and_curves_are_left_out(tmp_path: Path) -> None:
    update_results(tmp_path / "results.json", {"seed": 3})
    (tmp_path / "gate").mkdir()
    (tmp_path / "gate" / "grid.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (tmp_path / "normalizer").mkdir()
    (tmp_path / "normalizer" / "metrics.csv").write_bytes(b"step,train/loss\n0,\x00abc\n1")
    text = build_report(tmp_path, tmp_path / "report").read_text()
    assert "No picture of normalized faces" in text and "No training curves" in text


def test_no_results_and_no_place_to_write(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="make demo"):
        build_report(tmp_path, tmp_path / "report")
    update_results(tmp_path / "results.json", {"seed": 3})
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        build_report(tmp_path, tmp_path / "file")
