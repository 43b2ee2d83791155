"""ExpW: 91,793 faces in photographs from the web, each with a box and one of seven emotions.

Zhang, Luo, Loy, Tang, "From facial expression recognition to interpersonal relation prediction", IJCV 2018,
http://mmlab.ie.cuhk.edu.hk/projects/socialrelation/index.html.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from norface.data.readers.checked import CheckedReader
from norface.data.readers.contract import DatasetInfo, Problem, Reading
from norface.data.readers.layout import Listing, missing
from norface.data.readers.parsing import number, read_labels
from norface.data.readers.reasons import IMPOSSIBLE_BOX
from norface.data.readers.sieve import Sieve, codes
from norface.labels import BOX_COLUMNS

LABELS = "label/label.lst"
IMAGES = "image/origin"
EMOTIONS_BY_CODE = {0: "anger", 1: "disgust", 2: "fear", 3: "happy", 4: "sad", 5: "surprise", 6: "neutral"}
_SIDES = ("top", "left", "right", "bottom")  # in this order
_COLUMNS = (
    *("image_name", "face_id_in_image"),
    *(f"face_box_{side}" for side in _SIDES),
    *("face_box_cofidence", "expression_label"),  # sic
)


class Expw(CheckedReader):
    """Reads ExpW. Several faces may share an image; the owner's confidence in a box is ``box_confidence``."""

    info = DatasetInfo(
        name="expw",
        title="ExpW (Expression in-the-Wild)",
        tasks=("fer",),
        licence="non-commercial research",
        source="http://mmlab.ie.cuhk.edu.hk/projects/socialrelation/index.html",
        tree="""\
ExpW/
  label/label.lst
  image/origin/<name>.jpg ...""",
        emotions=("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger"),
        literature={"faces": 91_793},
        subjects_known=False,
    )

    def marks(self) -> tuple[str, ...]:
        """See `CheckedReader`."""
        return (LABELS, IMAGES)

    def layout(self, listing: Listing) -> tuple[Problem, ...]:
        """See `CheckedReader`."""
        return (
            *missing(listing, LABELS, "the label file", "Copy label.lst there."),
            *missing(listing, IMAGES, "the images", "Unpack all parts of the image archive there."),
        )

    def rows(self, listing: Listing) -> Reading:
        """See `CheckedReader`."""
        path = listing.find(LABELS) or LABELS
        numeric = (*_COLUMNS[2:6], "expression_label")
        labels = read_labels(listing.root, path, _COLUMNS, separator=None, numeric=numeric)
        sides = {
            side: np.array([number(text) for text in labels.columns[f"face_box_{side}"]], np.float64) for side in _SIDES
        }
        names = labels.columns["image_name"]
        frame = pd.DataFrame(
            {
                "place": [labels.place(row) for row in range(len(labels))],
                "image": [f"{IMAGES}/{name}" for name in names],
                "name": [name.rpartition(".")[0] or name for name in names],
                "face": labels.columns["face_id_in_image"],
                "code": codes(labels.columns["expression_label"]),
                "box_left": sides["left"],
                "box_top": sides["top"],
                "box_width": sides["right"] - sides["left"],
                "box_height": sides["bottom"] - sides["top"],
                "box_confidence": [number(text) for text in labels.columns["face_box_cofidence"]],
            }
        )
        sieve = Sieve(frame, labels.skipped)
        sieve.find_images(listing)
        sieve.settle_duplicates(["image", "face"], ["code", *BOX_COLUMNS])
        empty = (sieve.rows["box_width"] <= 0) | (sieve.rows["box_height"] <= 0)
        sieve.leave_out(empty.to_numpy(bool), IMPOSSIBLE_BOX)
        sieve.name_emotions(EMOTIONS_BY_CODE)
        sieve.name_faces(sieve.rows["name"] + "_" + sieve.rows["face"])
        sieve.rows = sieve.rows.drop(columns=["name", "face"])
        sieve.count_unlabelled(listing, (IMAGES,))
        return sieve.reading({})
