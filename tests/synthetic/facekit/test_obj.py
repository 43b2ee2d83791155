from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from norface.errors import AssetError
from norface.synthetic.facekit import obj
from norface.synthetic.facekit.mesh import PARTS
from norface.synthetic.facekit.model import load_model
from norface.synthetic.facekit.obj import OWNERS_LAYOUT, read_folder
from small_facekit import small_arrays, small_layout, write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "FaceXModel")


def test_reads_what_the_packed_model_holds(folder: Path) -> None:
    mesh, arrays = read_folder(folder, small_layout()), small_arrays()[0]
    np.testing.assert_allclose(mesh.neutral, arrays["neutral"], atol=1e-5)
    np.testing.assert_allclose(mesh.identity_modes, arrays["id_modes"], atol=2e-3)
    assert list(mesh.expression_names) == arrays["ex_names"].tolist()
    np.testing.assert_allclose(mesh.expression_modes, arrays["ex_modes"].astype(np.float32), atol=2e-3)
    assert np.array_equal(mesh.triangles, arrays["tri"])
    assert np.array_equal(mesh.part, arrays["tri_part"])
    np.testing.assert_allclose(mesh.corner_uv, arrays["uv"][arrays["tri_uv"]], atol=1e-5)
    assert np.array_equal(mesh.landmarks, arrays["lmk68"])


def test_is_packed_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_folder(folder, small_layout())
    monkeypatch.setattr(obj, "pack", lambda *_: pytest.fail("packed again"))
    assert np.array_equal(read_folder(folder, small_layout()).expression_modes, first.expression_modes)


def test_a_changed_file_is_packed_again(folder: Path) -> None:
    read_folder(folder, small_layout())
    changed = folder / "jawOpen.obj"
    changed.write_text(changed.read_text().replace("v 0.0", "v 1.0"))
    before = small_arrays()[0]["ex_modes"]
    assert np.abs(read_folder(folder, small_layout()).expression_modes - before).max() > 0.9


def test_vertices_without_a_part_are_left_out(folder: Path) -> None:
    layout = small_layout()
    start, end = layout.ranges["gums"]
    ranges = layout.ranges | {"gums": (start + 3, end)}
    mesh = read_folder(folder, obj.Layout(layout.vertices, ranges, layout.landmarks))
    assert len(mesh.neutral) == layout.vertices - 3
    assert mesh.triangles.max() == len(mesh.neutral) - 1
    np.testing.assert_allclose(
        mesh.neutral[mesh.landmarks], small_arrays()[0]["neutral"][list(layout.landmarks)], atol=1e-5
    )


def test_a_broken_cache_is_made_again(folder: Path) -> None:
    first = read_folder(folder, small_layout())
    kept = obj._kept(folder, small_layout())
    assert kept is not None
    kept.write_bytes(kept.read_bytes()[:1000])
    assert np.array_equal(read_folder(folder, small_layout()).neutral, first.neutral)


def test_the_owners_layout_is_whole() -> None:
    ranges = [OWNERS_LAYOUT.ranges[name] for name in PARTS]
    assert all(a < b <= c for (a, b), (c, _) in pairwise(ranges))
    assert len(OWNERS_LAYOUT.landmarks) == 68
    assert ranges[-1][1] == OWNERS_LAYOUT.vertices


def damaged(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("jawOpen.obj", "v ", "# ", r"jawOpen.obj: expected \d+ vertices"),
        ("jawOpen.obj", ".", "x", "lines of 3 numbers"),
        ("identity001.obj", "\nv ", "\nv 1.0 ", "lines of 3"),
        ("generic_neutral_mesh.obj", "\nf ", "\nf 99999/1 ", "faces of"),
        ("generic_neutral_mesh.obj", "\nf ", "\nf 3 ", "vertex/texture pairs"),
    ],
)
def test_broken_files(folder: Path, name: str, old: str, new: str, message: str) -> None:
    damaged(folder, name, old, new)
    with pytest.raises(AssetError, match=message):
        read_folder(folder, small_layout())


def test_missing_files(folder: Path) -> None:
    (folder / "mouthSmile_L.obj").unlink()
    with pytest.raises(AssetError, match="none for mouthSmile_L"):
        read_folder(folder, small_layout())
    for path in folder.glob("identity*.obj"):
        path.unlink()
    with pytest.raises(AssetError, match=r"identity000\.obj"):
        read_folder(folder, small_layout())


def test_a_truncated_or_foreign_mesh_says_how_many_vertices_it_should_have(folder: Path) -> None:
    with pytest.raises(AssetError, match="expected 26719 vertices"):
        load_model(folder)
    with pytest.raises(AssetError, match="expected 26719 vertices"):
        load_model(folder.parent)
