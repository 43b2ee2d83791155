"""``norface faces draw``: a data set out of nothing; ``norface faces triplets``: comparisons of its expressions."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from norface.synthetic.facekit.capture import Photography

DEFAULT_SUBJECTS = 200


def draw(
    *,
    out: Path,
    subjects: int | None = None,
    faces_per_subject: int = 24,
    size: int = 64,
    seed: int = 0,
    processes: int | None = None,
    splits: dict[str, int] | None = None,
    faces_per_split: dict[str, int] | None = None,
    target_faces: int = 0,
    source: Literal["procedural", "facekit"] = "procedural",
    assets: Path | None = None,
    photo: Photography | None = None,
) -> None:
    """Draw the built-in faces: images, true normalized faces and the face table.

    The same options give the same pixels, whatever the number of processes.

    Args:
        out: Folder for images and table.
        subjects: How many people; the sum of the splits where those are given, else 200.
        faces_per_subject: How many faces of each; a multiple of 8 balances the emotions.
        size: Side of the images in pixels, 32 to 256.
        seed: Which people and which faces.
        processes: Worker processes; without it, one per CPU core.
        splits: Subjects per split, such as --splits.normalizer 140 --splits.train 16; without it the table has none,
            and each stage splits by seed.
        faces_per_split: Faces of each subject of a split, where it differs, such as --faces_per_split.normalizer 12.
        target_faces: Above 0: so many pictures of the target's person join the split normalizer, and the true
            normalized faces of its other people are left out of the table. With --subjects 0 there is nobody else.
        source: procedural needs no files; facekit looks like real people and needs --assets.
        assets: ICT-FaceKit's FaceXModel folder, or a packed .npz of it.
        photo: What the originals of facekit suffer from: blur, compression and the like.
    """
    from norface.synthetic import draw_faces

    written = draw_faces(
        out,
        subjects=DEFAULT_SUBJECTS if subjects is None and not splits else subjects,
        faces_per_subject=faces_per_subject,
        size=size,
        seed=seed,
        processes=processes,
        splits=splits,
        faces_per_split=faces_per_split,
        target_faces=target_faces,
        source=source,
        assets=assets,
        photo=photo,
    )
    print(f"face table: {written}")


def triplets(*, table: Path, out: Path, per_face: float = 3.0, seed: int = 0) -> None:
    """Write triplets of faces of a table whose action units are known, to train an expression teacher with them.

    Of three faces of one split, the two whose action units lie closest together are alike; where that is no clear
    case, the triplet is left out.

    Args:
        table: Folder with faces.parquet, or a CSV or Parquet file.
        out: CSV file to write.
        per_face: How many triplets are drawn for each face.
        seed: Which.
    """
    from norface.data.table import FaceTable
    from norface.data.triplets import draw_triplets
    from norface.imaging.files import write_atomically

    drawn = draw_triplets(FaceTable.load(table), per_face=per_face, seed=seed)
    write_atomically(out, drawn.to_csv(index=False).encode())
    print(f"{len(drawn)} triplets: {out}")
