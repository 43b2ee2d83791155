from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from norface.cli.main import main
from norface.errors import ConfigError
from norface.imaging.alignment import Alignment
from norface.imaging.files import read_image
from norface.labels import LANDMARK_COLUMNS
from norface.synthetic import FaceKitFaces, Photography, draw_faces
from norface.synthetic.facekit.modes import FACEKIT_AUS
from small_facekit import write_packed


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_packed(tmp_path / "model.npz")


def draw(out: Path, model: Path, **changes: object) -> pd.DataFrame:
    options: dict[str, object] = {
        "subjects": 2, "faces_per_subject": 2, "size": 32, "seed": 5, "processes": 1, "progress": False,
        "source": "facekit",        "assets": model,
    }  # fmt: skip
    return pd.read_parquet(draw_faces(out, **(options | changes)))  # type: ignore[arg-type]


def test_writes_images_and_a_valid_table(tmp_path: Path, model: Path) -> None:
    frame = draw(tmp_path / "faces", model, splits={"train": 1, "test": 1})
    assert len(frame) == 4 and list(frame.split.unique()) == ["train", "test"]
    assert {f"AU{au:02d}_{kind}" for au in FACEKIT_AUS for kind in "cr"} <= set(frame.columns)
    assert {"normalized", "yaw", "skew_AU14", "id_skin_tone", "id_glasses", "id_shape_03", "jpeg", "grey"} <= set(frame)
    source = FaceKitFaces(model, seed=5, alignment=Alignment(size=32))
    face, row = source.face(1, 1), frame.iloc[3]
    assert np.array_equal(read_image(tmp_path / "faces" / row.image), face.image)
    assert np.array_equal(read_image(tmp_path / "faces" / row.normalized), face.normalized)
    assert np.array_equal(read_image(tmp_path / "faces" / "target.png"), source.target())
    np.testing.assert_allclose(row[list(LANDMARK_COLUMNS)].to_numpy(float), face.landmarks.ravel(), atol=1e-3)
    described = json.loads((tmp_path / "faces" / "faces.json").read_text())
    assert described["aus"] == list(FACEKIT_AUS)
    assert described["provenance"]["source"] == "norface.synthetic.FaceKitFaces"
    assert described["provenance"]["photo"]["grey"] == Photography().grey


def test_processes_draw_the_same_pixels(tmp_path: Path, model: Path) -> None:
    one = draw(tmp_path / "one", model)
    two = draw(tmp_path / "two", model, processes=2)
    pd.testing.assert_frame_equal(one, two)
    for name in one.image:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_folder_of_other_faces_is_refused(tmp_path: Path, model: Path) -> None:
    draw(tmp_path / "faces", model, subjects=1)
    with pytest.raises(ConfigError, match="another photo"):
        draw(tmp_path / "faces", model, subjects=1, photo=Photography(blur=0.0))
    with pytest.raises(ConfigError, match="another source"):
        draw_faces(tmp_path / "faces", subjects=1, size=32, seed=5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"assets": None}, "source facekit with assets"),
        ({"source": "procedural"}, "source procedural without"),
        ({"source": "other"}, "source other"),
        ({"source": "procedural", "assets": None, "photo": Photography()}, "photo"),
    ],
)
def test_options_that_do_not_go_together(tmp_path: Path, model: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        draw(tmp_path / "faces", model, **changes)
    assert not (tmp_path / "faces").exists()


def test_the_command_draws_and_names_what_is_broken(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["faces", "draw", "--out", str(tmp_path / "faces"), "--source", "facekit", "--assets", str(model)]
    small = ["--size", "32", "--subjects", "1", "--faces_per_subject", "1", "--processes", "1"]
    assert main([*options, *small, "--photo.blur", "0", "--photo.jitter", "0.5"]) == 0
    settings = json.loads((tmp_path / "faces" / "faces.json").read_text())["provenance"]["photo"]
    assert (settings["blur"], settings["jitter"], settings["grey"]) == (0.0, 0.5, Photography().grey)
    model.write_bytes(model.read_bytes()[:5000])
    options[3] = str(tmp_path / "others")
    write = tmp_path / "copy.npz"
    write.write_bytes(model.read_bytes())
    options[-1] = str(write)
    assert main([*options, *small]) == 2
    assert "copy.npz" in capsys.readouterr().err
