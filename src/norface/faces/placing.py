"""How the crops of a data set are placed, and which of several faces is meant, where the user leaves it open."""

from __future__ import annotations

import numpy as np
import pandas as pd

from norface.data.readers.contract import DatasetInfo, Reading
from norface.errors import AlignmentError, ConfigError, DetectionError
from norface.faces.choose import Rule
from norface.faces.contract import Detector
from norface.faces.given import GivenFaces, WholePicture
from norface.faces.plan import GIVEN_COLUMNS
from norface.imaging.alignment import BOX, FIVE_POINTS, Alignment
from norface.labels import BOX_COLUMNS, LANDMARK_COLUMNS


def rule_for(rule: Rule | None, rows: pd.DataFrame) -> Rule:
    """The rule asked for; where none is, the labelled box if the data set knows boxes, else the largest face.

    Raises:
        ConfigError: ``label-box`` without any box.
    """
    boxes = _known(rows, BOX_COLUMNS)
    if rule == "label-box" and not boxes:
        raise ConfigError(
            expected=f"a data set whose rows have {', '.join(BOX_COLUMNS)}",
            found="none of these",
            where="--choose label-box",
            action="Choose `largest` or `central`.",
        )
    return rule if rule is not None else "label-box" if boxes else "largest"


def alignment_for(
    detector: Detector,
    reading: Reading,
    info: DatasetInfo,
    *,
    size: int,
    margin: float | None,
    drop: float | None,
    frame: str | None,
) -> Alignment:
    """The alignment of all crops of a data set.

    Faces with landmarks are aligned by five points, faces of which only boxes are known by these; crops that the owner
    made (detector ``none``) keep the owner's frame, or that which the user says they have.

    Raises:
        AlignmentError: Without a detector, and the images are no crops.
        DetectionError: The detector `table`, and the data set knows no faces.
        ConfigError: A margin for crops that the owner made, or a frame that is not the user's to choose.
    """
    known = reading.facts.get("frame")
    if frame is not None and (not isinstance(detector, WholePicture) or known or frame in {"", FIVE_POINTS, BOX}):
        raise ConfigError(
            expected="a name of your own, for images without a detector of which the data set does not know the frame",
            found=f"{frame!r}" + (f" for crops of the frame {known!r}" if known else ""),
            where="--frame",
            action="Leave it out, or give another name.",
        )
    if isinstance(detector, WholePicture):
        owner = known or frame
        if not isinstance(owner, str):
            raise _not_cropped(info, reading.rows)
        if margin is not None or drop is not None:
            raise ConfigError(
                expected="neither --margin nor --drop: the owner made these crops",
                found=", ".join(name for name, value in (("--margin", margin), ("--drop", drop)) if value is not None),
                where="--detector none",
                action="Leave them out, or choose a detector that aligns the faces anew.",
            )
        return Alignment(size, 0.0, 0.0, owner)
    return Alignment(
        size,
        Alignment.margin if margin is None else margin,
        Alignment.drop if drop is None else drop,
        FIVE_POINTS if _has_points(detector, reading.rows) else BOX,
    )


def _has_points(detector: Detector, rows: pd.DataFrame) -> bool:
    if not isinstance(detector, GivenFaces):
        return True
    if detector.file is None:
        if not (_known(rows, LANDMARK_COLUMNS) or _known(rows, BOX_COLUMNS)):
            raise DetectionError(
                expected=f"a data set whose rows have {', '.join(BOX_COLUMNS)} or {LANDMARK_COLUMNS[0]} ...",
                found="neither",
                where="--detector table",
                action="Name a file that has them (--faces), or look for faces: --detector yunet, retinaface, scrfd.",
            )
        return _known(rows, LANDMARK_COLUMNS)
    given = rows[[name for name in GIVEN_COLUMNS if name in rows.columns]]
    nothing = np.zeros((1, 1, 3), np.uint8)
    found = (detector.find(nothing, {str(k): v for k, v in row.items()}) for row in given.to_dict("records"))
    return any(face.points is not None for faces in found for face in faces)


def _known(rows: pd.DataFrame, columns: tuple[str, ...]) -> bool:
    """Whether some row has a value in all of these columns."""
    return set(columns) <= set(rows.columns) and bool(rows[list(columns)].notna().all(axis=1).any())


def _not_cropped(info: DatasetInfo, rows: pd.DataFrame) -> AlignmentError:
    kinds = {"landmarks": LANDMARK_COLUMNS, "boxes": BOX_COLUMNS}
    given = [name for name, columns in kinds.items() if _known(rows, columns)]
    table = f"--detector table uses the {' and '.join(given)} that come with it; " if given else ""
    return AlignmentError(
        expected="images that already are faces, all cropped in the same way",
        found=f"images of which the data set {info.name} does not say so",
        where="--detector none",
        action=f"Choose how faces are found: {table}--detector yunet, retinaface or scrfd look for them. If the images "
        "are cropped faces after all, name their kind: --frame my-crops.",
    )
