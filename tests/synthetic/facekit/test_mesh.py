from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from norface.errors import AssetError
from norface.synthetic.facekit.mesh import PARTS, read_packed
from norface.synthetic.facekit.model import load_model
from norface.synthetic.facekit.modes import NEEDED
from norface.synthetic.facekit.rig import Rig
from small_facekit import small_arrays, write_packed


def test_reads_a_packed_model(tmp_path: Path) -> None:
    mesh = read_packed(write_packed(tmp_path / "model.npz"))
    arrays = small_arrays()[0]
    assert np.array_equal(mesh.neutral, arrays["neutral"])
    assert mesh.expression_modes.dtype == np.float32
    assert set(mesh.expression_names) >= NEEDED
    assert mesh.corner_uv.shape == (len(mesh.triangles), 3, 2)
    assert np.array_equal(mesh.corner_uv[5, 2], arrays["uv"][arrays["tri_uv"][5, 2]])
    assert set(np.unique(mesh.part)) == set(range(len(PARTS)))


def test_a_folder_that_holds_one_packed_model(tmp_path: Path) -> None:
    write_packed(tmp_path / "model.npz")
    assert np.array_equal(load_model(tmp_path).neutral, small_arrays()[0]["neutral"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tri_uv": None}, "an array 'tri_uv'"),
        ({"id_modes": np.zeros((4, 7, 3), np.float16)}, r"id_modes: \d+ x \d+ x 3, found 4 x 7 x 3"),
        ({"neutral": np.zeros((5, 2), np.float32)}, "neutral: 5 x 3, found 5 x 2"),
        ({"ex_names": np.array(["jawOpen"])}, "ex_names: "),
        ({"uv": np.zeros((9, 2), np.float32)}, "tri_uv: indices from 0 to 8"),
        ({"lmk68": np.full(68, 99999, np.int32)}, "lmk68: indices"),
        ({"lmk68": np.zeros(68, np.float32)}, "lmk68: whole numbers, found float32"),
        ({"part_names": np.array([str(k) for k in range(len(PARTS))])}, "part_names: face, head"),
    ],
)
def test_broken_arrays(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write_packed(tmp_path / "model.npz", **changes)
    with pytest.raises(AssetError, match=message) as raised:
        read_packed(path)
    assert "model.npz" in raised.value.where


def test_numbers_that_are_none(tmp_path: Path) -> None:
    neutral = small_arrays()[0]["neutral"].copy()
    neutral[3, 1] = np.nan
    with pytest.raises(AssetError, match="neutral: finite"):
        read_packed(write_packed(tmp_path / "model.npz", neutral=neutral))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.98])
def test_truncated_files(tmp_path: Path, share: float) -> None:
    path = write_packed(tmp_path / "model.npz")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(AssetError, match=r"a packed face model \(\.npz\)"):
        read_packed(path)


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="nothing there"):
        load_model(tmp_path / "elsewhere")
    with pytest.raises(AssetError, match=r"0 \.npz files"):
        load_model(tmp_path)


def test_a_model_that_lacks_a_mode(tmp_path: Path) -> None:
    arrays = small_arrays()[0]
    kept = arrays["ex_names"] != "jawOpen"
    path = write_packed(tmp_path / "model.npz", ex_names=arrays["ex_names"][kept], ex_modes=arrays["ex_modes"][kept])
    with pytest.raises(AssetError, match="none named jawOpen"):
        Rig(read_packed(path), side=128)
