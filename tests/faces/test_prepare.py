from __future__ import annotations

import csv
import hashlib
import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import norface.faces.plan as plan_module
import toy_dataset as toy
from norface.data.readers.contract import Skipped
from norface.data.table import FaceTable
from norface.errors import AlignmentError, ConfigError, DatasetError, DetectionError, OutputError
from norface.faces.contract import Box
from norface.faces.detectors import make_detector
from norface.faces.merging import Prepared
from norface.faces.prepare import prepare
from norface.imaging.alignment import Alignment, align, place_box, transform, warp
from norface.imaging.files import read_image, write_png
from norface.labels import LANDMARK_COLUMNS
from toy_dataset import ToyReader


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "PART_ROWS", 4)
    monkeypatch.setattr(plan_module, "FOLDER_ROWS", 10)


def run(root: Path, out: Path, **changes: object) -> Prepared:
    options: dict[str, object] = {"detector": toy.square, "size": 48, "processes": 1, "progress": False}
    reader = changes.pop("reader", ToyReader())
    return prepare(reader, root, out, **(options | changes))  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, str]:
    """sha256 of every file by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def skipped(out: Path) -> list[dict[str, str]]:
    with (out / "skipped.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_crop_can_be_made_again_from_the_table(tmp_path: Path) -> None:
    rows = toy.write_pictures(tmp_path / "toy", 10)
    prepared = run(tmp_path / "toy", tmp_path / "out")
    assert (prepared.faces, prepared.usable, prepared.not_usable, prepared.new) == (10, 10, {}, True)
    table = FaceTable.load(tmp_path / "out")
    assert table.meta.alignment == Alignment(48)
    assert table.meta.emotions == ("happy", "sad")
    assert table.frame["face_id"].tolist() == rows["face_id"].tolist()
    assert table.frame["source"].tolist() == rows["image"].tolist()
    assert table.frame["AU12_r"].tolist() == rows["AU12_r"].tolist()
    points = table.frame[[f"source_{name}" for name in LANDMARK_COLUMNS]].to_numpy().reshape(-1, 5, 2)
    for number, (source, crop) in enumerate(zip(table.frame["source"], table.frame["image"], strict=True)):
        again = align(read_image(tmp_path / "toy" / source), points[number], Alignment(48))
        assert np.array_equal(again, read_image(tmp_path / "out" / crop))
    assert (table.frame["score"] == 0.9).all()
    np.testing.assert_allclose(table.landmarks()[0], Alignment(48).template(), atol=1e-6)
    boxes = table.frame[["box_left", "box_top", "box_width", "box_height"]].to_numpy()
    assert boxes[0].tolist() == [10.0, 5.0, 24.0, 24.0]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "faces.json", "faces.parquet", "images", "prepare.json", "skipped.csv"
    ]  # fmt: skip


def test_provenance_says_how_the_crops_were_made(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 2)
    run(tmp_path / "toy", tmp_path / "out", options={"classes": 7}, reader=ToyReader(facts={"rule": "votes"}))
    provenance = FaceTable.load(tmp_path / "out").meta.provenance
    assert provenance["dataset"] == "toy"
    assert provenance["reader"] == {"classes": 7}
    assert provenance["facts"] == {"rule": "votes"}
    assert provenance["detector"] == {"name": "square", "version": 1}
    assert provenance["choose"] == "largest"
    record = json.loads((tmp_path / "out" / "prepare.json").read_text())
    assert record["settings"]["alignment"] == Alignment(48).describe()


def test_rows_in_are_rows_out_and_everything_else_is_listed(tmp_path: Path) -> None:
    root, out = tmp_path / "toy", tmp_path / "out"
    toy.write_pictures(root, 12, faceless=(3, 9))
    (root / "pictures/005.png").write_bytes((root / "pictures/005.png").read_bytes()[:100])
    (root / "pictures/006.png").unlink()
    reader = ToyReader(skipped=(Skipped("labels.txt:7", "unknown code 11"), Skipped("x.png", "image without label")))
    prepared = run(root, out, reader=reader)
    assert prepared.faces == 12
    assert prepared.usable == 8
    assert prepared.not_usable == {"no face found": 2, "image cannot be read": 2}
    assert prepared.skipped == {"unknown code 11": 1, "image without label": 1}
    frame = FaceTable.load(out).frame
    assert frame.index[frame["success"] == 0].tolist() == [3, 5, 6, 9]
    assert frame.loc[3, list(LANDMARK_COLUMNS)].isna().all()
    lines = skipped(out)
    assert [line["face_id"] for line in lines if line["in_table"] == "yes"] == [
        "face_003", "face_005", "face_006", "face_009"
    ]  # fmt: skip
    assert [(line["source"], line["why"]) for line in lines if line["in_table"] == "no"] == [
        ("labels.txt:7", "unknown code 11"), ("x.png", "image without label")
    ]  # fmt: skip
    assert lines[3]["detail"] == "a truncated file"


def test_processes_make_the_same_table(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 20, faceless=(7,))
    run(tmp_path / "toy", tmp_path / "one")
    run(tmp_path / "toy", tmp_path / "two", processes=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_second_call_does_nothing(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 6)
    first = run(tmp_path / "toy", tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}
    second = run(tmp_path / "toy", tmp_path / "out")
    assert second == replace(first, new=False)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}


class Interrupting(toy.SquareDetector):
    """Stops like Ctrl-C at one image."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at

    def detect(self, pixels: np.ndarray) -> list[object]:  # type: ignore[override]
        if self.seen == self.at:
            raise KeyboardInterrupt
        return super().detect(pixels)  # type: ignore[return-value]


