from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from data.readers.miniature import Expected, agree, write
from data.readers.miniature_bp4d import (
    AUS_CODED,
    AUS_GRADED,
    HEADINGS,
    RECORDINGS,
    make,
    make_fera,
    occurrence,
    occurrence_file,
)
from data.readers.numbered import number_in, write_numbered
from norface.data.readers.bp4d import BAD_FRAMES, Bp4d
from norface.data.readers.contract import Reading
from norface.data.readers.recordings import frame_set
from norface.errors import DatasetError
from norface.labels import au_column

OCC = "AUCoding/AU_OCC/F001_T1.csv"
INT = "AUCoding/AU_INT/AU06/F001_T1_AU06.csv"


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


def write_lines(path: Path, lines: list[str]) -> None:
    write(path, "\n".join(lines) + "\n")


def reasons(reading: Reading) -> Counter[str]:
    return Counter(one.why for one in reading.skipped)


def label(reading: Reading, face_id: str, column: str) -> float:
    return float(reading.rows.set_index("face_id")[column][face_id])


def test_the_release(tmp_path: Path) -> None:
    expected = make(tmp_path)
    reading = Bp4d().read(tmp_path)
    agree(reading, expected)
    labels = {c for c in reading.rows.columns if c.startswith("AU")}
    assert labels == {au_column(au, "c") for au in AUS_CODED} | {au_column(au, "r") for au in AUS_GRADED}
    assert reading.facts["release"] == "2D+3D"
    assert reading.facts["first_image"] == 1
    assert reading.facts["drop_bad_frames"] is False
    assert "99" in str(
        reading.facts["columns_without_action_unit"]
    )  # FACS has no such unit: said, not dropped in silence
    incomplete = [problem for problem in Bp4d().check(tmp_path) if "recordings" in problem.expected]
    assert len(incomplete) == 1
    assert not incomplete[0].fatal
    assert incomplete[0].found.startswith("4, without F001_T2, F001_T4")


def test_the_fera_2015_distribution(tmp_path: Path) -> None:
    expected = make_fera(tmp_path)
    reading = Bp4d().read(tmp_path)
    agree(reading, expected)
    assert reading.facts["release"] == "FERA 2015"
    assert reading.facts["drop_occluded"] is True


def test_occluded_frames_can_be_kept(tmp_path: Path) -> None:
    make_fera(tmp_path)
    reading = Bp4d(drop_occluded=False).read(tmp_path)
    assert len(reading.rows) == sum(len(frames) for frames, _ in RECORDINGS.values())
    assert reading.facts["drop_occluded"] is False
    assert label(reading, "F017_T3_199", "AU02_c") == occurrence("F017_T3", 199, 2)


def test_a_flag_headed_by_a_word_is_one_too(tmp_path: Path) -> None:
    make_fera(tmp_path)
    path = tmp_path / "AUCoding" / "F017_T3.csv"
    header, *rest = lines_of(path)
    write_lines(path, [header.replace(",99", ",Occlusion"), *rest])
    assert reasons(Bp4d().read(tmp_path))["occluded"] == 2


def test_the_release_has_no_flag(tmp_path: Path) -> None:
    make(tmp_path)
    write(tmp_path / "AUCoding/AU_OCC/F017_T3.csv", occurrence_file("F017_T3", flag=True))
    assert "occluded" not in reasons(Bp4d().read(tmp_path))


@pytest.mark.parametrize("first_image", [0, 1])
def test_each_label_belongs_to_the_picture_of_its_frame(tmp_path: Path, first_image: int) -> None:
    make(tmp_path)
    reader = Bp4d(first_image=0) if first_image == 0 else Bp4d()
    reading = reader.read(tmp_path)
    frames = [int(face_id.rpartition("_")[2]) for face_id in reading.rows["face_id"]]
    numbers = [number_in(reader.pixels(tmp_path, image)) for image in reading.rows["image"]]
    assert numbers == [frame - 1 + first_image for frame in frames]
    shown = reading.rows["AU02_c"].to_numpy()
    assert shown.tolist() == [frame % 2 for frame in frames]
    assert reading.facts["first_image"] == first_image


def test_pictures_that_count_from_zero_are_a_question_for_the_user(tmp_path: Path) -> None:
    make(tmp_path)
    shutil.rmtree(tmp_path / "2D+3D" / "F001" / "T1")  # now the first pictures are 0 .. 6, of F001/T3
    (problem,) = [p for p in Bp4d().check(tmp_path) if "number 0" in p.found]
    assert problem.where == "2D+3D/F001/T3"
    assert not problem.fatal
    assert "first_image=0" in problem.action
    assert not [p for p in Bp4d(first_image=0).check(tmp_path) if "number 0" in p.found]


