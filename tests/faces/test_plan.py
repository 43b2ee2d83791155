from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import norface.faces.plan as plan_module
from norface.faces.plan import Plan, crop_paths


def plan_of(images: list[str], **columns: object) -> Plan:
    rows = pd.DataFrame({"face_id": [f"f{k}" for k in range(len(images))], "image": images})
    return Plan(rows.assign(**columns), ".png")  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a.avi", "b.mp4", ""]), st.integers(0, 30)), min_size=1, max_size=60))
def test_every_row_is_in_one_part_and_frames_ascend(images: list[tuple[str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_module, "PART_ROWS", 7)
        plan = plan_of([f"{video}#{k}" if video else f"image{k}.png" for video, k in images])
    parts = [part for job in plan.jobs for part in job.parts]
    assert [part.number for part in parts] == list(range(len(parts)))
    assert sorted(np.concatenate([part.rows for part in parts]).tolist()) == list(range(len(images)))
    assert all(len(part.rows) <= 7 for part in parts)
    for job in plan.jobs:
        items = [item for part in job.parts for item in plan.items(part)]
        assert job.video is not None or len(job.parts) == 1
        assert {images[item.row][0] for item in items} == {job.video or ""}
        frames = [item.frame for item in items if item.frame is not None]
        assert frames == sorted(frames)
        assert len(frames) == (len(items) if job.video else 0)
    videos = [job.video for job in plan.jobs if job.video]
    assert len(videos) == len(set(videos))


def test_items_carry_what_the_row_says_of_its_face() -> None:
    plan = plan_of(["a.png", "b.png"], box_left=[1.0, np.nan], emotion="sad")
    first, second = plan.items(plan.jobs[0].parts[0])
    assert first.given == {"face_id": "f0", "image": "a.png", "box_left": 1.0}
    assert np.isnan(second.given["box_left"])  # type: ignore[call-overload]
    assert (second.row, second.image, second.frame, second.crop) == (1, "b.png", None, "images/00000/f1.png")


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=120), unique=True, max_size=40))
def test_names_of_crops_are_unique_where_case_is_ignored_and_stay_inside(names: list[str]) -> None:
    paths = crop_paths(names, ".png")
    assert len({path.casefold() for path in paths}) == len(names)
    for path in paths:
        folder, number, name = path.split("/")
        assert (folder, number) == ("images", "00000")
        assert not name.startswith(".")
        assert len(name.encode()) <= 255
        assert not set(name) & set('\\/:*?"<>|\0\n')


def test_names_of_crops_are_readable() -> None:
    names = ["F001_T1_2440", "Zoë/émotion 1", "a/b", "a_b", "A_B", "..", ""]
    assert crop_paths(names, ".png") == [
        "images/00000/F001_T1_2440.png",
        "images/00000/Zoë_émotion_1.png",
        "images/00000/a_b.png",
        "images/00000/a_b-3.png",
        "images/00000/A_B-4.png",
        "images/00000/face.png",
        "images/00000/face-6.png",
    ]
    assert crop_paths(map(str, range(2001)), ".jpg")[-1] == "images/00015/2000.jpg"
