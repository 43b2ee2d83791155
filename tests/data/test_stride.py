from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from norface.data.stride import EveryNth, sequences
from norface.errors import ConfigError


def frame(images: list[str], subject: str = "s", **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"image": images, "subject": subject, "success": 1.0, **columns})


def groups(of: pd.DataFrame) -> list[list[int]]:
    return sorted(list(rows) for rows in of.groupby(sequences(of), sort=False).indices.values())


def test_sequences_are_videos_or_folders_of_one_person() -> None:
    images = ["v/a.avi#0", "v/a.avi#1", "v/b.avi#0", "F001/T1/1.jpg", "F001/T1/2.jpg", "F001/T2/1.jpg"]
    assert groups(frame(images)) == [[0, 1], [2], [3, 4], [5]]
    archived = ["F001.zip!F001/T1/1.jpg", "F001.zip!F001/T1/2.jpg", "F001.zip!1.jpg", "F001.zip!2.jpg"]
    assert groups(frame(archived)) == [[0, 1], [2, 3]]
    flat = frame(["1.jpg", "2.jpg", "3#1.jpg"])
    assert groups(flat) == [[0, 1, 2]]
    assert groups(flat.assign(subject=["a", "b", "a"])) == [[0, 2], [1]]


def test_the_source_of_a_crop_and_a_column_of_ones_own_go_first() -> None:
    crops = [f"images/{k}.png" for k in range(4)]
    made = frame(crops, source=["a.avi#0", "a.avi#9", "b.avi#0", "b.avi#1"])
    assert groups(made) == [[0, 1], [2, 3]]
    assert groups(made.assign(sequence=["x", "y", "x", np.nan])) == [[0, 2], [1], [3]]


def test_the_first_and_every_nth_usable_face_is_kept() -> None:
    faces = frame([f"a.avi#{k}" for k in range(6)] + [f"b.avi#{k}" for k in range(2)])
    assert np.flatnonzero(EveryNth(3).kept(faces)).tolist() == [0, 3, 6]
    assert EveryNth(1).kept(faces).all()
    failed = faces.assign(success=[0, 0, 1, 1, 0, 1, 1, 1])
    assert np.flatnonzero(EveryNth(2).kept(failed)).tolist() == [2, 5, 6]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.booleans()), min_size=1, max_size=40),
    st.integers(1, 7),
)
def test_every_sequence_keeps_its_share(rows: list[tuple[str, str, bool]], every: int) -> None:
    faces = pd.DataFrame(
        {
            "image": [f"{video}.avi#{k}" for k, (_, video, _) in enumerate(rows)],
            "subject": [subject for subject, _, _ in rows],
            "success": [float(usable) for *_, usable in rows],
        }
    )
    kept = EveryNth(every).kept(faces)
    assert not kept[faces["success"] == 0].any()
    for key in {(subject, video) for subject, video, _ in rows}:
        of = [k for k, row in enumerate(rows) if row[:2] == key and row[2]]
        assert [k for k in of if kept[k]] == of[::every]


def test_impossible_stride() -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        EveryNth(0)