def test_frames_without_landmarks_can_be_left_out(tmp_path: Path) -> None:
    make(tmp_path)
    reading = Bp4d(drop_bad_frames=True).read(tmp_path)
    assert reasons(reading)["bad frame"] == 4 + 6
    assert not {"F017_T3_198", "M009_T4_755"} & set(reading.rows["face_id"])
    assert {"F017_T3_197", "M009_T4_748", "M009_T4_754"} <= set(reading.rows["face_id"])
    assert reading.facts["drop_bad_frames"] is True


def test_the_known_frames_are_those_of_the_literature() -> None:
    assert sum(len(frame_set(ranges)) for ranges in BAD_FRAMES.values()) == 271
    assert Bp4d().info.literature == {"faces": 146_847, "subjects": 41}
    assert Bp4d(drop_bad_frames=True).info.literature["faces"] == 146_576
    assert Bp4d.info.literature["faces"] == 146_847
    assert len(Bp4d.expected) == 328


def test_units_go_by_their_heading_not_by_position(tmp_path: Path) -> None:
    expected = make(tmp_path)
    order = np.random.default_rng(0).permutation(np.arange(1, HEADINGS))
    for recording in RECORDINGS:
        path = tmp_path / "AUCoding" / "AU_OCC" / f"{recording}.csv"
        rows = [line.split(",") for line in lines_of(path)]
        shuffled = [",".join([row[0], *(row[k] for k in order)]) for row in rows]
        write_lines(path, [shuffled[0].replace(",6,", ",AU06,"), *shuffled[1:]])
    agree(Bp4d().read(tmp_path), expected)


def test_a_file_in_the_folder_of_another_unit_is_left_out(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / INT).rename(tmp_path / "AUCoding/AU_INT/AU12/F001_T1_AU06.csv")
    reading = Bp4d().read(tmp_path)
    assert reasons(reading)["not the name of a label file"] == 1
    assert np.isnan(label(reading, "F001_T1_2440", "AU06_r"))
    assert label(reading, "F001_T1_2440", "AU12_r") == (2440 + 12) % 6


@pytest.mark.parametrize(
    ("code", "why"),
    [("7", "unknown code 7"), ("-1", "unknown code -1"), ("x", "unreadable label"), ("", "unreadable label")],
)
def test_an_unknown_code_is_no_label(tmp_path: Path, code: str, why: str) -> None:
    expected = make(tmp_path)
    fields = [line.split(",") for line in lines_of(tmp_path / OCC)]
    fields[2][12] = code
    write_lines(tmp_path / OCC, [",".join(line) for line in fields])
    reading = Bp4d().read(tmp_path)
    assert np.isnan(label(reading, "F001_T1_2441", "AU12_c"))
    (skipped,) = [one for one in reading.skipped if one.why == why]
    assert skipped.what == f"{OCC}:3 AU12"
    numbers = {
        **expected.numbers,
        "F001_T1_2441": {k: v for k, v in expected.numbers["F001_T1_2441"].items() if k != "AU12_c"},
    }
    agree(
        reading,
        Expected(expected.images, subjects=expected.subjects, numbers=numbers, skipped={**expected.skipped, why: 1}),
    )


def test_an_unknown_intensity_is_no_label(tmp_path: Path) -> None:
    make(tmp_path)
    write_lines(tmp_path / INT, ["2440,6", *lines_of(tmp_path / INT)[1:]])
    reading = Bp4d().read(tmp_path)
    assert np.isnan(label(reading, "F001_T1_2440", "AU06_r"))
    assert reasons(reading)["unknown code 6"] == 1


def test_intensities_with_a_header_are_read_alike(tmp_path: Path) -> None:
    expected = make(tmp_path)
    write_lines(tmp_path / INT, ["frame,intensity", *lines_of(tmp_path / INT)])
    agree(Bp4d().read(tmp_path), expected)


@pytest.mark.parametrize("recording", RECORDINGS)
def test_occurrences_without_their_header_are_refused(tmp_path: Path, recording: str) -> None:
    make(tmp_path)
    path = tmp_path / "AUCoding" / "AU_OCC" / f"{recording}.csv"
    write_lines(path, lines_of(path)[1:])
    with pytest.raises(DatasetError, match="header that names the action unit") as error:
        Bp4d().read(tmp_path)
    assert error.value.where == f"AUCoding/AU_OCC/{recording}.csv"


def test_a_unit_named_twice_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    header, *rest = lines_of(tmp_path / OCC)
    write_lines(tmp_path / OCC, [header.replace(",7,", ",AU06,"), *rest])
    with pytest.raises(DatasetError, match="once each"):
        Bp4d().read(tmp_path)


