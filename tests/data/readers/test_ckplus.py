from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data.readers.miniature import agree, picture, write
from data.readers.miniature_ckplus import make, make_parts, write_emotion, write_facs
from norface.data.readers.ckplus import CkPlus
from norface.data.readers.contract import Reading, Skipped
from norface.errors import DatasetError


def reasons(reading: Reading) -> Counter[str]:
    """Without those of the miniature as it is."""
    return Counter(one.why for one in reading.skipped) - Counter(
        ["sequence without emotion", "no column for action unit 54"]
    )


def emotions(reading: Reading, sequence: str) -> dict[int, str]:
    rows = reading.rows[reading.rows["face_id"].str.startswith(sequence)]
    return {int(name[-8:]): label for name, label in zip(rows["face_id"], rows["emotion"], strict=True)}


def test_first_frame_is_neutral_and_the_last_three_show_the_emotion(tmp_path: Path) -> None:
    make(tmp_path)
    reading = CkPlus().read(tmp_path)
    assert emotions(reading, "S005_001") == {1: "neutral", 9: "disgust", 10: "disgust", 11: "disgust"}
    assert emotions(reading, "S130_009") == {1: "neutral", 2: "contempt", 3: "contempt"}
    assert reading.facts["frames"] == "first of a sequence as neutral, last 3 with its emotion"
    assert reading.facts["unused"] == 7 + 3 + 7 + 1 + 1 + 0 + 2 + 2


def test_action_units_are_those_of_the_last_frame(tmp_path: Path) -> None:
    make(tmp_path)
    rows = CkPlus().read(tmp_path).rows.set_index("face_id")
    last = rows.loc["S010_002_00000007"]
    assert (last["AU01_r"], last["AU05_r"], last["AU27_r"]) == (3, 4, 5)
    assert last["AU02_c"] == 1
    assert np.isnan(last["AU02_r"])  # present, intensity not given
    assert (last["AU04_c"], last["AU04_r"]) == (0, 0)
    assert rows["AU01_c"].isna()[["S010_002_00000006", "S010_002_00000001"]].all()


def test_without_facs(tmp_path: Path) -> None:
    expected = make_parts(tmp_path, facs=False)
    reading = CkPlus().read(tmp_path)
    agree(reading, expected)
    assert not [column for column in reading.rows.columns if column.startswith("AU")]
    assert {problem.where for problem in CkPlus().check(tmp_path)} == {"FACS", "cohn-kanade-images/S010/004"}


def test_folders_as_the_archives_are_named(tmp_path: Path) -> None:
    expected = make(tmp_path)
    (tmp_path / "Emotion").rename(tmp_path / "Emotion_labels")
    (tmp_path / "FACS_labels").mkdir()
    (tmp_path / "FACS").rename(tmp_path / "FACS_labels" / "FACS")
    agree(CkPlus().read(tmp_path), expected)


def test_missing_emotions_and_images(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "Emotion").rename(tmp_path / "emo")
    (problem,) = CkPlus().check(tmp_path)
    assert (problem.where, problem.action) == ("Emotion", "Unpack Emotion_labels.zip there.")
    (tmp_path / "emo").rename(tmp_path / "Emotion")
    (tmp_path / "cohn-kanade-images").rename(tmp_path / "pictures")
    with pytest.raises(DatasetError, match="extended-cohn-kanade-images"):
        CkPlus().read(tmp_path)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("8.0000000e+00", "unknown code 8"),
        ("-1", "unknown code -1"),
        ("", "unreadable label"),
        ("3 3", "unreadable label"),
        ("3.5", "unreadable label"),
        ("nan", "unreadable label"),
        ("disgust", "unreadable label"),
        ("٣", "unreadable label"),  # a three in another script: int() would take it
    ],
)
def test_emotions_that_mean_nothing(tmp_path: Path, text: str, why: str) -> None:
    make(tmp_path)
    write_emotion(tmp_path, "S005", "001", 11, text)
    reading = CkPlus().read(tmp_path)
    assert emotions(reading, "S005_001") == {11: reading.rows["emotion"].iloc[0]}
    assert reading.rows["emotion"].isna().iloc[0]  # its action units are still known
    assert reading.rows["AU09_r"].iloc[0] == 4
    assert reasons(reading) == {why: 1}


