from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from data.readers.miniature import Expected, agree, write
from data.readers.miniature_bp4d_plus import AUS, FRAMES, PADDED, TASKS, make, make_unpacked, write_archive
from data.readers.numbered import jpeg, number_in
from norface.data.readers.bp4d_plus import Bp4dPlus
from norface.data.readers.contract import Reading
from norface.errors import DatasetError

F001 = "2D+3D/F001.zip"


def reasons(reading: Reading) -> Counter[str]:
    return Counter(one.why for one in reading.skipped)


def with_images(expected: Expected, old: str, new: str) -> Expected:
    return replace(expected, images={face: image.replace(old, new) for face, image in expected.images.items()})


def test_archives_as_delivered(tmp_path: Path) -> None:
    expected = make(tmp_path)
    reading = Bp4dPlus().read(tmp_path)
    agree(reading, expected)
    assert reading.rows["image"].iloc[0] == "2D+3D/F001.zip!F001/T1/0011.jpg"
    assert {c for c in reading.rows.columns if c.endswith("_c")} == {f"AU{au:02d}_c" for au in AUS if au != 39}
    assert reading.facts["columns_without_action_unit"] == []  # the first column, headed 1 as AU 1 is, is the frame
    assert [p.fatal for p in Bp4dPlus().check(tmp_path)] == [False]
    assert sorted(path.name for path in (tmp_path / "2D+3D").iterdir()) == [f"{name}.zip" for name in sorted(PADDED)]


def test_unpacked_archives(tmp_path: Path) -> None:
    expected = make_unpacked(tmp_path)
    agree(Bp4dPlus().read(tmp_path), expected)


@pytest.mark.parametrize("unpacked", [False, True])
@pytest.mark.parametrize("first_image", [0, 1])
def test_each_label_belongs_to_the_picture_of_its_frame(tmp_path: Path, first_image: int, unpacked: bool) -> None:
    (make_unpacked if unpacked else make)(tmp_path)
    reader = Bp4dPlus(first_image=0) if first_image == 0 else Bp4dPlus()
    reading = reader.read(tmp_path)
    assert len(reading.rows) == len(PADDED) * len(TASKS) * len(FRAMES)
    numbers = [number_in(reader.pixels(tmp_path, image)) for image in reading.rows["image"]]
    assert numbers == [int(face_id.rpartition("_")[2]) - 1 + first_image for face_id in reading.rows["face_id"]]


def test_the_coded_units_and_recordings_are_those_of_the_documentation() -> None:
    assert Bp4dPlus.info.aus == AUS
    assert len(AUS) == 34
    assert len(Bp4dPlus.expected) == 560
    assert Bp4dPlus.info.literature == {"faces": 197_875, "subjects": 140}


@pytest.mark.parametrize("above", ["", "2D+3D/F001/", "F001/F001/", "f001/"])
def test_folders_in_an_archive(tmp_path: Path, above: str) -> None:
    expected = make(tmp_path)
    write_archive(tmp_path / F001, "F001", above)
    agree(Bp4dPlus().read(tmp_path), with_images(expected, f"{F001}!F001/", f"{F001}!{above}"))


def test_archives_and_folders_side_by_side(tmp_path: Path) -> None:
    expected = make(tmp_path)
    with zipfile.ZipFile(tmp_path / F001) as archive:
        archive.extractall(tmp_path / "2D+3D")
    (tmp_path / F001).unlink()
    agree(Bp4dPlus().read(tmp_path), with_images(expected, f"{F001}!", "2D+3D/"))


def test_a_partly_unpacked_person(tmp_path: Path) -> None:
    make(tmp_path)
    with zipfile.ZipFile(tmp_path / F001) as archive:
        archive.extractall(tmp_path / "2D+3D", [name for name in archive.namelist() if "/T6/" in name])
    images = Bp4dPlus().read(tmp_path).rows.set_index("face_id")["image"]
    assert images["F001_T1_11"] == "2D+3D/F001.zip!F001/T1/0011.jpg"
    assert images["F001_T6_11"] == "2D+3D/F001/T6/0011.jpg"


def test_a_tar_file_with_a_name_in_an_unknown_encoding(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / F001).unlink()
    with tarfile.open(tmp_path / "2D+3D/F001.tar", "w") as archive:
        for name in ("./F001/T1/0011.jpg", "./F001/T6/00\udcff11.jpg"):
            member = tarfile.TarInfo(name)
            member.size = len(jpeg(11))
            archive.addfile(member, io.BytesIO(jpeg(11)))
    reader = Bp4dPlus()
    reading = reader.read(tmp_path)
    assert reading.rows["image"].iloc[0] == "2D+3D/F001.tar!F001/T1/0011.jpg"
    assert number_in(reader.pixels(tmp_path, str(reading.rows["image"].iloc[0]))) == 11
    assert [one.what for one in reading.skipped if one.why == "name is not UTF-8"] == ["2D+3D/F001.tar!F001/T6"]