def test_a_label_without_its_picture_is_left_out(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "2D+3D/F001/T1/2443.jpg").unlink()
    reading = Bp4d().read(tmp_path)
    (skipped,) = [one for one in reading.skipped if one.why == "label without image"]
    assert skipped.what == f"{OCC} frame 2443"
    assert "F001_T1_2443" not in set(reading.rows["face_id"])
    assert [p.found for p in Bp4d().check(tmp_path) if "every label" in p.expected] == [
        "1 x label without image, the first here"
    ]


def test_pictures_without_labels_are_counted(tmp_path: Path) -> None:
    make(tmp_path)
    for name in ("F001_T1.csv", "M009_T4.csv"):
        (tmp_path / "AUCoding" / "AU_OCC" / name).unlink()
    shutil.rmtree(tmp_path / "AUCoding" / "AU_INT")
    reading = Bp4d().read(tmp_path)
    left_out = {(one.what, one.why) for one in reading.skipped}
    assert ("2D+3D/F001/T1", "task without labels") in left_out
    assert ("2D+3D/M009", "subject without labels") in left_out
    assert ("2D+3D/F001/T3 (2 pictures)", "pictures outside the coded part") in left_out
    assert not [column for column in reading.rows.columns if column.endswith("_r")]
    assert reading.facts["intensity"] == "none"
    assert "no intensities" in [problem.found for problem in Bp4d().check(tmp_path)]


def test_intensities_alone_are_enough(tmp_path: Path) -> None:
    make(tmp_path)
    shutil.rmtree(tmp_path / "AUCoding" / "AU_OCC")
    reading = Bp4d().read(tmp_path)
    assert len(reading.rows) == sum(len(frames) for frames, _ in RECORDINGS.values())
    assert not [column for column in reading.rows.columns if column.endswith("_c")]


def test_equal_lines_count_once_and_contradictory_ones_not_at_all(tmp_path: Path) -> None:
    make(tmp_path)
    lines = lines_of(tmp_path / OCC)
    other = lines[2].split(",")
    other[2] = str(1 - int(other[2]))
    write_lines(tmp_path / OCC, [*lines, lines[1], ",".join(other)])
    reading = Bp4d().read(tmp_path)
    assert reasons(reading)["duplicate"] == 1
    assert reasons(reading)["contradictory labels"] == 2
    assert label(reading, "F001_T1_2440", "AU02_c") == 0
    assert np.isnan(label(reading, "F001_T1_2441", "AU02_c"))
    assert label(reading, "F001_T1_2441", "AU12_r") == (2441 + 12) % 6  # the intensity file does not contradict itself


def test_two_pictures_of_a_frame(tmp_path: Path) -> None:
    expected = make(tmp_path)
    write_numbered(tmp_path / "2D+3D/F001/T1/02440.jpg", 2440)
    reading = Bp4d().read(tmp_path)
    assert reasons(reading)["second picture of a frame, or a name without a number"] == 1
    assert len(reading.rows) == len(expected.images)


@pytest.mark.parametrize(
    "line",
    ["2446", "2446,1,0", "x" + ",0" * 99, "-5" + ",0" * 99, "2446.5" + ",0" * 99, "\0\xff", "9" * 5000 + ",0" * 99],
)
def test_a_broken_line_is_left_out(tmp_path: Path, line: str) -> None:
    make(tmp_path)
    write_lines(tmp_path / OCC, [*lines_of(tmp_path / OCC), line])
    reading = Bp4d().read(tmp_path)
    (skipped,) = [one for one in reading.skipped if one.why == "unreadable label"]
    assert skipped.what == f"{OCC}:8"


@pytest.mark.parametrize("text", ["", "\n\n", "0,1,2\n", "a,b\n1,2\n", "0,1,2\n5,7,7\n6,7,7\n", "0,1,2\n5\n6\n"])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    make(tmp_path)
    write(tmp_path / OCC, text)
    with pytest.raises(DatasetError) as error:
        Bp4d().read(tmp_path)
    assert error.value.where == OCC
    assert [problem.where for problem in Bp4d().check(tmp_path) if problem.fatal] == [OCC]


def test_files_of_windows_and_with_a_byte_order_mark(tmp_path: Path) -> None:
    expected = make(tmp_path)
    for path in (tmp_path / OCC, tmp_path / INT):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_text().replace("\n", "\r\n").encode())
    agree(Bp4d().read(tmp_path), expected)


@pytest.mark.parametrize("folder", ["AUCoding", "2D+3D"])
def test_a_missing_folder_is_named(tmp_path: Path, folder: str) -> None:
    make(tmp_path)
    shutil.rmtree(tmp_path / folder)
    with pytest.raises(DatasetError, match=folder.replace("+", "[+]")):
        Bp4d().read(tmp_path)
    assert any(problem.fatal for problem in Bp4d().check(tmp_path))