@pytest.mark.parametrize("at", [0, 6, 11])
def test_interrupted_it_goes_on_and_computes_nothing_twice(tmp_path: Path, at: int) -> None:
    toy.write_pictures(tmp_path / "toy", 12, faceless=(1,))
    run(tmp_path / "toy", tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "toy", tmp_path / "out", detector=partial(Interrupting, at))
    assert not (tmp_path / "out" / "faces.parquet").exists()
    made: list[toy.SquareDetector] = []

    def counting() -> toy.SquareDetector:
        made.append(toy.SquareDetector())
        return made[-1]

    run(tmp_path / "toy", tmp_path / "out", detector=counting)
    assert sum(detector.seen for detector in made) == 12 - at // 4 * 4
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_crop_that_disappeared_meanwhile_is_made_again(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 12)
    run(tmp_path / "toy", tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "toy", tmp_path / "out", detector=partial(Interrupting, 11))
    (tmp_path / "out/images/00000/face_002.png").unlink()
    crop = tmp_path / "out/images/00000/face_005.png"
    crop.write_bytes(crop.read_bytes()[:-10])  # as a power cut may leave it
    (tmp_path / "out/.prepare/000000.json").write_bytes(b"[[0, ")
    crop.with_name(".face_009.png.123.tmp").write_bytes(b"half of a cro")
    run(tmp_path / "toy", tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 64}, "alignment"),
        ({"margin": 0.2}, '"margin": 0.2'),
        ({"rule": "central"}, 'choose "central"'),
        ({"image_format": "jpeg"}, 'format "jpeg"'),
        ({"options": {"classes": 7}}, "classes"),
        ({"detector": toy.whole, "reader": ToyReader(frame="toy-crops")}, '"name": "none"'),
    ],
)
def test_a_folder_of_other_settings_is_refused(
    tmp_path: Path, finished: bool, changes: dict[str, object], message: str
) -> None:
    toy.write_pictures(tmp_path / "toy", 6)
    if finished:
        run(tmp_path / "toy", tmp_path / "out")
    else:
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "toy", tmp_path / "out", detector=partial(Interrupting, 5))
    before = contents(tmp_path / "out")
    with pytest.raises(ConfigError) as caught:
        run(tmp_path / "toy", tmp_path / "out", **changes)
    assert message in caught.value.expected
    assert contents(tmp_path / "out") == before


def test_other_labels_in_the_owners_folder_are_noticed(tmp_path: Path) -> None:
    rows = toy.write_pictures(tmp_path / "toy", 6)
    run(tmp_path / "toy", tmp_path / "out")
    rows.assign(emotion="sad").to_csv(tmp_path / "toy/rows.csv", index=False)
    with pytest.raises(ConfigError, match="sha256"):
        run(tmp_path / "toy", tmp_path / "out")


