"""``norface data prepare``: an owner's folder becomes a face table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from norface.faces.merging import Prepared


def prepare(
    *,
    dataset: str,
    root: Path,
    out: Path,
    detector: Literal["none", "retinaface", "scrfd", "yunet", "table"] = "none",
    choose: Literal["largest", "central", "label-box"] | None = None,
    size: int = 112,
    margin: float | None = None,
    drop: float | None = None,
    frame: str | None = None,
    format: Literal["png", "jpeg"] = "png",
    weights: Path | None = None,
    score: float | None = None,
    device: str | None = None,
    faces: Path | None = None,
    processes: int | None = None,
    reader: dict[str, Any] | None = None,
) -> bool:
    """Find and align every face of a data set, and write its face table. Interrupted, the same command goes on.

    Nothing is written into the owner's folder. Images without a face stay in the table with success 0; skipped.csv
    lists them, and everything that was left out, with the reason.

    Args:
        dataset: Which data set; `norface data list` names them.
        root: The folder as its owner delivers it.
        out: Folder for faces.parquet, faces.json, images/, prepare.json and skipped.csv.
        detector: What finds faces. none: the images are the owner's own crops. table: boxes or landmarks that come
            with the data set, or that --faces names. The others are networks, see --weights.
        choose: Which of several faces is meant; without it, the one at the labelled box where the data set has boxes,
            else the largest.
        size: Side of the crops in pixels.
        margin: Border around ArcFace's crop (or the box), as a share of its side; 0.05 without it.
        drop: How far the crop is moved down, likewise; 0.1 without it.
        frame: For --detector none, where the data set does not know it: a name for the kind of crops that your images
            are, such as my-crops. Tables of different kinds never mix.
        format: Of the crops; png is lossless, jpeg (quality 95) needs about a third of the space.
        weights: Network file of the detector, or the folder that has it; without it, the folder NORFACE_WEIGHTS.
        score: Least confidence of a face, 0 to 1.
        device: Where the network of retinaface or scrfd runs, cpu or cuda; cpu without it.
        faces: For --detector table: CSV or Parquet file with boxes or landmarks, by face_id or image.
        processes: Worker processes; without it, one per CPU core.
        reader: Options of the data set's reader, such as --reader.classes 7; `norface data list --dataset NAME` lists
            them.

    Returns:
        Whether there is any face that can be used.
    """
    from functools import partial

    from norface.cli.datasets import make_reader
    from norface.faces.detectors import make_detector
    from norface.faces.prepare import prepare as run

    made, options = make_reader(dataset, reader or {}, prog="norface data prepare")
    prepared = run(
        made,
        root,
        out,
        options=options,
        detector=partial(make_detector, detector, weights=weights, score=score, device=device, file=faces),
        rule=choose,
        size=size,
        margin=margin,
        drop=drop,
        frame=frame,
        image_format=format,
        processes=processes,
    )
    _print_result(prepared, made.info.title, out)
    return prepared.usable > 0


def _print_result(prepared: Prepared, title: str, out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(title)
    shown = Table(show_header=False)
    shown.add_column()
    shown.add_column(justify="right")
    shown.add_row("faces in the table", f"{prepared.faces:,}")
    shown.add_row("  with a crop", f"{prepared.usable:,}")
    for why, count in prepared.not_usable.items():
        shown.add_row(f"  without (success 0): {why}", f"{count:,}")
    shown.add_section()
    shown.add_row("left out", f"{sum(prepared.skipped.values()):,}")
    for why, count in prepared.skipped.items():
        shown.add_row(f"  {why}", f"{count:,}")
    console.print(shown)
    if prepared.not_usable or prepared.skipped:
        console.print(f"Each of them is listed in {out / 'skipped.csv'}.", soft_wrap=True)
    if not prepared.new:
        console.print("Nothing was left to do.")
    console.print(f"Face table: {out}. Look at it: norface data stats {out}", soft_wrap=True)
