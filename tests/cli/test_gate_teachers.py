from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from norface.cli.allowed_code import only_code_of
from norface.cli.main import USAGE, main
from norface.cli.teachers import make_teachers
from norface.data.table import FaceTable, TableMeta
from norface.imaging.alignment import Alignment
from norface.imaging.convert import to_pixels
from norface.imaging.files import write_png
from norface.teachers import CombinedExpression
from toy_world import SIZE, draw

TEACHERS = """
model:
  class_path: NormalizerTask
  init_args:
    identity_teacher: {class_path: toy_world.ColourTeacher}
    expression_teacher: {class_path: toy_world.BarTeacher}
    head_pose_teacher: {class_path: toy_world.TiltTeacher}
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Ten people with six faces each, their true normalized faces, one action unit and the head pose."""
    folder, people, each = tmp_path / "table", 10, 6
    random = np.random.default_rng(0)
    rows: list[dict[str, object]] = []
    for k in range(people * each):
        height = torch.tensor([random.random()], dtype=torch.float32)
        colour = torch.tensor(np.random.default_rng(k // each).uniform(-0.5, 0.9, (1, 3)), dtype=torch.float32)
        for kind, image in (("images", draw(height, colour)), ("normalized", draw(height, torch.zeros(1, 3)))):
            write_png(folder / kind / f"{k}.png", to_pixels(image[0]))
        rows.append(
            {
                "face_id": f"face{k}",
                "image": f"images/{k}.png",
                "normalized": f"normalized/{k}.png",
                "subject": f"s{k // each}",
                "success": 1.0,
                "split": "train" if k < 36 else "val" if k < 42 else "test",
                "AU12_r": float(height) * 5,
                "yaw": 0.0,
                "pitch": float(height),
                "roll": 0.0,
            }
        )
    frame = pd.DataFrame(rows)
    strings = ("face_id", "image", "normalized", "subject", "split")
    FaceTable(frame.astype({name: "str" for name in strings}), folder, TableMeta((), (12,), Alignment(SIZE), {})).save(
        folder
    )
    return folder


def test_the_teachers_of_a_configuration_are_measured(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "normalizer.yaml").write_text(TEACHERS)
    options = ["--teachers", str(tmp_path / "normalizer.yaml"), "--table", str(table), "--allow_code", "toy_world"]
    assert main(["gate", *options]) == 0
    shown = capsys.readouterr().out
    assert "18 faces of 3 unseen people, 32 pixels" in shown
    assert [name for name in ("ColourTeacher", "BarTeacher", "TiltTeacher") if f"\n{name}\n" not in shown] == []
    (line,) = (line for line in shown.splitlines() if "AU R², originals" in line)
    assert float(line.split()[-1]) > 0.5


def test_several_expression_teachers_can_be_named(tmp_path: Path) -> None:
    parts = "[{class_path: toy_world.BarTeacher}, {class_path: toy_world.BarTeacher}]"
    text = f"expression_teacher: {{class_path: CombinedExpression, init_args: {{teachers: {parts}, shares: [1, 3]}}}}"
    (tmp_path / "teachers.yaml").write_text(text)
    with only_code_of(["toy_world"]):
        (teacher,) = make_teachers(tmp_path / "teachers.yaml")
    assert isinstance(teacher, CombinedExpression)
    assert teacher.names == ("AU12", "AU12") and teacher.emphasis == (0.25, 0.75)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "ParserError"),
        ("trainer: {}", "none of them"),
        ("expression_teacher: {class_path: norface.teachers.TrainedIdentity}", "expression_teacher"),
        ("expression_teacher: {class_path: subprocess.Popen}", "--allow_code subprocess"),
        ("expression_teacher: {class_path: Blendshapes, init_args: {weights: nowhere}}", "mp_face_blendshapes.json"),
    ],
)
def test_mistakes_are_told(
    text: str, told: str, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "teachers.yaml").write_text(text)
    assert main(["gate", "--teachers", str(tmp_path / "teachers.yaml"), "--table", str(table)]) == USAGE
    assert told in capsys.readouterr().err
