from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from answered import answers_to, labels_of
from norface.errors import ResultsError
from norface.protocol.optimistic import best_epoch, best_thresholds
from norface.protocol.record import read_record
from norface.report.protocol_table import protocol_table
from protocol_folder import leave_protocol


def naive_f1(labels: list[float], said: list[bool]) -> float:
    pairs = [(y == 1, s) for y, s in zip(labels, said, strict=True) if not math.isnan(y)]
    hit = sum(y and s for y, s in pairs)
    return 2 * hit / (sum(y for y, _ in pairs) + sum(s for _, s in pairs))


@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_is_better_than_the_best(seed: int) -> None:
    labels = labels_of("au", 40, seed=seed)
    answers = np.round(answers_to("au", labels, 0.3, seed=seed), 1)  # many equal ones
    for au, threshold in enumerate(best_thresholds(labels, answers)):
        scores = {t: naive_f1(labels[:, au].tolist(), (answers[:, au] >= t).tolist()) for t in answers[:, au]}
        assert scores[threshold] == max(scores.values())


def test_an_action_unit_that_nobody_shows_has_no_threshold() -> None:
    assert np.isnan(best_thresholds(np.zeros((5, 1)), np.linspace(0, 1, 5)[:, None])).all()


def test_the_best_epoch_is_the_one_with_the_best_figure_of_merit(tmp_path: Path) -> None:
    assert best_epoch(tmp_path, "au") is None
    points = [{"epoch": k, "score": f1, "f1": f1, "accuracy": 1 - k / 10} for k, f1 in enumerate((0.3, None, 0.7, 0.5))]
    (tmp_path / "test_curve.json").write_text(json.dumps(points))
    assert best_epoch(tmp_path, "au") == {"f1": 0.7, "accuracy": 0.8}
    (tmp_path / "test_curve.json").write_text("[1]")
    with pytest.raises(ResultsError, match="test figures of each epoch"):
        best_epoch(tmp_path, "au")


def test_extra_rows_are_labelled_and_no_results(tmp_path: Path) -> None:
    leave_protocol(tmp_path, task="au")
    record = read_record(tmp_path)
    assert [(block["variant"], block["rule"]) for block in record["extra"]] == [
        (name, "best threshold on test") for name in ("raw", "full")
    ]
    for block in record["extra"]:
        result = next(one for one in record["summary"] if one["variant"] == block["variant"])
        assert block["figures"]["f1"]["mean"] > result["figures"]["f1"]["mean"]
    table = protocol_table(record)
    assert [key[0] for key, _ in table.rows][-2:] == ["raw (best threshold on test)", "full (best threshold on test)"]
    assert "no results" in table.caption
    assert {block["variant"] for block in record["differences"]} == {"full"}