def test_what_else_is_in_an_archive_is_reported(tmp_path: Path) -> None:
    expected = make(tmp_path)
    with zipfile.ZipFile(tmp_path / F001, "a") as archive:
        archive.writestr("F002/T1/0011.jpg", jpeg(1))
        archive.writestr("F001/preview/0011.jpg", jpeg(1))
        archive.writestr("__MACOSX/F001/T1/._0011.jpg", b"\0")
        archive.writestr("F001/T1/._0011.jpg", b"\0")
        archive.writestr("F001/T1/11.jpg", jpeg(1))
        archive.writestr("F001/T1/cover.jpg", jpeg(1))
    more = {"not the pictures of a task of this subject": 2, "second picture of a frame, or a name without a number": 2}
    reading = Bp4dPlus().read(tmp_path)
    agree(reading, replace(expected, skipped={**expected.skipped, **more}))


@pytest.mark.parametrize("damage", ["truncated", "no archive", "empty"])
def test_a_damaged_archive_costs_one_person(tmp_path: Path, damage: str) -> None:
    make(tmp_path)
    data = (tmp_path / F001).read_bytes()
    (tmp_path / F001).write_bytes({"truncated": data[: len(data) // 2], "no archive": b"Rar!", "empty": b""}[damage])
    reading = Bp4dPlus().read(tmp_path)
    assert set(reading.rows["subject"]) == {"F082", "M058"}
    assert reasons(reading)["unreadable archive"] == 1
    assert [p.where for p in Bp4dPlus().check(tmp_path) if "unreadable archive" in p.found] == [F001]
    assert reasons(reading)["label without image"] == len(TASKS) * len(FRAMES)


def test_a_missing_archive_costs_one_person(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / F001).unlink()
    reading = Bp4dPlus().read(tmp_path)
    assert set(reading.rows["subject"]) == {"F082", "M058"}
    assert reasons(reading)["label without image"] == len(TASKS) * len(FRAMES)
    assert any("label without image" in problem.found for problem in Bp4dPlus().check(tmp_path))


def test_missing_labels_and_pictures(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "AUCoding/AU_OCC/F001_T6.csv").unlink()
    for path in (tmp_path / "AUCoding/AU_INT").rglob("F001_T6_*.csv"):
        path.unlink()
    for path in (tmp_path / "AUCoding").rglob("M058_*.csv"):
        path.unlink()
    reading = Bp4dPlus().read(tmp_path)
    left_out = {(one.what, one.why) for one in reading.skipped}
    assert ("2D+3D/F001.zip!F001/T6", "task without labels") in left_out
    assert ("2D+3D/M058.zip", "subject without labels") in left_out
    (problem,) = [p for p in Bp4dPlus().check(tmp_path) if "recordings" in p.expected]
    assert problem.found.startswith("3, without F001_T6, F001_T7")


def test_no_archives_at_all(tmp_path: Path) -> None:
    make(tmp_path)
    shutil.rmtree(tmp_path / "2D+3D")
    with pytest.raises(DatasetError, match="put the archives there"):
        Bp4dPlus().read(tmp_path)


def test_only_damaged_archives(tmp_path: Path) -> None:
    make(tmp_path)
    for path in (tmp_path / "2D+3D").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DatasetError, match=r"label without image, task|unreadable archive"):
        Bp4dPlus().read(tmp_path)


@pytest.mark.parametrize(("level", "said"), [("..", "one level too high"), ("2D+3D", "one level too low")])
def test_a_wrong_level_is_named(tmp_path: Path, level: str, said: str) -> None:
    root = tmp_path / "BP4D+_v0.2"
    make(root)
    with pytest.raises(DatasetError, match=said):
        Bp4dPlus().read((root / level).resolve())


def test_code_nine_unknown_codes_and_doubles(tmp_path: Path) -> None:
    make(tmp_path)
    path = tmp_path / "AUCoding/AU_OCC/F082_T1.csv"
    header, *rest = path.read_text().splitlines()
    fields = [line.split(",") for line in rest]
    position = header.split(",").index("12")
    fields[0][position] = "9"
    fields[1][position] = "3"
    write(path, "\n".join([header, *(",".join(line) for line in fields), rest[2]]) + "\n")
    reading = Bp4dPlus().read(tmp_path)
    labels = reading.rows.set_index("face_id")["AU12_c"]
    assert np.isnan(labels["F082_T1_11"])
    assert np.isnan(labels["F082_T1_12"])
    assert labels["F082_T1_13"] == (13 + 12 + 1) % 2
    assert reasons(reading)["unknown code 3"] == 1  # code 9 is the owner's word for missing
    assert reasons(reading)["duplicate"] == 1


def test_case_and_letters_of_other_scripts(tmp_path: Path) -> None:
    root = tmp_path / "Ordner_é中"
    expected = make(root)
    (root / "2D+3D").rename(root / "2d+3d")
    (root / "2d+3d/F001.zip").rename(root / "2d+3d/f001.ZIP")
    (root / "AUCoding/AU_OCC").rename(root / "AUCoding/au_occ")
    expected = with_images(with_images(expected, "2D+3D", "2d+3d"), "F001.zip", "f001.ZIP")
    agree(Bp4dPlus().read(root), expected)