@pytest.mark.parametrize("name", ["faces.parquet", "faces.json", "images"])
def test_a_folder_of_something_else_is_refused(tmp_path: Path, name: str) -> None:
    toy.write_pictures(tmp_path / "toy", 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("")
    with pytest.raises(ConfigError, match="something else"):
        run(tmp_path / "toy", tmp_path / "out")


@pytest.mark.parametrize("out", [".", "out", "sub/out"])
def test_nothing_is_written_into_the_owners_folder(tmp_path: Path, out: str) -> None:
    toy.write_pictures(tmp_path / "toy", 1)
    before = contents(tmp_path)
    with pytest.raises(ConfigError, match="outside the owner's folder"):
        run(tmp_path / "toy", tmp_path / "toy" / out)
    assert contents(tmp_path) == before


def test_a_damaged_record_is_an_error(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 2)
    run(tmp_path / "toy", tmp_path / "out")
    (tmp_path / "out/prepare.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"prepare\.json"):
        run(tmp_path / "toy", tmp_path / "out")


def test_a_table_that_was_deleted_is_made_again(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 6)
    run(tmp_path / "toy", tmp_path / "out")
    before = contents(tmp_path / "out")
    (tmp_path / "out/faces.parquet").unlink()
    assert run(tmp_path / "toy", tmp_path / "out").new
    assert contents(tmp_path / "out") == before


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 1)
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError):
        run(tmp_path / "toy", tmp_path / "out")


@pytest.mark.skipif(not Path("/sys").is_dir() or os.name != "posix", reason="needs a folder that nobody may write to")
def test_read_only_output(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 1)
    (tmp_path / "out").mkdir(mode=0o500)
    out = Path("/sys/norface-test") if os.geteuid() == 0 else tmp_path / "out"  # root may write anywhere else
    with pytest.raises(OutputError, match="ermi"):
        run(tmp_path / "toy", out)


@pytest.mark.parametrize("processes", [1, 2])
def test_crops_that_cannot_be_written_stop_the_run(tmp_path: Path, processes: int) -> None:
    toy.write_pictures(tmp_path / "toy", 12)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "toy", tmp_path / "out", detector=partial(Interrupting, 5))
    folder = tmp_path / "out/images/00000"
    for crop in folder.iterdir():
        crop.unlink()
    folder.rmdir()
    folder.write_text("a file where a folder should be")
    with pytest.raises(OutputError):
        run(tmp_path / "toy", tmp_path / "out", processes=processes)


def test_detector_weights_missing(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 1)
    with pytest.raises(DetectionError, match="yunet"):
        run(tmp_path / "toy", tmp_path / "out", detector=partial(make_detector, "yunet", weights=tmp_path / "nowhere"))
    assert not (tmp_path / "out").exists()


def test_crops_of_the_owner_keep_their_frame(tmp_path: Path) -> None:
    root = tmp_path / "toy"
    toy.write_pictures(root, 3)
    prepared = run(root, tmp_path / "out", reader=ToyReader(frame="toy-crops"), detector=toy.whole)
    assert prepared.usable == 3
    table = FaceTable.load(tmp_path / "out")
    assert table.meta.alignment == Alignment(48, 0.0, 0.0, "toy-crops")
    assert LANDMARK_COLUMNS[0] not in table.frame.columns
    expected = warp(read_image(root / "pictures/000.png"), place_box((0, 0, 80, 60), Alignment(48, 0.0, 0.0)), 48)
    assert np.array_equal(read_image(tmp_path / "out" / table.frame["image"][0]), expected)


def test_landmarks_of_the_owners_crops_move_with_them(tmp_path: Path) -> None:
    rows = toy.write_pictures(tmp_path / "toy", 1)
    points = np.array([[20.0, 20.0], [40.0, 20.0], [30.0, 30.0], [22.0, 40.0], [38.0, 40.0]])
    rows[list(LANDMARK_COLUMNS)] = points.ravel()
    rows.to_csv(tmp_path / "toy/rows.csv", index=False)
    run(tmp_path / "toy", tmp_path / "out", reader=ToyReader(frame="toy-crops"), detector=toy.whole)
    table = FaceTable.load(tmp_path / "out")
    matrix = place_box((0, 0, 80, 60), Alignment(48, 0.0, 0.0))
    np.testing.assert_allclose(table.landmarks()[0], transform(matrix, points))
    assert table.frame["given_nose_x"].tolist() == table.frame["source_nose_x"].tolist() == [30.0]


