"""Labels become rows step by step, and every row that is lost on the way is remembered with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from norface.data.readers.contract import Reading, Skipped
from norface.data.readers.layout import IMAGE_SUFFIXES, Listing, join
from norface.data.readers.parsing import code
from norface.data.readers.reasons import (
    CONTRADICTION,
    DUPLICATE,
    IMAGE_WITHOUT_LABEL,
    LABEL_WITHOUT_IMAGE,
    UNREADABLE,
    unknown_code,
)


def codes(texts: Iterable[str]) -> pd.Series:
    """Codes of a label file as whole numbers, None where the text is no whole number."""
    return pd.Series([code(text) for text in texts], dtype=object)  # object: None would make floats of them


class Sieve:
    """Rows of labels.

    Args:
        rows: Columns ``place`` (file and line of the label), ``image`` (path as the label file has it, relative to the
            root) and whatever else is known.
        skipped: What was left out before.
    """

    def __init__(self, rows: pd.DataFrame, skipped: Iterable[Skipped] = ()) -> None:
        self.rows = rows.reset_index(drop=True)
        self.skipped = list(skipped)
        self._labelled: set[str] = set()

    def leave_out(self, bad: NDArray[np.bool_], why: str | Sequence[str]) -> None:
        """Remove rows.

        Args:
            bad: ``(N,)`` which.
            why: The reason, or one for each of all N rows.
        """
        if not bad.any():
            return
        reasons = [why] * len(bad) if isinstance(why, str) else why
        places = self.rows["place"].tolist()
        self.skipped += [Skipped(places[row], reasons[row]) for row in np.flatnonzero(bad).tolist()]
        self.rows = self.rows[~bad].reset_index(drop=True)

    def find_images(self, listing: Listing) -> None:
        """Spell ``image`` as it is on disk; a row whose image is not there is left out."""
        found = listing.find_all(self.rows["image"].tolist())
        self._labelled |= {path for path in found if path is not None}
        self.rows = self.rows.assign(image=pd.Series(found, dtype="str"))
        self.leave_out(np.array([path is None for path in found], bool), LABEL_WITHOUT_IMAGE)

    def name_emotions(self, names: Mapping[int, str], left_out: Mapping[int, str] | None = None) -> None:
        """Turn the column ``code`` (see `codes`) into ``emotion``.

        Args:
            names: Emotion of each code.
            left_out: Codes whose faces are left out on purpose, with the reason. Any other code is unknown.
        """
        found = self.rows["code"].tolist()
        reasons = {one: UNREADABLE if one is None else unknown_code(one) for one in set(found)}
        reasons |= dict(left_out or {})
        named = [names.get(one) for one in found]
        self.rows = self.rows.drop(columns="code").assign(emotion=pd.Series(named, dtype="str"))
        self.leave_out(np.array([name is None for name in named], bool), [reasons[one] for one in found])

    def settle_duplicates(self, face: Sequence[str], labels: Sequence[str]) -> None:
        """Of rows about the same face, keep the first where their labels agree, and none where they do not.

        Args:
            face: Columns that together name a face.
            labels: Columns that must agree.
        """
        if self.rows.empty:
            return
        versions = (~self.rows.duplicated([*face, *labels])).groupby([self.rows[name] for name in face])
        contradictory = versions.transform("sum").to_numpy() > 1
        later = self.rows.duplicated(list(face)).to_numpy(bool)
        self.leave_out(contradictory | later, np.where(contradictory, CONTRADICTION, DUPLICATE).tolist())

    def count_unlabelled(self, listing: Listing, folders: Iterable[str]) -> None:
        """Remember the images in some folders that no label names."""
        for folder in folders:
            true = listing.find(folder) or folder
            paths = [join(true, name) for name in listing.files(folder, IMAGE_SUFFIXES)]
            self.skipped += [Skipped(path, IMAGE_WITHOUT_LABEL) for path in paths if path not in self._labelled]

    def name_faces(self, face_ids: Iterable[str]) -> None:
        """Set ``face_id``; the path is added to names that two images share, as ``a.jpg`` and ``a.png`` do."""
        ids = pd.Series(list(face_ids), dtype="str")
        images = self.rows["image"].astype("str")  # pandas takes an empty column for one of numbers
        self.rows = self.rows.assign(face_id=ids.where(~ids.duplicated(keep=False), ids + " " + images))

    def reading(self, facts: Mapping[str, object]) -> Reading:
        """The rows that are left, without ``place``; where nobody names the subject, every face is its own."""
        rows = self.rows.drop(columns="place")
        if "subject" not in rows.columns:
            rows = rows.assign(subject=rows["face_id"])
        first = [c for c in ("face_id", "image", "subject", "split", "emotion") if c in rows.columns]
        return Reading(rows[[*first, *(c for c in rows.columns if c not in first)]], tuple(self.skipped), facts)
