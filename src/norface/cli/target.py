"""``norface target check``: is a picture fit to be the common face of a normalizer?"""

from __future__ import annotations

from pathlib import Path

from norface.errors import ConfigError


def check(*, image: Path, size: int = 64, landmarks: list[float] | None = None, teachers: Path | None = None) -> bool:
    """Look at a picture before a normalizer is trained to turn every face into it; exit with 1 where it is not fit.

    Pixels alone do not tell an expression, a raised or lowered head, or who it is: give landmarks and teachers, and
    look yourself.

    Args:
        image: A square crop that is aligned already or, with landmarks, any picture.
        size: Side in pixels of the faces that the normalizer shall make.
        landmarks: x and y of right eye, left eye, nose, right and left mouth corner, the subject's right first; such as
            '[120.5, 200, 181, 199.5, ...]'.
        teachers: YAML file that names teachers, as for norface gate: expression_teacher, head_pose_teacher.
    """
    import numpy as np

    from norface.cli.teachers import make_teachers
    from norface.evaluation.target import check_landmarks, check_pixels, check_teachers
    from norface.imaging.alignment import Alignment, place, warp
    from norface.imaging.files import read_image

    if size < 32:
        raise ConfigError(expected="at least 32 pixels", found=str(size), where="--size", action="Correct it.")
    pixels, alignment = read_image(image), Alignment(size)
    height, width = pixels.shape[:2]
    checks = []
    if landmarks is None:
        if height != width:
            raise ConfigError(
                expected="a square aligned crop, or the five landmarks of the face",
                found=f"a picture of {width} x {height} pixels",
                where=str(image),
                action="Give --landmarks, or crop it with norface data prepare.",
            )
        matrix = np.array([[size / width, 0.0, (size / width - 1) / 2], [0.0, size / width, (size / width - 1) / 2]])
    else:
        if len(landmarks) != 10:
            raise ConfigError(
                expected="ten numbers: x and y of five points",
                found=str(len(landmarks)),
                where="--landmarks",
                action="Give right eye, left eye, nose, right and left mouth corner.",
            )
        points = np.array(landmarks).reshape(5, 2)
        matrix = place(points, alignment)
        checks = check_landmarks(points)
    face = warp(pixels, matrix, size)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    made = [] if teachers is None else make_teachers(teachers)
    for teacher in made:
        teacher.aligned_as(alignment)
    checks = check_pixels(face, source_side=round(size / scale, 1), size=size) + checks + check_teachers(face, made)
    for one in checks:
        mark, sign = ("pass" if one.passed else "FAIL"), (">=" if one.least else "<=")
        advice = "" if one.passed else f"  {one.advice}"
        print(f"{mark}  {one.name:<32} {one.value:8.3f}  (must be {sign} {one.limit:g}){advice}")
    if teachers is None:
        print("not looked at: expression, and the head's pose beyond what is above; see --teachers")
    return all(one.passed for one in checks)
