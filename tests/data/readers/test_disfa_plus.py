from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data.readers.miniature import Expected, agree, write
from data.readers.miniature_disfa_plus import AUS, TRIALS, intensity, label_file, labels, make
from data.readers.numbered import number_in, write_numbered
from norface.data.readers.contract import Reading
from norface.data.readers.disfa import SUBJECTS as DISFA_SUBJECTS
from norface.data.readers.disfa_plus import SUBJECTS, DisfaPlus
from norface.errors import ConfigError, DatasetError

SUBJECT, TRIAL = next(iter(TRIALS))
AU1 = f"Labels/{SUBJECT}/{TRIAL}/AU1.txt"


def reasons(reading: Reading) -> Counter[str]:
    return Counter(one.why for one in reading.skipped)


def label(reading: Reading, frame: int, column: str) -> float:
    return float(reading.rows.set_index("face_id")[column][f"{SUBJECT}_{TRIAL}_{frame:03d}"])


def edit(path: Path, line: int, text: str) -> None:
    lines = path.read_text().splitlines()
    lines[line] = text
    write(path, "\r\n".join(lines) + "\r\n")


def test_the_release(tmp_path: Path) -> None:
    expected = make(tmp_path)
    reading = DisfaPlus().read(tmp_path)
    agree(reading, expected)
    assert reading.facts == {"occurrence": "intensity >= 2", "threshold": 2}
    assert [(p.fatal, p.found) for p in DisfaPlus().check(tmp_path)] == [
        (False, "2, without SN003, SN004, SN007, SN009 ...")
    ]


def test_each_label_belongs_to_the_picture_that_it_names(tmp_path: Path) -> None:
    make(tmp_path)
    reader = DisfaPlus()
    reading = reader.read(tmp_path)
    for row in reading.rows.itertuples():
        frame = int(str(row.face_id).rpartition("_")[2])
        trial = str(row.image).split("/")[2]
        assert number_in(reader.pixels(tmp_path, str(row.image))) == frame
        assert row.AU12_r == intensity(str(row.subject), trial, frame, 12)


def test_all_people_are_in_disfa_too() -> None:
    assert set(SUBJECTS) < set(DISFA_SUBJECTS)
    assert DisfaPlus.info.literature == {"faces": 57_150, "subjects": 9}


@pytest.mark.parametrize("threshold", [1, 3])
def test_the_threshold_is_stated(tmp_path: Path, threshold: int) -> None:
    expected = make(tmp_path)
    numbers = {}
    for subject, trial in TRIALS:
        for frame in range(TRIALS[subject, trial]):
            numbers[f"{subject}_{trial}_{frame:03d}"] = labels(subject, trial, frame, threshold)
    reading = DisfaPlus(threshold=threshold).read(tmp_path)
    agree(reading, Expected(expected.images, subjects=expected.subjects, numbers=numbers))
    assert reading.facts["threshold"] == threshold


def test_an_impossible_threshold() -> None:
    with pytest.raises(ConfigError, match="from 1 to 5"):
        DisfaPlus(threshold=0)


@pytest.mark.parametrize(("code", "why"), [("9", "unknown code 9"), ("x", "unreadable label")])
def test_an_unknown_code_is_no_label(tmp_path: Path, code: str, why: str) -> None:
    make(tmp_path)
    edit(tmp_path / AU1, 5, f"001.jpg {code}")
    reading = DisfaPlus().read(tmp_path)
    assert np.isnan(label(reading, 1, "AU01_r"))
    assert np.isnan(label(reading, 1, "AU01_c"))
    assert [(one.what, one.why) for one in reading.skipped] == [(f"{AU1}:6 AU1", why)]


@pytest.mark.parametrize("line", ["002.jpg", "jpg 3", f"{'7' * 5000} 1"])
def test_a_broken_line_is_left_out(tmp_path: Path, line: str) -> None:
    make(tmp_path)
    edit(tmp_path / AU1, 6, line)
    reading = DisfaPlus().read(tmp_path)
    assert reasons(reading) == {"unreadable label": 1}
    assert np.isnan(label(reading, 2, "AU01_r"))
    assert label(reading, 2, "AU02_r") == intensity(SUBJECT, TRIAL, 2, 2)


@pytest.mark.parametrize("above", ["", "picture intensity\n", "# only\n#\n\n"])
def test_with_and_without_comments_and_a_header(tmp_path: Path, above: str) -> None:
    expected = make(tmp_path)
    lines = label_file(SUBJECT, TRIAL, 1).splitlines()
    write(tmp_path / AU1, above + "\n".join(line for line in lines if not line.startswith("#")))
    agree(DisfaPlus().read(tmp_path), expected)