def test_without_a_detector_images_must_be_crops(tmp_path: Path) -> None:
    rows = toy.write_pictures(tmp_path / "toy", 1)
    with pytest.raises(AlignmentError, match="--detector yunet") as caught:
        run(tmp_path / "toy", tmp_path / "out", detector=toy.whole)
    assert "--detector table" not in caught.value.action
    rows[list(LANDMARK_COLUMNS)] = 1.0
    rows.to_csv(tmp_path / "toy/rows.csv", index=False)
    with pytest.raises(AlignmentError, match="--detector table uses the landmarks"):
        run(tmp_path / "toy", tmp_path / "out", detector=toy.whole)


@pytest.mark.parametrize("option", ["margin", "drop"])
def test_the_owners_crops_have_no_margin(tmp_path: Path, option: str) -> None:
    toy.write_pictures(tmp_path / "toy", 1)
    with pytest.raises(ConfigError, match=f"--{option}"):
        run(tmp_path / "toy", tmp_path / "out", detector=toy.whole, reader=ToyReader(frame="x"), **{option: 0.1})


@pytest.mark.parametrize(
    ("option", "value"),
    [("size", 8), ("size", 5000), ("processes", 0), ("margin", -0.1), ("margin", float("nan")), ("drop", 1.5)],
)
def test_bad_numbers(tmp_path: Path, option: str, value: float) -> None:
    toy.write_pictures(tmp_path / "toy", 1)
    with pytest.raises(ConfigError, match=f"--{option}"):
        run(tmp_path / "toy", tmp_path / "out", **{option: value})


@pytest.mark.parametrize("rule", ["largest", "central", "label-box", None])
def test_the_face_that_the_label_speaks_of(tmp_path: Path, rule: str | None) -> None:
    write_png(tmp_path / "toy/two.png", toy.picture(4, 30, 10))
    boxes = [[50.0, 10.0, 12.0, 12.0], [4.0, 30.0, 10.0, 10.0], [np.nan] * 4]
    rows = pd.DataFrame({"face_id": ["a", "b", "c"], "image": "two.png", "subject": "s"})
    rows[["box_left", "box_top", "box_width", "box_height"]] = boxes
    rows.to_csv(tmp_path / "toy/rows.csv", index=False)
    prepared = run(tmp_path / "toy", tmp_path / "out", rule=rule)
    by_label = rule in {"label-box", None}
    assert prepared.settings["choose"] == ("label-box" if by_label else rule)
    assert prepared.not_usable == ({"no face at the labelled box": 1} if by_label else {})
    frame = FaceTable.load(tmp_path / "out").frame
    assert frame["given_box_left"].tolist()[:2] == [50.0, 4.0]
    assert frame["box_left"].dropna().unique().tolist() == [4.0]


def test_a_picture_is_looked_at_once_for_all_of_its_faces(tmp_path: Path) -> None:
    write_png(tmp_path / "toy/two.png", toy.picture(4, 30, 10))
    rows = pd.DataFrame({"face_id": ["a", "b", "c"], "image": "two.png", "subject": "s"})
    rows.to_csv(tmp_path / "toy/rows.csv", index=False)
    detector = toy.SquareDetector()
    run(tmp_path / "toy", tmp_path / "out", detector=lambda: detector)
    assert detector.seen == 1


def test_label_box_needs_boxes(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 1)
    with pytest.raises(ConfigError, match="label-box"):
        run(tmp_path / "toy", tmp_path / "out", rule="label-box")


def test_given_boxes_make_crops_of_their_own_kind(tmp_path: Path) -> None:
    rows = toy.write_pictures(tmp_path / "toy", 3)
    rows[["box_left", "box_top", "box_width", "box_height"]] = [[10.0, 5.0, 24.0, 20.0], [0.0] * 4, [900.0, 0, 5, 5]]
    rows.to_csv(tmp_path / "toy/rows.csv", index=False)
    prepared = run(tmp_path / "toy", tmp_path / "out", detector=toy.given)
    assert prepared.not_usable == {"no face found": 1, "face outside the image": 1}
    table = FaceTable.load(tmp_path / "out")
    assert table.meta.alignment == Alignment(48, frame="box")
    expected = warp(read_image(tmp_path / "toy/pictures/000.png"), place_box((10, 5, 24, 20), Alignment(48)), 48)
    assert np.array_equal(read_image(tmp_path / "out" / table.frame["image"][0]), expected)


