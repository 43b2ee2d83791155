"""Pictures of the target's person in many expressions, for a normalizer that is told nobody else's answer.

The true normalized face of a photograph is unknown. What the target's person looks like in an expression is known all
the same, as that person is drawn: such a picture is an original whose answer is the picture itself, and an example of
what the discriminator shall take for real.
"""

from __future__ import annotations

from pathlib import Path

from rich.progress import track

from norface.imaging.files import write_png
from norface.synthetic.factors import FaceSource, Row
from norface.synthetic.rows import face_row

TARGET_SUBJECT = "target"
TARGET_SPLIT = "normalizer"


def draw_target_person(source: FaceSource, out: Path, count: int, *, progress: bool = True) -> list[Row]:
    """Draw `count` pictures below `out`, those that are not there yet; the rows of the face table."""
    numbers = track(range(count), description="drawing the target's person", disable=not progress)
    return [_draw(source, out, number) for number in numbers]


def _draw(source: FaceSource, out: Path, number: int) -> Row:
    factors, face_id = source.target_factors(number), f"{TARGET_SUBJECT}_{number:05d}"
    image = f"normalized/{face_id}.png"
    if not (out / image).is_file():
        write_png(out / image, source.normalized(factors))
    return face_row(
        subject=TARGET_SUBJECT,
        face_id=face_id,
        split=TARGET_SPLIT,
        image=image,
        normalized=image,
        landmarks=[round(float(value), 3) for value in source.normalized_landmarks(factors).ravel()],
        factors=factors,
        aus=source.aus,
        own=source.columns(factors),
    )
