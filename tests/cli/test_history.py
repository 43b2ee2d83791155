from __future__ import annotations

from pathlib import Path

from norface.cli.history import CURVES, SET_ASIDE, join, set_aside


def test_rows_are_joined_and_repeated_steps_count_once(tmp_path: Path) -> None:
    (tmp_path / CURVES).write_text("step,loss\n1,9\n3,8\n5,7\n")
    set_aside(tmp_path, resuming=True)
    assert not (tmp_path / CURVES).exists()
    (tmp_path / CURVES).write_text("accuracy,loss,step\n,6,5\n0.5,,7\n")
    join(tmp_path)
    assert (tmp_path / CURVES).read_text().split() == ["accuracy,loss,step", ",9,1", ",8,3", ",6,5", "0.5,,7"]
    assert not (tmp_path / SET_ASIDE).exists()


def test_rows_of_several_interruptions_add_up(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        set_aside(tmp_path, resuming=True)
        (tmp_path / CURVES).write_text(f"step\n{step}\n")
    join(tmp_path)
    assert (tmp_path / CURVES).read_text().split() == ["step", "1", "2", "3"]


def test_half_written_row_is_dropped(tmp_path: Path) -> None:
    (tmp_path / CURVES).write_text("loss,step\n9,1\n8,2\n7")
    set_aside(tmp_path, resuming=True)
    join(tmp_path)
    assert (tmp_path / CURVES).read_text().split() == ["loss,step", "9,1", "8,2"]


def test_fresh_start_forgets(tmp_path: Path) -> None:
    (tmp_path / SET_ASIDE).write_text("step\n1\n")
    set_aside(tmp_path, resuming=False)
    join(tmp_path)
    assert not list(tmp_path.iterdir())
