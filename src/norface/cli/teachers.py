"""``norface gate --teachers``: can the teachers of a normalizer read originals and true normalized faces alike?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from norface.errors import ConfigError

if TYPE_CHECKING:
    from norface.teachers import Teacher

KINDS = ("identity_teacher", "expression_teacher", "head_pose_teacher")


def gate_teachers(
    *, teachers: Path, table: Path, image_size: int | None = None, train_split: str = "train", seed: int = 0
) -> None:
    """Measure teachers before a normalizer is trained with them, on people of the test split.

    An expression teacher is judged by the action units that a ridge regression on training people reads from it, and by
    how well its outputs agree between original and true normalized face; an identity teacher by the similarity of faces
    of one person and of different ones; a head-pose teacher by its correlation with the table's yaw, pitch and roll.

    Args:
        teachers: Configuration of a normalizer whose model names teachers, or a YAML file with identity_teacher,
            expression_teacher, head_pose_teacher.
        table: Folder with faces.parquet, or a CSV or Parquet file.
        image_size: Side of the faces in pixels; without it, the table's own.
        train_split: Split whose people the regression learns from.
        seed: Of the order in which they are read.
    """
    from norface.data.datamodule import FaceDataModule
    from norface.data.table import FaceTable
    from norface.evaluation.teachers import judge_expression, judge_head_pose, judge_identity, known_faces
    from norface.teachers import ExpressionTeacher, HeadPoseTeacher, IdentityTeacher

    made = make_teachers(teachers)
    source: Literal["truth", "none"] = "truth" if FaceTable.load(table).has_normalized else "none"
    data = FaceDataModule(str(table), image_size=image_size, train_split=train_split, seed=seed, source=source)
    data.prepare_data()
    data.setup()
    for teacher in made:
        teacher.aligned_as(data.alignment)
    test, target = known_faces(data, "test"), data.target[None] if data.knows_truth else None
    print(f"{len(test.original)} faces of {len(test.subject.unique())} unseen people, {data.alignment.size} pixels")
    for teacher in made:
        print(f"\n{type(teacher).__name__}")
        if isinstance(teacher, ExpressionTeacher):
            rows = judge_expression(teacher, known_faces(data, "train"), test)
        elif isinstance(teacher, IdentityTeacher):
            rows = judge_identity(teacher, test, target)
        else:
            assert isinstance(teacher, HeadPoseTeacher)
            rows = judge_head_pose(teacher, test, target)
        for name, value in rows:
            print(f"  {name:<64} {value:7.3f}")


def make_teachers(path: Path) -> list[Teacher]:
    """Build the teachers that a file names, one of each kind at most.

    Raises:
        ConfigError: The file is missing, no YAML, or names no teacher.
    """
    import norface.teachers  # short class names
    from norface.cli.allowed_code import check_classes
    from norface.cli.parsing import Parser

    try:
        described: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise _unusable(path, f"{type(error).__name__}: {' '.join(str(error).split())[:160]}") from error
    for key in ("model", "init_args"):
        if isinstance(described, Mapping) and isinstance(described.get(key), Mapping):
            described = described[key]
    named = {k: described[k] for k in KINDS if described.get(k)} if isinstance(described, Mapping) else {}
    if not named:
        raise _unusable(path, "none of them")
    parser = Parser(prog="norface gate --teachers")
    bases = (norface.teachers.IdentityTeacher, norface.teachers.ExpressionTeacher, norface.teachers.HeadPoseTeacher)
    for kind, base in zip(KINDS, bases, strict=True):
        parser.add_argument(f"--{kind}", type=base | None, default=None)
    parsed = parser.parse_object(named)
    check_classes(parsed)
    built = parser.instantiate(parsed)
    return [built[kind] for kind in KINDS if built[kind] is not None]


def _unusable(path: Path, found: str) -> ConfigError:
    return ConfigError(
        expected=f"a YAML file that names {', '.join(KINDS)}, at the top or under model.init_args",
        found=found,
        where=str(path),
        action="Name at least one, such as expression_teacher: {class_path: norface.teachers.Blendshapes}.",
    )
