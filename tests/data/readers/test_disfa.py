from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from data.readers.miniature import Expected, agree, write
from data.readers.miniature_disfa import AUS, LAST, RIGHT, expected, intensity, make, make_frames, write_labels
from data.readers.numbered import number_in, write_numbered, write_video
from norface.data.readers.contract import Reading
from norface.data.readers.disfa import BAD_FRAMES, SUBJECTS, Disfa
from norface.data.readers.recordings import frame_set
from norface.errors import ConfigError, DatasetError
from norface.imaging.video import read_frame

AU1 = "ActionUnit_Labels/SN001/SN001_au1.txt"

FRAMES = {  # folder of a person, name of a picture, number of the first
    "ME-GraphAU": ("frames/{subject}", "{number}.png", 0),
    "LibreFace": ("frames/{subject}", "{number:05d}.png", 1),
    "as ffmpeg names them": (
        "Videos_LeftCamera_frames/LeftVideo{subject}_comp",
        "LeftVideo{subject}_comp_{number:05d}.jpg",
        1,
    ),
    "as OpenCV counts them": ("images/LeftVideo{subject}", "{number:010d}.png", 0),
    "two folders deep": ("Images/Left/LeftVideo{subject}_comp", "frame{number}.jpg", 1),
    "in the root": ("{subject}", "{subject}_{number:04d}.jpg", 0),
    "in a folder named like the videos": ("videos/{subject}", "{number}.png", 1),
    "other scripts": ("Bilder_äöü中/{subject}", "{number}.png", 1),
}


def reasons(reading: Reading) -> Counter[str]:
    return Counter(one.why for one in reading.skipped)


def label(reading: Reading, face_id: str, column: str) -> float:
    return float(reading.rows.set_index("face_id")[column][face_id])


def edit(path: Path, line: int, text: str) -> None:
    lines = path.read_text().splitlines()
    lines[line] = text
    write(path, "\n".join(lines) + "\n")


def test_the_owners_videos(tmp_path: Path) -> None:
    wanted = make(tmp_path)
    reading = Disfa().read(tmp_path)
    agree(reading, wanted)
    assert reading.facts == {
        "camera": "left",
        "images": "videos",
        "occurrence": "intensity >= 2",
        "threshold": 2,
        "drop_bad_frames": False,
    }
    assert [(p.fatal, p.found) for p in Disfa().check(tmp_path)] == [
        (False, "3, without SN002, SN003, SN004, SN005 ...")
    ]


@pytest.mark.parametrize("camera", ["left", "right"])
def test_label_k_belongs_to_frame_k_of_the_video(tmp_path: Path, camera: Literal["left", "right"]) -> None:
    make(tmp_path)
    reader = Disfa(camera=camera)
    reading = reader.read(tmp_path)
    assert reading.facts["camera"] == camera
    assert len(reading.rows) == sum(LAST.values())
    offset, name = (0, "{}_{:04d}") if camera == "left" else (RIGHT, "{}_right_{:04d}")
    for subject, frame in (("SN001", 1), ("SN001", 2), ("SN001", 25), ("SN010", 24)):
        row = reading.rows[reading.rows["face_id"] == name.format(subject, frame)].iloc[0]
        video, _, index = str(row["image"]).partition("#")
        assert number_in(reader.pixels(tmp_path, str(row["image"]))) == frame + offset
        assert number_in(read_frame(tmp_path / video, int(index))) == frame + offset
        assert row["AU12_r"] == intensity(subject, frame, 12)


@pytest.mark.parametrize("layout", FRAMES)
def test_label_k_belongs_to_the_picture_of_frame_k(tmp_path: Path, layout: str) -> None:
    folder, name, first = FRAMES[layout]
    wanted = make_frames(tmp_path, folder, name, first)
    reader = Disfa()
    reading = reader.read(tmp_path)
    agree(reading, wanted)
    assert reading.facts["first_image"] == first
    assert reading.facts["images"] == f"frames in {'/'.join(folder.split('/')[:-1]) or 'the root'}"
    frames = [int(face_id.rpartition("_")[2]) for face_id in reading.rows["face_id"]]
    assert [number_in(reader.pixels(tmp_path, image)) for image in reading.rows["image"]] == frames


