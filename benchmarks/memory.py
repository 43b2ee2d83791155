"""Peak memory of training and inference by batch size, each in a process of its own (Linux only).

Loading the libraries needs more at its peak than small batches ever do, so the kernel's mark of the peak is set back
after that.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.timing import Figure, figure

ROOT = Path(__file__).parents[1]
BATCHES = (8, 32, 128)


def measure(*, quick: bool = False) -> list[Figure]:
    """Two models, trained and run."""
    from benchmarks.demo import KINDS, drawn_faces

    batches, figures = ((8,) if quick else BATCHES), []
    with drawn_faces(1 if quick else 24) as table:
        for kind in KINDS[:1] if quick else KINDS:
            for work in ("train", "run"):
                for batch in batches:
                    before, peak = alone(kind, work, batch, table)
                    name = f"{kind}: {'training' if work == 'train' else 'inference'} with batches of {batch}"
                    figures.append(
                        figure(f"{name}, peak beyond the libraries' {before:.0f} MiB", [peak - before], "MiB")
                    )
    return figures


def alone(kind: str, work: str, batch: int, table: Path) -> tuple[float, float]:
    """Memory after the imports and at the peak, in MiB."""
    command = [sys.executable, "-m", "benchmarks.memory", kind, work, str(batch), str(table)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    before, peak = json.loads(said.splitlines()[-1])
    return before, peak


def forget_peak() -> None:
    """Let the peak be what is held now (proc(5), /proc/pid/clear_refs)."""
    Path("/proc/self/clear_refs").write_text("5")


def mebibytes(mark: str) -> float:
    """What the process holds now (VmRSS), or has held at most since the peak was forgotten (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{mark}:"))


def main(kind: str, work: str, batch: str, table: str) -> None:
    """Three steps of training, or three batches of inference."""
    import torch

    from benchmarks import demo

    assert kind in demo.KINDS
    data = demo.make_data(kind, Path(table), batch_size=int(batch))
    data.setup("fit")
    forget_peak()
    before = mebibytes("VmRSS")
    if work == "train":
        trainer = demo.make_trainer(max_epochs=1, limit_train_batches=3)
        trainer.fit(demo.make_task(kind), datamodule=data)
    else:
        images = torch.rand(int(batch), 3, demo.SIZE, demo.SIZE)
        network = demo.make_normalizer() if kind == "normalizer" else demo.make_classifier()
        with torch.inference_mode():
            for _ in range(3):
                network(images) if kind == "normalizer" else network(images, images)
    print(json.dumps([before, mebibytes("VmHWM")]))


if __name__ == "__main__":
    main(*sys.argv[1:])