def test_an_empty_folder_of_labels_is_named(tmp_path: Path) -> None:
    make(tmp_path)
    shutil.rmtree(tmp_path / "AUCoding")
    write(tmp_path / "AUCoding" / "readme.txt", "")
    with pytest.raises(DatasetError, match=r"AU_OCC/F001_T1.csv and others, found readme.txt"):
        Bp4d().read(tmp_path)


@pytest.mark.parametrize(
    ("level", "said"),
    [("..", "one level too high"), ("AUCoding", "one level too low"), ("2D+3D/F001", "two levels too low")],
)
def test_a_wrong_level_is_named(tmp_path: Path, level: str, said: str) -> None:
    root = tmp_path / "BP4D"
    make(root)
    with pytest.raises(DatasetError, match=said) as error:
        Bp4d().read((root / level).resolve())
    assert str(root) in error.value.action


@pytest.mark.parametrize("folder", ["Sequences", "Sequences(2D+3D)", "Sequences_2D+3D", "Bilder_äöü", "release/2D+3D"])
def test_folders_of_pictures_by_other_names(tmp_path: Path, folder: str) -> None:
    expected = make(tmp_path)
    (tmp_path / folder).parent.mkdir(exist_ok=True)
    (tmp_path / "2D+3D").rename(tmp_path / folder)
    images = {face: image.replace("2D+3D", folder, 1) for face, image in expected.images.items()}
    agree(
        Bp4d().read(tmp_path),
        Expected(images, subjects=expected.subjects, numbers=expected.numbers, skipped=expected.skipped),
    )


def test_subjects_in_the_root_and_other_folders_of_the_release(tmp_path: Path) -> None:
    expected = make(tmp_path)
    for subject in (tmp_path / "2D+3D").iterdir():
        subject.rename(tmp_path / subject.name)
    (tmp_path / "2D+3D").rmdir()
    write(tmp_path / "Physiology" / "F001" / "T1" / "BP_mmHg.txt", "80\n")
    images = {face: image.removeprefix("2D+3D/") for face, image in expected.images.items()}
    agree(
        Bp4d().read(tmp_path),
        Expected(images, subjects=expected.subjects, numbers=expected.numbers, skipped=expected.skipped),
    )


def test_case_and_a_folder_unpacked_into_itself(tmp_path: Path) -> None:
    root = tmp_path / "Ordner_é中"
    expected = make(root)
    (root / "AUCoding").rename(root / "tmp")
    (root / "aucoding").mkdir()
    (root / "tmp").rename(root / "aucoding" / "AUCoding")
    (root / "aucoding/AUCoding/AU_OCC/F001_T1.csv").rename(root / "aucoding/AUCoding/AU_OCC/f001_t1.CSV")
    for path in sorted((root / "2D+3D/F001/T1").glob("*.jpg")):
        path.rename(path.with_suffix(".JPG"))
    (root / "2D+3D/F001/T1").rename(root / "2D+3D/F001/t1")
    images = {
        face: image.replace("/T1/", "/t1/").replace(".jpg", ".JPG") if face.startswith("F001_T1") else image
        for face, image in expected.images.items()
    }
    agree(
        Bp4d().read(root),
        Expected(images, subjects=expected.subjects, numbers=expected.numbers, skipped=expected.skipped),
    )


def test_stray_files_are_reported(tmp_path: Path) -> None:
    make(tmp_path)
    write(tmp_path / "AUCoding/AU_OCC/F001_T1 - Copy.csv", "0,1\n1,1\n")
    write(tmp_path / "AUCoding/AU_INT/AU06/notes.csv", "1,1\n")
    assert reasons(Bp4d().read(tmp_path))["not the name of a label file"] == 2
    assert any("2 x not the name of a label file" in problem.found for problem in Bp4d().check(tmp_path))


def test_second_label_files_and_units_without_a_name(tmp_path: Path) -> None:
    make(tmp_path)
    for name in ("AU_OCC/f001_t1.csv", "AU_INT/AU6/F001_T1_AU6.csv"):
        write(tmp_path / "AUCoding" / name, "")
    write(tmp_path / "AUCoding/AU_INT/AU03/F001_T1_AU03.csv", "2440,1\n")
    found = reasons(Bp4d().read(tmp_path))
    assert found["second label file"] == 2
    assert found["not the name of a label file"] == 1


def test_a_frame_is_left_out_for_one_reason(tmp_path: Path) -> None:
    make_fera(tmp_path)
    found = reasons(Bp4d(drop_bad_frames=True).read(tmp_path))
    assert found["bad frame"] == 4 + 6  # the two occluded frames are among them
    assert "occluded" not in found
