"""Find a FaceKit model where the user says it is."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from norface.errors import AssetError
from norface.synthetic.facekit.mesh import FaceMesh, read_packed
from norface.synthetic.facekit.obj import NEUTRAL_FILE, read_folder

_INSIDE = ("", "FaceXModel")


@lru_cache(maxsize=2)
def load_model(assets: Path) -> FaceMesh:
    """Read a model.

    Args:
        assets: A packed ``.npz``; a folder that holds exactly one; or the owner's ``FaceXModel`` folder or the one that
            holds it, which is packed once into norface's cache folder.

    Raises:
        AssetError: There is no model, or it is incomplete or damaged.
    """
    if assets.is_file():
        return read_packed(assets)
    for name in _INSIDE:
        if (assets / name / NEUTRAL_FILE).is_file():
            return read_folder(assets / name)
    packed = sorted(assets.glob("*.npz"))
    if len(packed) == 1:
        return read_packed(packed[0])
    found = "nothing there" if not assets.exists() else f"{len(packed)} .npz files and no {NEUTRAL_FILE}"
    raise AssetError(
        expected=f"a packed face model (.npz), or a FaceXModel folder with {NEUTRAL_FILE}",
        found=found,
        where=str(assets),
        action="Get ICT-FaceKit (github.com/ICT-VGL/ICT-FaceKit, MIT) and name its FaceXModel folder.",
    )