def test_given_landmarks_are_used_where_there_are_any(tmp_path: Path) -> None:
    rows = toy.write_pictures(tmp_path / "toy", 3)
    good = [20.0, 20, 40, 20, 30, 30, 22, 40, 38, 40]
    rows[list(LANDMARK_COLUMNS)] = np.array([good, [5.0] * 10, [np.nan] * 10])
    rows.to_csv(tmp_path / "toy/rows.csv", index=False)
    prepared = run(tmp_path / "toy", tmp_path / "out", detector=toy.given)
    assert prepared.not_usable == {"landmarks are no face's": 1, "no face found": 1}
    assert FaceTable.load(tmp_path / "out").meta.alignment == Alignment(48)


def test_table_detector_needs_something_to_look_up(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 1)
    with pytest.raises(DetectionError, match="right_eye_x"):
        run(tmp_path / "toy", tmp_path / "out", detector=toy.given)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("points", [True, False])
def test_faces_from_a_file(tmp_path: Path, points: bool) -> None:
    toy.write_pictures(tmp_path / "toy", 3)
    known = pd.DataFrame({"image": ["pictures/000.png", "pictures/002.png"]})
    known[["box_left", "box_top", "box_width", "box_height"]] = [10.0, 5.0, 24.0, 24.0]
    if points:
        known[list(LANDMARK_COLUMNS)] = toy.points_in(Box(10, 5, 24, 24)).ravel()
    known.to_csv(tmp_path / "boxes.csv", index=False)
    detector = partial(make_detector, "table", file=tmp_path / "boxes.csv")
    prepared = run(tmp_path / "toy", tmp_path / "out", detector=detector)
    assert prepared.not_usable == {"no face found": 1}
    assert FaceTable.load(tmp_path / "out").meta.alignment == Alignment(48, frame="arcface-5" if points else "box")


def test_rows_that_the_owner_marks_as_not_usable_are_kept_so(tmp_path: Path) -> None:
    rows = toy.write_pictures(tmp_path / "toy", 3)
    rows.assign(success=[1, 0, 1]).to_csv(tmp_path / "toy/rows.csv", index=False)
    detector = toy.SquareDetector()
    prepared = run(tmp_path / "toy", tmp_path / "out", detector=lambda: detector)
    assert prepared.not_usable == {"marked as not usable by the owner": 1}
    assert detector.seen == 2


@pytest.mark.parametrize("error", [ValueError("odd"), RuntimeError("out of memory"), IndexError("none")])
def test_a_detector_that_fails_on_one_image_does_not_stop_the_run(tmp_path: Path, error: Exception) -> None:
    class Failing(toy.SquareDetector):
        def detect(self, pixels: np.ndarray) -> list[object]:  # type: ignore[override]
            found = super().detect(pixels)
            if self.seen == 2:
                raise error
            return found  # type: ignore[return-value]

    toy.write_pictures(tmp_path / "toy", 3)
    prepared = run(tmp_path / "toy", tmp_path / "out", detector=Failing)
    assert prepared.not_usable == {"detector failed": 1}
    assert skipped(tmp_path / "out")[0]["detail"] == f"{type(error).__name__}: {error}"


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("face_id", ["a", "a", "b"], "unique face_id"),
        ("face_id", ["a", None, "b"], "unique face_id"),
        ("image", ["a.png", None, "b.png"], "image in every row"),
        ("subject", ["a", None, "b"], "subject in every row"),
    ],
)
def test_rows_without_a_name(tmp_path: Path, column: str, values: list[str | None], message: str) -> None:
    rows = toy.write_pictures(tmp_path / "toy", 3)
    rows[column] = values
    rows.to_csv(tmp_path / "toy/rows.csv", index=False)
    with pytest.raises(DatasetError, match=message):
        run(tmp_path / "toy", tmp_path / "out")