def test_a_named_folder_of_frames_wins_over_the_videos(tmp_path: Path) -> None:
    make(tmp_path)
    wanted = make_frames(tmp_path, "cropped/{subject}", "{number}.png", 0)
    reading = Disfa(frames="Cropped").read(tmp_path)
    agree(reading, wanted)
    assert reading.facts["images"] == "frames in Cropped"
    assert Disfa().read(tmp_path).facts["images"] == "videos"


@pytest.mark.parametrize("first", [0, 1])
def test_frames_that_tell_not_where_they_count_from(tmp_path: Path, first: Literal[0, 1]) -> None:
    make_frames(tmp_path, "frames/{subject}", "{number}.png", first)
    for subject, last in LAST.items():
        (tmp_path / "frames" / subject / f"{first}.png").unlink()
        (tmp_path / "frames" / subject / f"{last - 1 + first}.png").unlink()
    with pytest.raises(DatasetError, match="neither a number 0 nor the last frame") as error:
        Disfa().read(tmp_path)
    assert "first_image" in error.value.action
    reader = Disfa(first_image=first)
    reading = reader.read(tmp_path)
    assert reading.facts["first_image"] == first
    assert reasons(reading) == {"label without image": 2 * len(LAST)}
    frames = [int(face_id.rpartition("_")[2]) for face_id in reading.rows["face_id"]]
    assert [number_in(reader.pixels(tmp_path, image)) for image in reading.rows["image"]] == frames


def test_frames_that_contradict_each_other(tmp_path: Path) -> None:
    make_frames(tmp_path, "frames/{subject}", "{number}.png", 1)
    write_numbered(tmp_path / "frames/SN010/0.png", 0)
    with pytest.raises(DatasetError, match=r"from 0 in frames/SN010, from 1 in frames/SN001"):
        Disfa().read(tmp_path)
    reading = Disfa(first_image=1).read(tmp_path)
    assert reasons(reading) == {"image without label": 1}


def test_frames_of_a_camera(tmp_path: Path) -> None:
    for side in ("Left", "Right"):
        folder = f"frames/{side}Video{{subject}}_comp"
        wanted = make_frames(tmp_path, folder, "{number}.png", 1)
        agree(Disfa().read(tmp_path), wanted) if side == "Left" else None
    images = Disfa(camera="right").read(tmp_path).rows["image"]
    assert images.str.contains("RightVideo").all()


@pytest.mark.parametrize("threshold", [1, 2, 5])
def test_the_threshold_is_stated(tmp_path: Path, threshold: int) -> None:
    make(tmp_path)
    video = "Videos_LeftCamera/LeftVideo{}_comp.avi#{}"
    wanted = expected(lambda subject, frame: video.format(subject, frame - 1), threshold=threshold)
    reading = Disfa(threshold=threshold).read(tmp_path)
    agree(reading, wanted)
    assert reading.facts["occurrence"] == f"intensity >= {threshold}"
    assert reading.facts["threshold"] == threshold


@pytest.mark.parametrize("threshold", [0, 6])
def test_impossible_thresholds(threshold: int) -> None:
    with pytest.raises(ConfigError, match="from 1 to 5"):
        Disfa(threshold=threshold)


def test_bad_frames_can_be_left_out(tmp_path: Path) -> None:
    write(tmp_path / "Videos_LeftCamera/LeftVideoSN028_comp.avi", "")  # videos are not opened
    for au in AUS:
        lines = [f"{frame},{frame % 6}" for frame in range(1870, 1890)]
        write(tmp_path / f"ActionUnit_Labels/SN028/SN028_au{au}.txt", "\n".join(lines) + "\n")
    kept = Disfa(drop_bad_frames=True).read(tmp_path)
    assert reasons(kept) == {"bad frame": 11}
    assert not [f for f in range(1875, 1886) if f"SN028_{f}" in set(kept.rows["face_id"])]
    assert {"SN028_1874", "SN028_1886"} <= set(kept.rows["face_id"])
    assert kept.facts["drop_bad_frames"] is True
    assert len(Disfa().read(tmp_path).rows) == 20


def test_the_known_counts_are_those_of_the_literature() -> None:
    assert sum(len(frame_set(ranges)) for ranges in BAD_FRAMES.values()) == 4670
    assert len(SUBJECTS) == 27
    assert Disfa().info.literature == {"faces": 26 * 4845 + 4844, "subjects": 27}
    assert Disfa(drop_bad_frames=True).info.literature["faces"] == 126_144


