from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from norface.data.table import FaceTable
from norface.errors import ConfigError, OutputError
from norface.imaging.alignment import Alignment
from norface.imaging.files import read_image
from norface.labels import EMOTIONS, LANDMARK_COLUMNS
from norface.synthetic import ProceduralFaces, draw_faces
from norface.synthetic.factors import FaceFactors


def draw(out: Path, **changes: object) -> pd.DataFrame:
    options: dict[str, object] = {
        "subjects": 2, "faces_per_subject": 8, "size": 32, "seed": 5, "processes": 1, "progress": False
    }  # fmt: skip
    return pd.read_parquet(draw_faces(out, **(options | changes)))  # type: ignore[arg-type]


def test_writes_images_and_a_valid_table(tmp_path: Path) -> None:
    frame = draw(tmp_path / "faces", subjects=None, splits={"train": 1, "normalizer": 2}, faces_per_subject=8)
    assert list(frame.groupby("split").subject.nunique().sort_index()) == [2, 1]
    assert frame.face_id.is_unique
    assert frame.subject.nunique() == 3
    assert (frame.groupby(["subject", "emotion"]).size() == 1).all()
    assert set(frame.emotion) == set(EMOTIONS)
    assert frame.AU12_r.between(0.0, 5.0).all()
    assert ((frame.AU12_r >= 2.0) == (frame.AU12_c == 1.0)).all()
    assert frame[list(LANDMARK_COLUMNS)].to_numpy().dtype == np.float64
    assert (frame.success == 1).all()
    assert {"light_azimuth", "blur", "noise", "id_skin_tone", "background_kind", "skew_AU12"} <= set(frame.columns)
    source = ProceduralFaces(seed=5, alignment=Alignment(size=32))
    face, row = source.face(2, 3), frame.iloc[19]
    assert np.array_equal(read_image(tmp_path / "faces" / row.image), face.image)
    assert np.array_equal(read_image(tmp_path / "faces" / row.normalized), face.normalized)
    assert np.array_equal(read_image(tmp_path / "faces" / "target.png"), source.target())
    np.testing.assert_allclose(row[list(LANDMARK_COLUMNS)].to_numpy(float), face.landmarks.ravel(), atol=1e-3)
    described = json.loads((tmp_path / "faces" / "faces.json").read_text())
    assert set(described) == {"emotions", "aus", "alignment", "provenance"}
    assert described["alignment"] == Alignment(size=32).describe()
    assert described["provenance"]["seed"] == 5


def test_without_splits_there_is_no_split_column_and_unaligned_faces_have_no_alignment(tmp_path: Path) -> None:
    frame = draw(tmp_path, subjects=1, faces_per_subject=1, aligned=False)
    assert "split" not in frame
    assert json.loads((tmp_path / "faces.json").read_text())["alignment"] is None


def test_the_targets_person_is_all_that_is_known_of_the_normalizers_split(tmp_path: Path) -> None:
    frame = draw(tmp_path, subjects=None, splits={"normalizer": 1, "test": 1}, target_faces=9)
    source, target = ProceduralFaces(seed=5, alignment=Alignment(size=32)), frame[frame.subject == "target"]
    assert list(target.split) == ["normalizer"] * 9
    assert (target.image == target.normalized).all()
    assert frame.normalized[frame.split == "test"].notna().all()
    assert frame.normalized[(frame.split == "normalizer") & (frame.subject != "target")].isna().all()
    assert target.emotion.nunique() == 8
    assert target.filter(regex=r"^AU\d\d_r").drop_duplicates().shape[0] >= 8
    row, factors = target.iloc[4], source.target_factors(4)
    assert np.array_equal(read_image(tmp_path / row.image), source.normalized(factors))
    assert row.AU12_r == factors.aus.get(12, 0.0)
    again = draw(tmp_path, subjects=None, splits={"normalizer": 1, "test": 1}, target_faces=9)
    pd.testing.assert_frame_equal(frame, again)


def test_the_targets_person_alone(tmp_path: Path) -> None:
    frame = draw(tmp_path, subjects=0, target_faces=3)
    assert set(frame.subject) == {"target"}
    assert json.loads((tmp_path / "faces.json").read_text())["provenance"]["target_faces"] == 3
    with pytest.raises(ConfigError, match="target_faces"):
        draw(tmp_path / "less", target_faces=-1)
    table = FaceTable.load(tmp_path)
    assert table.knows_normalized.all()


def test_landmarks_of_the_targets_person_lie_where_its_face_is() -> None:
    source = ProceduralFaces(seed=5, alignment=Alignment(size=64))
    points = source.normalized_landmarks(source.target_factors(0))
    np.testing.assert_allclose(points, source.alignment.template(), atol=4.0)  # an open mouth moves its corners
    neutral = source.normalized_landmarks(FaceFactors())
    np.testing.assert_allclose(neutral, source.alignment.template(), atol=1.5)


def test_processes_draw_the_same_pixels(tmp_path: Path) -> None:
    one = draw(tmp_path / "one", faces_per_subject=2)
    two = draw(tmp_path / "two", faces_per_subject=2, processes=2)
    pd.testing.assert_frame_equal(one, two)
    for name in one.image:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_resumes_where_it_stopped(tmp_path: Path) -> None:
    before = draw(tmp_path, faces_per_subject=3)
    kept, lost = tmp_path / before.image[0], tmp_path / before.image[4]
    content = lost.read_bytes()
    lost.unlink()
    (tmp_path / "faces.parquet").unlink()
    stamp = kept.stat().st_mtime_ns
    after = draw(tmp_path, faces_per_subject=3)
    pd.testing.assert_frame_equal(before, after)
    assert kept.stat().st_mtime_ns == stamp
    assert lost.read_bytes() == content
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_folder_of_other_faces_is_refused(tmp_path: Path) -> None:
    draw(tmp_path, subjects=1, faces_per_subject=1)
    with pytest.raises(ConfigError, match="another seed"):
        draw(tmp_path, subjects=1, faces_per_subject=1, seed=6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subjects": 0}, "subjects: expected at least 1"),
        ({"faces_per_subject": 0}, "faces_per_subject"),
        ({"processes": -1}, "processes"),
        ({"size": 300}, "from 32 to 256"),
        ({"margin": -0.1}, "margin"),
        ({"splits": {"training": 2}}, "training=2"),
        ({"splits": {"train": 3}}, "2 subjects, but splits of 3"),
    ],
)
def test_bad_arguments(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        draw(tmp_path, **changes)
    assert not list(tmp_path.iterdir())


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "faces").write_text("")
    with pytest.raises(OutputError, match="faces"):
        draw(tmp_path / "faces")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        draw(tmp_path / "faces")
