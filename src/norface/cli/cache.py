"""``norface cache build|verify|stats|export``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


def verify(cache: Path) -> bool:
    """Check every byte of a cache against its checksums.

    Args:
        cache: Folder with manifest.json.

    Returns:
        Whether all is as it was written.
    """
    from norface.cache.verify import verify as find_problems

    problems = find_problems(cache)
    for problem in problems:
        print(f"{problem.file}: {problem.message}")
    print(f"{len(problems)} problems in {cache}" if problems else f"{cache} is as it was written")
    return not problems


def stats(cache: Path) -> None:
    """Print size, parents and quality figures of a cache as JSON.

    Args:
        cache: Folder with manifest.json.
    """
    from norface.cache.verify import stats as sum_up

    print(json.dumps(sum_up(cache), indent=2))


def export(cache: Path, out: Path) -> None:
    """Write every normalized face of a cache as a PNG file, with index.csv beside them.

    Args:
        cache: Folder with manifest.json.
        out: Folder for the images.
    """
    from norface.cache.verify import export as write_images

    print(f"{write_images(cache, out)} images in {out}")


@dataclass(frozen=True)
class Devices:
    """Where to build, as Lightning's Trainer names it.

    Args:
        accelerator: Kind of device: auto, cpu, gpu, ...
        devices: Processes on each node, one for each device; -1: one for each device there is.
        num_nodes: Machines.
    """

    accelerator: str = "auto"
    devices: int = 1
    num_nodes: int = 1


def build(
    *,
    normalizer: list[Path] | Path,
    table: Path,
    out: Path,
    identity: Path | None = None,
    expression: Path | None = None,
    splits: list[str] | None = None,
    batch_size: int = 64,
    encoding: Literal["raw", "png"] = "raw",
    shard_size: int = 512,
    workers: int | None = None,
    trainer: Devices = Devices(),
) -> None:
    """Normalize every face once; started again after an interruption, it goes on where it stopped.

    Shards that are there are checked byte by byte, and faces that failed are tried again.

    Args:
        normalizer: Checkpoint of the normalizer. Several, such as --normalizer '[a.ckpt, b.ckpt]', are cross-fitted:
            each face is normalized by one that was not trained on its person.
        table: Folder with faces.parquet, or a CSV or Parquet file.
        out: Folder of caches; this one gets a folder of its own in it, named after its parents.
        identity: Checkpoint of an identity teacher, which measures how like the target each face has become.
        expression: Checkpoint of an expression teacher, which measures how much each expression has changed.
        splits: Whose faces; without it, train, val and test.
        batch_size: Faces normalized at once.
        encoding: How images are stored: raw is the fastest to read, png the smallest; both are exact.
        shard_size: Faces in a file, which is what a killed process may lose; a finished cache keeps its own.
        workers: Threads of each process that read, encode and write; without it, its share of the cores.
        trainer: Processes and devices; see docs/scale.md for several machines.
    """
    from norface.cli.launching import processes
    from norface.data.caching import build_cache, cores
    from norface.data.table import FaceTable
    from norface.normalizer.inference import load_normalizers
    from norface.teachers import TrainedExpression, TrainedIdentity

    with processes(trainer.accelerator, devices=trainer.devices, num_nodes=trainer.num_nodes) as together:
        trained = load_normalizers(
            [str(path) for path in (normalizer if isinstance(normalizer, list) else [normalizer])],
            identity_teacher=TrainedIdentity(str(identity)) if identity else None,
            expression_teacher=TrainedExpression(str(expression)) if expression else None,
        )
        cache = build_cache(
            FaceTable.load(table),
            trained,
            out,
            alignment=trained.alignment,
            batch_size=batch_size,
            splits=splits,
            encoding=encoding,
            shard_size=shard_size,
            thorough=True,
            processes=together,
            workers=workers or cores(together.world_size // trainer.num_nodes),
        )
        if together.global_rank == 0:
            print(f"{cache.manifest.faces} normalized faces ({cache.manifest.failed} failed) in {cache.folder}")