def test_a_label_without_picture_and_a_picture_without_label(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "Images" / SUBJECT / TRIAL / "003.jpg").unlink()
    write_numbered(tmp_path / "Images" / SUBJECT / TRIAL / "077.jpg", 77)
    reading = DisfaPlus().read(tmp_path)
    assert [(one.what, one.why) for one in reading.skipped] == [
        (f"Labels/{SUBJECT}/{TRIAL} frame 3", "label without image"),
        (f"Images/{SUBJECT}/{TRIAL}/077.jpg", "image without label"),
    ]


def test_trials_without_labels_or_pictures(tmp_path: Path) -> None:
    make(tmp_path)
    shutil.rmtree(tmp_path / "Labels/SN027")
    shutil.rmtree(tmp_path / "Images" / SUBJECT / TRIAL)
    reading = DisfaPlus().read(tmp_path)
    assert reasons(reading) == {"trial without labels": 1, "label without image": TRIALS[SUBJECT, TRIAL]}


def test_doubles_and_contradictions(tmp_path: Path) -> None:
    make(tmp_path)
    text = (tmp_path / AU1).read_text()
    write(
        tmp_path / AU1,
        f"{text}002.jpg {intensity(SUBJECT, TRIAL, 2, 1)}\n003.jpg {(intensity(SUBJECT, TRIAL, 3, 1) + 1) % 6}\n",
    )
    reading = DisfaPlus().read(tmp_path)
    assert reasons(reading) == {"duplicate": 1, "contradictory labels": 2}
    assert label(reading, 2, "AU01_r") == intensity(SUBJECT, TRIAL, 2, 1)
    assert np.isnan(label(reading, 3, "AU01_r"))


def test_a_second_label_file_is_left_out(tmp_path: Path) -> None:
    expected = make(tmp_path)
    shutil.copy(tmp_path / AU1, (tmp_path / AU1).with_name("AU01.txt"))  # sorted first
    write(tmp_path / AU1, "000.jpg 5\n")
    reading = DisfaPlus().read(tmp_path)
    assert [(one.what, one.why) for one in reading.skipped] == [(AU1, "second label file")]
    agree(reading, Expected(expected.images, {}, {}, expected.subjects, expected.numbers, reasons(reading)))


def test_a_missing_label_file_costs_its_unit(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / AU1).unlink()
    write(tmp_path / AU1.replace("AU1.txt", "notes.txt"), "")
    write(tmp_path / AU1.replace("AU1.txt", "3.txt"), "000.jpg 0\n")
    reading = DisfaPlus().read(tmp_path)
    assert np.isnan(label(reading, 0, "AU01_r"))
    assert reasons(reading) == {"not the name of a label file": 2}
    assert "11, without AU1.txt" in [problem.found for problem in DisfaPlus().check(tmp_path)]


@pytest.mark.parametrize("text", ["", "# only comments\n", "a b\n", "000.jpg 7\n001.jpg 8\n"])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    make(tmp_path)
    write(tmp_path / AU1, text)
    with pytest.raises(DatasetError) as error:
        DisfaPlus().read(tmp_path)
    assert error.value.where == AU1


@pytest.mark.parametrize("folder", ["Labels", "Images"])
def test_missing_folders_are_named(tmp_path: Path, folder: str) -> None:
    make(tmp_path)
    shutil.rmtree(tmp_path / folder)
    with pytest.raises(DatasetError, match=folder):
        DisfaPlus().read(tmp_path)


@pytest.mark.parametrize(("level", "said"), [("..", "one level too high"), ("Labels/SN001", "two levels too low")])
def test_a_wrong_level_is_named(tmp_path: Path, level: str, said: str) -> None:
    root = tmp_path / "DISFAPlusDataset"
    make(root)
    with pytest.raises(DatasetError, match=said):
        DisfaPlus().read((root / level).resolve())


def test_case_padding_and_letters_of_other_scripts(tmp_path: Path) -> None:
    root = tmp_path / "Ordner_é中"
    expected = make(root)
    (root / "Labels").rename(root / "labels")
    for au in AUS:
        path = root / "labels" / SUBJECT / TRIAL / f"AU{au}.txt"
        path.rename(path.with_name(f"au{au:02d}.TXT"))
    for path in sorted((root / "Images" / SUBJECT / TRIAL).iterdir()):
        path.rename(path.with_name(f"{int(path.stem)}.JPG"))
    folder = f"Images/{SUBJECT}/{TRIAL}/"
    images = {
        face: f"{folder}{int(image[len(folder) : -4])}.JPG" if image.startswith(folder) else image
        for face, image in expected.images.items()
    }
    agree(DisfaPlus().read(root), Expected(images, subjects=expected.subjects, numbers=expected.numbers))
