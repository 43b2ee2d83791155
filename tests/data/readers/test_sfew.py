from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from data.readers.miniature import picture
from data.readers.miniature_sfew import FACES, make, make_aligned
from norface.data.readers.sfew import Sfew
from norface.errors import DatasetError


def test_facts_say_which_images(tmp_path: Path) -> None:
    make(tmp_path)
    make_aligned(tmp_path)
    assert Sfew().read(tmp_path).facts == {"images": "original"}
    reading = Sfew(images="aligned").read(tmp_path)
    assert reading.facts == {"images": "aligned", "frame": "sfew-aligned"}
    assert reading.rows["image"].str.contains("Aligned_Faces").all()


def test_other_form_than_asked_for(tmp_path: Path) -> None:
    make(tmp_path / "original")
    assert Sfew(images="aligned").check(tmp_path / "original")[0].fatal
    for part in ("Train", "Val"):
        source = tmp_path / "original" / part
        target = tmp_path / "crops" / part / f"{part}_Aligned_Faces"
        target.parent.mkdir(parents=True)
        source.rename(target)
    (problem,) = Sfew().check(tmp_path / "crops")
    assert "--reader.images aligned" in problem.action
    with pytest.raises(DatasetError, match=r"--reader\.images aligned"):
        Sfew().read(tmp_path / "crops")


def test_without_validation_images(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "Val").rename(tmp_path / "elsewhere")
    reading = Sfew().read(tmp_path)
    assert set(reading.rows["split"]) == {"train"}
    assert Counter(one.why for one in reading.skipped)["folder is not there"] == 1


def test_images_outside_the_seven_classes_have_no_label(tmp_path: Path) -> None:
    make(tmp_path)
    picture(tmp_path / "Train/loose.png")
    picture(tmp_path / "Train/Contempt/x.png")
    picture(tmp_path / "Val/Sadness/y.png")
    reading = Sfew().read(tmp_path)
    assert len(reading.rows) == sum(map(len, FACES.values()))
    lost = {one.what for one in reading.skipped if one.why == "image without label"}
    assert lost == {"Train/loose.png", "Train/Contempt/x.png", "Val/Sadness/y.png"}


def test_one_name_in_two_classes_gives_two_faces(tmp_path: Path) -> None:
    make(tmp_path)
    name = "Airheads_000519240_00000005.png"
    picture(tmp_path / "Train/Fear" / name)
    reading = Sfew().read(tmp_path)
    assert reading.rows["face_id"].is_unique
    doubles = reading.rows["face_id"][reading.rows["image"].str.endswith(name)]
    assert sorted(doubles) == [f"{name[:-4]} Train/{folder}/{name}" for folder in ("Angry", "Fear")]


def test_empty_classes(tmp_path: Path) -> None:
    (tmp_path / "Train/Happy").mkdir(parents=True)
    with pytest.raises(DatasetError, match="at least one face"):
        Sfew().read(tmp_path)