def test_units_go_by_the_name_of_their_file(tmp_path: Path) -> None:
    wanted = make(tmp_path)
    folder = tmp_path / "ActionUnit_Labels/SN001"
    for au in (1, 2, 4, 5, 6, 9):  # the order in which a folder lists its files must not matter
        text = (folder / f"SN001_au{au}.txt").read_text()
        (folder / f"SN001_au{au}.txt").unlink()
        write(folder / f"SN001_AU{au:02d}.txt", text)
    agree(Disfa().read(tmp_path), wanted)


def test_a_label_file_of_somebody_else_is_left_out(tmp_path: Path) -> None:
    make(tmp_path)
    shutil.copy(tmp_path / AU1, tmp_path / "ActionUnit_Labels/SN010/SN001_au2.txt")
    write(tmp_path / "ActionUnit_Labels/SN010/readme.txt", "")
    write(tmp_path / "ActionUnit_Labels/SN010/SN010_au3.txt", "1,0\n")  # FACS has no unit 3
    shutil.copy(tmp_path / "ActionUnit_Labels/SN010/SN010_au2.txt", tmp_path / "ActionUnit_Labels/SN010/SN010_au02.txt")
    reading = Disfa().read(tmp_path)
    assert reasons(reading) == {"not the name of a label file": 3, "second label file": 1}


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("9", "unknown code 9"),
        ("6", "unknown code 6"),
        ("-1", "unknown code -1"),
        ("2.5", "unreadable label"),
        ("", "unreadable label"),
    ],
)
def test_an_unknown_code_is_no_label(tmp_path: Path, code: str, why: str) -> None:
    make(tmp_path)
    edit(tmp_path / AU1, 6, f"7,{code}")
    reading = Disfa().read(tmp_path)
    assert np.isnan(label(reading, "SN001_0007", "AU01_r"))
    assert np.isnan(label(reading, "SN001_0007", "AU01_c"))
    assert label(reading, "SN001_0007", "AU02_r") == intensity("SN001", 7, 2)
    assert [(one.what, one.why) for one in reading.skipped] == [(f"{AU1}:7 AU1", why)]


def test_label_files_with_a_header_are_read_alike(tmp_path: Path) -> None:
    wanted = make(tmp_path)
    write(tmp_path / AU1, "frame,intensity\n" + (tmp_path / AU1).read_text())
    agree(Disfa().read(tmp_path), wanted)


def test_a_missing_label_file_costs_its_unit(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / AU1).unlink()
    reading = Disfa().read(tmp_path)
    assert np.isnan(label(reading, "SN001_0001", "AU01_r"))
    assert label(reading, "SN010_0001", "AU01_r") == intensity("SN010", 1, 1)
    assert "11, without SN001_au1.txt" in [problem.found for problem in Disfa().check(tmp_path)]


def test_a_missing_video_costs_its_person(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "Videos_LeftCamera/LeftVideoSN010_comp.avi").unlink()
    reading = Disfa().read(tmp_path)
    assert set(reading.rows["subject"]) == {"SN001", "SN032"}
    assert reasons(reading) == {"label without image": 24}


def test_videos_and_pictures_without_labels(tmp_path: Path) -> None:
    make(tmp_path)
    shutil.rmtree(tmp_path / "ActionUnit_Labels/SN010")
    reading = Disfa().read(tmp_path)
    path = "Videos_LeftCamera/LeftVideoSN010_comp.avi"
    assert [(one.what, one.why) for one in reading.skipped] == [(path, "image without label")]
    make_frames(tmp_path, "frames/{subject}", "{number}.png", 0)
    shutil.rmtree(tmp_path / "ActionUnit_Labels/SN010")
    write_numbered(tmp_path / "frames/SN001/25.png", 26)
    assert reasons(Disfa(frames="frames").read(tmp_path)) == {"image without label": 24 + 1}


def test_second_videos_and_folders_of_a_person(tmp_path: Path) -> None:
    wanted = make(tmp_path)
    write_video(tmp_path / "Videos_LeftCamera/LeftVideoSN001_comp_old.avi", range(1, 3))
    reading = Disfa().read(tmp_path)
    assert reasons(reading) == {"second video or folder of a person": 1}
    agree(reading, Expected(wanted.images, subjects=wanted.subjects, numbers=wanted.numbers, skipped=reasons(reading)))


