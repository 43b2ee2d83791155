from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from data.readers.miniature import picture
from data.readers.miniature_folder import make, make_splits
from norface.data.readers.folder import ImageFolder
from norface.data.readers.naming import ALIASES, emotion_named
from norface.errors import ConfigError, DatasetError
from norface.labels import EMOTIONS


def test_names_of_emotions() -> None:
    assert set(ALIASES) == set(EMOTIONS)
    assert [emotion_named(name) for name in ("Happy", "HAPPINESS", " sur-prised", "Fear_")] == [
        *("happy", "happy", "surprise", "fear")
    ]
    assert [emotion_named(name) for name in ("", "0", "happyish", "none", "face", "haPPi")] == [None] * 6
    every = [alias for aliases in ALIASES.values() for alias in aliases]
    assert len(set(every) | set(EMOTIONS)) == len(every) + len(EMOTIONS)


def test_an_unknown_class_is_an_error_that_lists_the_names(tmp_path: Path) -> None:
    make(tmp_path)
    picture(tmp_path / "bored/a.jpg")
    (problem,) = ImageFolder().check(tmp_path)
    assert (problem.where, problem.found) == ("bored", "'bored'")
    with pytest.raises(DatasetError, match=r"happy/happiness/joy.*'bored'.*--reader.classes"):
        ImageFolder().read(tmp_path)


def test_classes_say_what_numbers_mean(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in ("1", "2"):
            picture(tmp_path / split / name / "a.jpg")
    with pytest.raises(DatasetError, match="'test/1'"):
        ImageFolder().read(tmp_path)
    reading = ImageFolder(classes={"1": "Surprise", "2": "happiness"}).read(tmp_path)
    assert reading.rows["emotion"].tolist() == ["surprise", "happy"] * 2
    assert set(reading.rows["split"]) == {"train", "test"}
    assert reading.facts["classes"] == {
        **{"test/1": "surprise", "test/2": "happy"},
        **{"train/1": "surprise", "train/2": "happy"},
    }


def test_classes_must_name_emotions() -> None:
    with pytest.raises(ConfigError, match=r"classes, folder '1'.*happy/happiness.*'bored'"):
        ImageFolder(classes={"1": "bored"})


def test_files_that_are_no_images_and_images_outside_a_class(tmp_path: Path) -> None:
    expected = make(tmp_path)
    (tmp_path / "neutral" / "notes.txt").write_text("x")
    picture(tmp_path / "loose.jpg")
    reading = ImageFolder().read(tmp_path)
    assert len(reading.rows) == len(expected.images)
    assert Counter(one.why for one in reading.skipped) == {"not an image": 1, "image without label": 1}


def test_loose_images_beside_the_classes_of_a_split(tmp_path: Path) -> None:
    expected = make_splits(tmp_path)
    picture(tmp_path / "train" / "loose.jpg")
    reading = ImageFolder().read(tmp_path)
    assert len(reading.rows) == len(expected.images)
    assert [(one.what, one.why) for one in reading.skipped] == [("train/loose.jpg", "image without label")]


def test_images_without_folders(tmp_path: Path) -> None:
    picture(tmp_path / "pictures" / "a.jpg")
    (problem,) = ImageFolder().check(tmp_path / "pictures")
    assert problem.found == "1 images and no folders"


def test_splits_without_images(tmp_path: Path) -> None:
    (tmp_path / "train" / "happy").mkdir(parents=True)
    with pytest.raises(DatasetError, match="at least one face"):
        ImageFolder().read(tmp_path)


def test_same_name_with_two_suffixes(tmp_path: Path) -> None:
    picture(tmp_path / "happy/a.jpg")
    picture(tmp_path / "happy/a.png")
    assert ImageFolder().read(tmp_path).rows["face_id"].tolist() == ["happy/a happy/a.jpg", "happy/a happy/a.png"]


def test_a_link_that_leads_back_is_not_followed(tmp_path: Path) -> None:
    picture(tmp_path / "happy/deep/a.jpg")
    (tmp_path / "happy/deep/again").symlink_to(tmp_path / "happy", target_is_directory=True)
    assert ImageFolder().read(tmp_path).rows["image"].tolist() == ["happy/deep/a.jpg"]
