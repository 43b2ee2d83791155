"""How the costs of a table grow with its rows; batches are read from files, a few pictures under many names."""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path

from benchmarks import scale
from benchmarks.timing import Figure, figure
from norface.cache import CacheBuild, CacheIdentity
from norface.data import FaceDataModule
from norface.data.caching import rows_to_cache, table_fingerprint
from norface.data.table import FaceTable
from norface.imaging.alignment import Alignment

ROWS = (1_000, 10_000, 100_000)
PICTURES = 100
BATCHES = 20


def measure(*, quick: bool = False) -> list[Figure]:
    """Tables of 10^3, 10^4 and 10^5 rows."""
    figures: list[Figure] = []
    for rows in ROWS[:1] if quick else ROWS:
        with tempfile.TemporaryDirectory() as name:
            scale.write_table(Path(name), rows, PICTURES)
            rounds = [costs(Path(name), Path(name) / f"cache{k}") for k in range(1 if quick else 3)]
        for what in rounds[0]:
            unit = "ms/batch" if "batch of" in what else "s"
            figures.append(figure(f"{rows} rows: {what}", [one[what] for one in rounds], unit))
    return figures


def costs(folder: Path, cache: Path) -> dict[str, float]:
    """Seconds until a table can be used, milliseconds for each batch, seconds to plan a cache."""
    watch = Watch()
    table = FaceTable.load(folder)
    loaded = watch.lap()
    data = FaceDataModule(str(folder))
    data.setup("fit")
    batches = iter(data.train_dataloader())
    next(batches)
    first = watch.lap()
    count = sum(1 for _ in itertools.islice(batches, BATCHES))
    each = watch.lap() * 1000 / count
    rows = rows_to_cache(table)
    identity = CacheIdentity(normalizer="0" * 64, table=table_fingerprint(rows), alignment=Alignment(scale.SIZE))
    build = CacheBuild(cache, identity=identity, subjects=(), face_ids=rows.frame["face_id"].tolist(), shard_size=512)
    build.missing()
    return {
        "load the table": loaded,
        "data module to first batch": first,
        "a batch of 32 after that": each,
        "plan a cache": watch.lap(),
    }


class Watch:
    """Seconds since the last question."""

    def __init__(self) -> None:
        self.last = time.perf_counter()

    def lap(self) -> float:
        """Start anew."""
        before, self.last = self.last, time.perf_counter()
        return self.last - before