def test_doubles_and_contradictions(tmp_path: Path) -> None:
    make(tmp_path)
    lines = (tmp_path / AU1).read_text()
    write(tmp_path / AU1, f"{lines}3,{intensity('SN001', 3, 1)}\n4,{(intensity('SN001', 4, 1) + 1) % 6}\n")
    reading = Disfa().read(tmp_path)
    assert reasons(reading) == {"duplicate": 1, "contradictory labels": 2}
    assert label(reading, "SN001_0003", "AU01_r") == intensity("SN001", 3, 1)
    assert np.isnan(label(reading, "SN001_0004", "AU01_r"))


def test_a_frame_zero_has_no_picture_in_a_video(tmp_path: Path) -> None:
    make(tmp_path)
    write(tmp_path / AU1, "0,3\n" + (tmp_path / AU1).read_text())
    reading = Disfa().read(tmp_path)
    assert [(one.what, one.why) for one in reading.skipped] == [
        ("ActionUnit_Labels/SN001 frame 0", "label without image")
    ]


@pytest.mark.parametrize("text", ["", "\n", "1 0\n2 0\n", "a,b\n", "1;0\n", "1,7\n2,8\n3,9\n", "1,2,3\n"])
def test_a_broken_file_is_named(tmp_path: Path, text: str) -> None:
    make(tmp_path)
    write(tmp_path / AU1, text)
    with pytest.raises(DatasetError) as error:
        Disfa().read(tmp_path)
    assert error.value.where == AU1


@pytest.mark.parametrize(("there", "said"), [("labels", "Videos_LeftCamera"), ("videos", "ActionUnit_Labels")])
def test_missing_folders_are_named(tmp_path: Path, there: str, said: str) -> None:
    make(tmp_path)
    for folder in ("Videos_LeftCamera", "Video_RightCamera") if there == "labels" else ("ActionUnit_Labels",):
        shutil.rmtree(tmp_path / folder)
    with pytest.raises(DatasetError, match=said):
        Disfa().read(tmp_path)


def test_the_other_camera_is_no_substitute(tmp_path: Path) -> None:
    make(tmp_path)
    shutil.rmtree(tmp_path / "Video_RightCamera")
    with pytest.raises(DatasetError, match=r"Videos_RightCamera/RightVideoSN001_comp.avi and others"):
        Disfa(camera="right").read(tmp_path)


def test_a_named_folder_without_frames(tmp_path: Path) -> None:
    make(tmp_path)
    for folder in ("nowhere", "../elsewhere", "/"):
        with pytest.raises(DatasetError, match=r"SN001/1\.jpg and others"):
            Disfa(frames=folder).read(tmp_path)


def test_empty_labels(tmp_path: Path) -> None:
    make(tmp_path)
    shutil.rmtree(tmp_path / "ActionUnit_Labels")
    (tmp_path / "ActionUnit_Labels").mkdir()
    with pytest.raises(DatasetError, match=r"SN001_au1\.txt and others, found nothing"):
        Disfa().read(tmp_path)


@pytest.mark.parametrize(("level", "said"), [("..", "one level too high"), ("ActionUnit_Labels", "one level too low")])
def test_a_wrong_level_is_named(tmp_path: Path, level: str, said: str) -> None:
    root = tmp_path / "DISFA"
    write_labels(root)
    with pytest.raises(DatasetError, match=said):
        Disfa().read((root / level).resolve())


@pytest.mark.parametrize("folder", ["Videos_LeftCamera", "Video_LeftCamera", "video_leftcamera", ""])
@pytest.mark.parametrize("name", ["LeftVideo{}_comp.avi", "LeftVideo{}_Comp.AVI", "leftvideo{}.mp4"])
def test_names_of_videos_in_any_case(tmp_path: Path, folder: str, name: str) -> None:
    root = tmp_path / "Ordner_é中"
    write_labels(root)
    for subject in LAST:
        write(root / folder / name.format(subject), "")
    (root / "ActionUnit_Labels").rename(root / "actionunit_labels")
    (root / "actionunit_labels").rename(root / "tmp")
    (root / "ActionUnit_Labels").mkdir()
    (root / "tmp").rename(root / "ActionUnit_Labels" / "ActionUnit_Labels")
    reading = Disfa().read(root)
    path = f"{folder}/{name}" if folder else name
    assert reading.rows["image"].iloc[0] == f"{path.format('SN001')}#0"
    assert len(reading.rows) == sum(LAST.values())