def test_two_emotion_files(tmp_path: Path) -> None:
    make(tmp_path)
    write_emotion(tmp_path, "S005", "001", 10, "1.0")
    reading = CkPlus().read(tmp_path)
    assert reasons(reading) == {"contradictory labels": 1}
    assert reading.rows["emotion"].isna().iloc[0]


def test_label_of_a_frame_that_is_not_there(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "cohn-kanade-images/S005/001/S005_001_00000011.png").unlink()
    reading = CkPlus().read(tmp_path)
    assert emotions(reading, "S005_001") == {}
    assert reasons(reading) == {"label without image": 2, "image without label": 1}


def test_missing_frames_are_not_replaced_by_others(tmp_path: Path) -> None:
    make(tmp_path)
    for frame in (1, 10):
        (tmp_path / f"cohn-kanade-images/S005/001/S005_001_{frame:08d}.png").unlink()
    reading = CkPlus().read(tmp_path)
    assert emotions(reading, "S005_001") == {9: "disgust", 11: "disgust"}
    assert reasons(reading) == {"first frame is not there": 1}


def test_frames_after_the_labelled_one_are_not_used(tmp_path: Path) -> None:
    make(tmp_path)
    picture(tmp_path / "cohn-kanade-images/S005/001/S005_001_00000012.png")
    assert emotions(CkPlus().read(tmp_path), "S005_001") == {1: "neutral", 9: "disgust", 10: "disgust", 11: "disgust"}


def test_labels_of_sequences_that_are_not_there(tmp_path: Path) -> None:
    make(tmp_path)
    write_emotion(tmp_path, "S999", "001", 5, "1.0")
    write_facs(tmp_path, "S005", "777", 5, ["1.0 1.0"])
    assert reasons(CkPlus().read(tmp_path)) == {"label without image": 2}


@pytest.mark.parametrize(
    "lines",
    [["9.0 4.0", "17.0"], ["9 4 1"], ["9 6"], ["9 -1"], ["x 1"], ["9.5 1"], ["0 1"], ["9 1", "9 2"], [], ["9 nan"]],
)
def test_one_bad_line_makes_the_units_of_a_frame_unknown(tmp_path: Path, lines: list[str]) -> None:
    make(tmp_path)
    write_facs(tmp_path, "S005", "001", 11, lines)
    reading = CkPlus().read(tmp_path)
    row = reading.rows.set_index("face_id").loc["S005_001_00000011"]
    assert row["emotion"] == "disgust"
    assert row[[c for c in reading.rows.columns if c.startswith("AU")]].isna().all()
    assert reasons(reading) == {"unreadable label": 1}


def test_two_facs_files_and_one_of_another_frame(tmp_path: Path) -> None:
    make(tmp_path)
    write_facs(tmp_path, "S005", "001", 10, ["1.0 1.0"])
    (tmp_path / "FACS/S010/002/S010_002_00000007_facs.txt").rename(
        tmp_path / "FACS/S010/002/S010_002_00000099_facs.txt"
    )
    rows = CkPlus().read(tmp_path)
    assert reasons(rows) == {"contradictory labels": 1, "label without image": 1}


def test_second_image_of_a_frame_and_empty_sequences(tmp_path: Path) -> None:
    make(tmp_path)
    picture(tmp_path / "cohn-kanade-images/S005/001/S005_001_11.png")
    picture(tmp_path / "cohn-kanade-images/S005/001/cover.png")
    (tmp_path / "cohn-kanade-images/S998/001").mkdir(parents=True)
    reading = CkPlus().read(tmp_path)
    odd = "second image of a frame, or without a number"
    assert reasons(reading) == {odd: 2, "sequence without emotion": 1}
    assert Skipped("cohn-kanade-images/S998/001", "sequence without emotion") in reading.skipped


def test_sequence_without_any_label(tmp_path: Path) -> None:
    make(tmp_path)
    picture(tmp_path / "cohn-kanade-images/S777/001/S777_001_00000001.png")
    assert reasons(CkPlus().read(tmp_path)) == {"sequence without emotion": 1, "image without label": 1}


def test_label_file_with_windows_line_ends(tmp_path: Path) -> None:
    expected = make(tmp_path)
    write(tmp_path / "Emotion/S005/001/S005_001_00000011_emotion.txt", "\ufeff   3.0000000e+00\r\n\r\n")
    agree(CkPlus().read(tmp_path), expected)
