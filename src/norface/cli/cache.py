"""``norface cache build|verify|stats|export``."""

from __future__ import annotations

import json
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


def build(
    *,
    normalizer: Path,
    table: Path,
    out: Path,
    identity: Path | None = None,
    expression: Path | None = None,
    splits: list[str] | None = None,
    batch_size: int = 64,
    encoding: Literal["raw", "png"] = "raw",
    rank: int = 0,
    world_size: int = 1,
) -> None:
    """Normalize every face once; started again after an interruption, it goes on where it stopped.

    Args:
        normalizer: Checkpoint of the normalizer.
        table: Folder with faces.parquet, or a CSV or Parquet file.
        out: Folder of caches; this one gets a folder of its own in it, named after its parents.
        identity: Checkpoint of an identity teacher, which measures how like the target each face has become.
        expression: Checkpoint of an expression teacher, which measures how much each expression has changed.
        splits: Whose faces; without it, train, val and test.
        batch_size: Faces normalized at once.
        encoding: How images are stored: raw is the fastest to read, png the smallest; both are exact.
        rank: This process among those that build the same cache, from 0.
        world_size: How many processes build the same cache.
    """
    from norface.data.caching import build_cache
    from norface.data.table import FaceTable
    from norface.normalizer.inference import TrainedNormalizer
    from norface.teachers import TrainedExpression, TrainedIdentity

    faces = FaceTable.load(table)
    source = TrainedNormalizer(
        str(normalizer),
        identity_teacher=TrainedIdentity(str(identity)) if identity else None,
        expression_teacher=TrainedExpression(str(expression)) if expression else None,
    )
    trained = source.load()
    cache = build_cache(
        faces,
        trained,
        out,
        alignment=trained.alignment,
        batch_size=batch_size,
        splits=splits,
        encoding=encoding,
        rank=rank,
        world_size=world_size,
    )
    if cache is None:
        print(f"process {rank} of {world_size} is done; the cache is finished when the others are")
    else:
        print(f"{cache.manifest.faces} normalized faces ({cache.manifest.failed} failed) in {cache.folder}")
