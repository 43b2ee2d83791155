"""Every data set in every layout: the owner's folder, the face table, its counts. Nothing gets lost on the way."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.readers import (
    miniature_affectnet,
    miniature_bp4d,
    miniature_bp4d_plus,
    miniature_ckplus,
    miniature_disfa,
    miniature_disfa_plus,
    miniature_expw,
    miniature_fer2013,
    miniature_ferplus,
    miniature_folder,
    miniature_rafdb,
    miniature_sfew,
    miniature_table,
)
from data.readers.miniature import Expected
from norface.cli.datasets import make_reader
from norface.cli.main import main
from norface.data.readers import READERS
from norface.data.table import FaceTable
from norface.imaging.files import read_image


@dataclass(frozen=True)
class Case:
    """One layout of one data set, and how its faces are found: none, table (its own boxes), or boxes from a file."""

    name: str
    dataset: str
    make: Callable[[Path], Expected]
    detector: str
    options: tuple[str, ...] = ()


CASES = (
    Case("rafdb", "rafdb", miniature_rafdb.make, "none"),
    Case("rafdb-original", "rafdb", miniature_rafdb.make_original, "table", ("--reader.images", "original")),
    Case("affectnet-csv", "affectnet", miniature_affectnet.make, "table"),
    Case("affectnet-headerless", "affectnet", miniature_affectnet.make_headerless, "table"),
    Case("affectnet-npy", "affectnet", miniature_affectnet.make_npy, "none"),
    Case("fer2013", "fer2013", miniature_fer2013.make, "none"),
    Case("ferplus", "ferplus", miniature_ferplus.make, "none"),
    Case("ferplus-folders", "ferplus", miniature_ferplus.make_folders, "none"),
    Case("expw", "expw", miniature_expw.make, "table"),
    Case("sfew", "sfew", miniature_sfew.make, "file"),
    Case("sfew-aligned", "sfew", miniature_sfew.make_aligned, "none", ("--reader.images", "aligned")),
    Case("ckplus", "ckplus", miniature_ckplus.make, "file"),
    Case("bp4d", "bp4d", miniature_bp4d.make, "file"),
    Case("bp4d-fera", "bp4d", miniature_bp4d.make_fera, "file"),
    Case("bp4d_plus-archives", "bp4d_plus", miniature_bp4d_plus.make, "file"),
    Case("bp4d_plus-folders", "bp4d_plus", miniature_bp4d_plus.make_unpacked, "file"),
    Case("disfa-videos", "disfa", miniature_disfa.make, "file"),
    Case("disfa_plus", "disfa_plus", miniature_disfa_plus.make, "file"),
    Case("folder", "folder", miniature_folder.make, "none", ("--frame", "my-crops")),
    Case("folder-splits", "folder", miniature_folder.make_splits, "none", ("--frame", "my-crops")),
    Case("table", "table", miniature_table.make, "file"),
    Case("table-parquet", "table", miniature_table.make_parquet, "none", ("--frame", "my-crops")),
)


def test_every_reader_has_a_case() -> None:
    assert {case.dataset for case in CASES} == set(READERS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_from_the_owners_folder_to_counts(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = tmp_path / "owner", tmp_path / "out"
    root.mkdir()
    expected = case.make(root)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    of_the_reader = case.options if case.options[:1] != ("--frame",) else ()
    assert main(["data", "check", "--dataset", case.dataset, "--root", str(root), *of_the_reader]) == 0
    options = ["--detector", case.detector]
    if case.detector == "file":
        boxes = pd.DataFrame({"face_id": list(expected.images), "box_left": 1, "box_top": 1})
        boxes.assign(box_width=16, box_height=16).to_csv(tmp_path / "boxes.csv", index=False)
        options = ["--detector", "table", "--faces", str(tmp_path / "boxes.csv")]
    command = ["data", "prepare", "--dataset", case.dataset, "--root", str(root), "--out", str(out)]
    assert main([*command, "--size", "24", "--processes", "1", *options, *case.options]) == 0
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before

    table = FaceTable.load(out)
    frame = table.frame.set_index("face_id")
    assert frame["source"].to_dict() == dict(expected.images)
    usable = frame["success"] == 1
    assert usable.any()
    for crop in frame.loc[usable, "image"]:
        assert read_image(out / crop).shape == (24, 24, 3)
    with (out / "skipped.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert {line["face_id"] for line in lines if line["in_table"] == "yes"} == set(frame.index[~usable])
    assert Counter(line["why"] for line in lines if line["in_table"] == "no") == dict(expected.skipped)

    emotions = frame["emotion"].dropna().to_dict() if "emotion" in frame.columns else {}
    assert emotions == dict(expected.emotions)
    assert set(emotions.values()) <= set(table.meta.emotions)
    for column in {name for numbers in expected.numbers.values() for name in numbers if name.startswith("AU")}:
        wanted = [expected.numbers.get(name, {}).get(column, np.nan) for name in frame.index]
        np.testing.assert_array_equal(frame[column].to_numpy(float), wanted)

    capsys.readouterr()
    assert main(["data", "check", str(out)]) == 0
    assert main(["data", "stats", str(out), "--examples", "2"]) == 0
    shown = capsys.readouterr().out
    assert "every image can be read" in shown
    literature = make_reader(case.dataset, {}, prog="norface")[0].info.literature
    assert ("literature" in shown) is bool(literature)
    assert read_image(out / "stats.png").size