def test_a_data_set_without_faces(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 1)
    pd.DataFrame({"face_id": [], "image": [], "subject": []}).to_csv(tmp_path / "toy/rows.csv", index=False)
    with pytest.raises(DatasetError, match="at least one face"):
        run(tmp_path / "toy", tmp_path / "out")


def test_a_folder_that_is_another_data_set_names_the_check(tmp_path: Path) -> None:
    (tmp_path / "toy").mkdir()
    with pytest.raises(DatasetError, match="norface data check --dataset toy --root"):
        run(tmp_path / "toy", tmp_path / "out")


def test_columns_of_the_owner_are_kept(tmp_path: Path) -> None:
    rows = toy.write_pictures(tmp_path / "toy", 2)
    rows = rows.assign(age=[30, 40], score=[1, 2], source="web", normalized="pictures/000.png", emotion_share_happy=0.5)
    rows[["box_left", "box_top", "box_width", "box_height"]] = [10.0, 5.0, 24.0, 24.0]
    rows.to_csv(tmp_path / "toy/rows.csv", index=False)
    run(tmp_path / "toy", tmp_path / "out")
    frame = FaceTable.load(tmp_path / "out").frame
    assert frame["age"].tolist() == [30, 40]
    assert frame["given_score"].tolist() == [1, 2]
    assert frame["given_source"].tolist() == ["web", "web"]
    assert frame["given_normalized"].tolist() == ["pictures/000.png"] * 2
    assert frame["given_box_left"].tolist() == [10.0, 10.0]
    assert frame["emotion_share_happy"].tolist() == [0.5, 0.5]


def test_vocabulary_of_the_data_set_or_of_its_rows(tmp_path: Path) -> None:
    rows = toy.write_pictures(tmp_path / "toy", 2)
    rows.assign(emotion="sad").to_csv(tmp_path / "toy/rows.csv", index=False)
    run(tmp_path / "toy", tmp_path / "of_the_set")
    assert FaceTable.load(tmp_path / "of_the_set").meta.emotions == ("happy", "sad")
    reader = ToyReader()
    reader.info = replace(ToyReader.info, emotions=(), aus=())
    run(tmp_path / "toy", tmp_path / "of_the_rows", reader=reader)
    assert FaceTable.load(tmp_path / "of_the_rows").meta.emotions == ("sad",)
    rows.drop(columns=["emotion", "AU12_r"]).to_csv(tmp_path / "toy/rows.csv", index=False)
    run(tmp_path / "toy", tmp_path / "without")
    meta = FaceTable.load(tmp_path / "without").meta
    assert (meta.emotions, meta.aus) == ((), ())


def test_own_images_without_a_detector_need_a_name_for_their_kind(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 1)
    run(tmp_path / "toy", tmp_path / "out", detector=toy.whole, frame="my-crops")
    assert FaceTable.load(tmp_path / "out").meta.alignment == Alignment(48, 0.0, 0.0, "my-crops")


@pytest.mark.parametrize(
    ("detector", "known", "frame"),
    [(toy.whole, "toy-crops", "mine"), (toy.whole, None, "arcface-5"), (toy.whole, None, ""), (toy.square, None, "x")],
)
def test_the_kind_of_crops_is_not_always_the_users_to_name(
    tmp_path: Path, detector: object, known: str | None, frame: str
) -> None:
    toy.write_pictures(tmp_path / "toy", 1)
    with pytest.raises(ConfigError, match="--frame"):
        run(tmp_path / "toy", tmp_path / "out", detector=detector, reader=ToyReader(frame=known), frame=frame)


def test_jpeg_crops(tmp_path: Path) -> None:
    toy.write_pictures(tmp_path / "toy", 2)
    run(tmp_path / "toy", tmp_path / "png")
    run(tmp_path / "toy", tmp_path / "jpeg", image_format="jpeg")
    exact, coded = FaceTable.load(tmp_path / "png"), FaceTable.load(tmp_path / "jpeg")
    assert coded.frame["image"][0].endswith("face_000.jpg")
    left, right = (read_image(t.root / t.frame["image"][0]).astype(int) for t in (exact, coded))
    assert 0 < np.abs(left - right).mean() < 4
