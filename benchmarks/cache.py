"""How fast `norface cache build` is, as a share of the bare forward pass of its generator at the same batch size.

    python benchmarks/cache.py [--faces 960] [--size 64] [--threads 1 2]

Forward and build take turns in one run. `wall` is what a user waits for. `CPU` is the share of all processor time that
the network gets: what `wall` cannot exceed where the network computes on the same cores as the codecs, and neither on a
machine that others use as well. With fewer threads for the network than there are cores, the rest of the build runs
beside it, as it does where the network is on a GPU.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from norface.backbones import ConvEncoder
from norface.cache import NormalizedBatch
from norface.data.caching import build_cache
from norface.data.table import FaceTable
from norface.imaging.alignment import Alignment
from norface.normalizer import ConvDecoder, ExpressionMerging, Generator, Normalizer
from norface.synthetic import draw_faces

ROUNDS = 4
DETAIL = 0.9
BATCH = 32


class Detailed(Normalizer):
    """An untrained generator draws flat pictures, which cost an encoder nothing: these keep the original's detail."""

    @torch.inference_mode()
    def normalize(self, original: torch.Tensor) -> NormalizedBatch:
        """The original, changed a little."""
        output = super().normalize(original)
        return output._replace(image=torch.lerp(output.image, original, DETAIL))


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """Wall time and processor time of this process, in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(table: FaceTable, size: int, folder: Path) -> dict[str, float]:
    """Rates of forward pass and build, and their ratio in wall and processor time."""
    torch.manual_seed(0)
    alignment = table.meta.alignment or Alignment(size)
    generator = Generator(ConvEncoder(), ExpressionMerging(grid=size // 8), ConvDecoder())
    normalizer = Detailed(generator, torch.zeros(1, 3, size, size), alignment=alignment, subjects=())
    batch = torch.rand(BATCH, 3, size, size)

    def forward() -> None:
        for _ in range(len(table) // BATCH):
            normalizer.normalize(batch)

    def build(out: Path) -> None:
        build_cache(table, normalizer, out, alignment=alignment, batch_size=BATCH, progress=False)

    pairs = [(measured(forward), measured(lambda k=k: build(folder / f"{k}"))) for k in range(ROUNDS + 1)][1:]
    return {
        "forward, faces/s": len(table) / statistics.median(f[0] for f, _ in pairs),
        "build, faces/s": len(table) / statistics.median(b[0] for _, b in pairs),
        "build / forward, wall": statistics.median(f[0] / b[0] for f, b in pairs),
        "build / forward, CPU": statistics.median(f[1] / b[1] for f, b in pairs),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=480)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, torch.get_num_threads()])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_faces(
            folder / "faces", subjects=20, faces_per_subject=options.faces // 20, size=options.size, progress=False
        )
        table = FaceTable.load(folder / "faces")
        for threads in options.threads:
            torch.set_num_threads(threads)
            for label, value in compare(table, options.size, folder / f"threads{threads}").items():
                print(f"{options.size} px, {threads} threads: {label:<25} {value:8.3f}")


if __name__ == "__main__":
    main()
