"""What each shipped configuration costs: weights, arithmetic, seconds per step, peak memory (Linux only).

Every preset runs in a process of its own, on random images in float32, without teachers, whose files differ from user
to user, and with the discriminator taking part. Batches are small: costs per pair are what can be compared.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import yaml

from benchmarks.memory import ROOT, forget_peak, mebibytes
from benchmarks.timing import Figure, figure

BATCHES = {"encoder/mae": 32, "normalizer/demo": 32, "normalizer/facekit": 8, "normalizer/full": 2}
"""Configurations, and the batch to measure them with."""
AUS = 12


def measure(*, quick: bool = False) -> list[Figure]:
    """All presets; when quick the smallest normalizer alone."""
    batches = {"normalizer/demo": 2} if quick else BATCHES
    return [one for name, batch in batches.items() for one in figures(name, batch, rounds=1 if quick else 3)]


def figures(name: str, batch: int, *, rounds: int) -> list[Figure]:
    """One preset."""
    command = [sys.executable, "-m", "benchmarks.presets", name, str(batch), str(rounds)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    found = json.loads(said.splitlines()[-1])
    return [
        figure(f"{name}: weights", [found["weights"] / 1e6], "million"),
        figure(f"{name}: arithmetic for one face", [found["run"] / 1e9], "GFLOP"),
        figure(f"{name}: arithmetic of a training step, per face", [found["trained"] / batch / 1e9], "GFLOP"),
        figure(f"{name}: training step, batches of {batch}", found["seconds"], "s"),
        figure(f"{name}: the same in processor time, over all threads", found["busy"], "s"),
        figure(f"{name}: peak of training beyond the libraries' {found['before']:.0f} MiB", [found["memory"]], "MiB"),
    ]


def settings(name: str) -> dict[str, Any]:
    """The model's arguments in a configuration."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))
    model: dict[str, Any] = content["model"]["init_args"]
    return model


def make_normalizer(name: str, batch: int) -> tuple[Any, Callable[[], object], Callable[[], object]]:
    """What is trained, one face through it, and a step of its training."""
    import torch

    from benchmarks.training import normalizer_step
    from norface.normalizer import LossWeights, NormalizerTask
    from norface.normalizer.objective import GeneratorObjective
    from norface.specs import build

    asked = settings(name)
    teachers = {"identity": 0.0, "expression": 0.0, "named_outputs": 0.0, "head_pose": 0.0}
    weights = LossWeights(**asked["weights"] | teachers)
    generator = build(asked["generator"], where=name)
    task = NormalizerTask(generator, build(asked["discriminator"], where=name), weights=weights)
    size = generator.image_size
    task.objective = GeneratorObjective(
        weights, image_size=size, dim=generator.encoder.dim, aus=AUS, identity=None, expression=None
    )
    images = torch.rand(3, batch, 3, size, size) * 2 - 1
    yes, no = torch.ones(batch, dtype=torch.bool), torch.zeros(batch, dtype=torch.bool)
    pairs = {
        "original": images[0],
        "target": images[1, :1].expand(batch, -1, -1, -1),
        "target_key": torch.full((batch,), -1),
        "truth": images[2],
        "has_truth": yes,
        "same_image": no,
        "same_subject": no,
        "au_intensity": torch.rand(batch, AUS) * 5,
    }
    step = normalizer_step(task)
    average, face = task.average.network, images[0, :1]
    embedded = average.encoder(face).detach()  # the common target is read once, not with every face
    return generator, lambda: average.draw(face, face, embedded), lambda: step(pairs)


def make_autoencoder(name: str, batch: int) -> tuple[Any, Callable[[], object], Callable[[], object]]:
    """The same of a masked autoencoder; what runs in the end is its encoder."""
    import torch

    from norface.pretraining import MaskedAutoencoder, masked_patch_loss
    from norface.specs import build

    asked = settings(name)
    parts = {key: asked[key] for key in ("masked", "dim", "blocks", "heads")}
    network = MaskedAutoencoder(build(asked["encoder"], where=name), **parts)
    images = torch.rand(batch, 3, network.image_size, network.image_size) * 2 - 1
    optimizer = torch.optim.AdamW(network.parameters(), fused=True)

    def step() -> None:
        found = network(images)
        optimizer.zero_grad()
        masked_patch_loss(found.patches, images, found.masked, patch=network.patch).backward()
        optimizer.step()

    return network, lambda: network.encoder(images[:1]), step


def arithmetic(work: Callable[[], object]) -> int:
    """Floating-point operations of matrix products and convolutions, each multiplication and addition by itself."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def main(name: str, batch: str, rounds: str) -> None:
    """Measure one preset in this process."""
    import torch

    import norface.normalizer
    import norface.pretraining  # noqa: F401  (loaded before the mark of the peak is set back)

    torch.manual_seed(0)
    forget_peak()
    before = mebibytes("VmRSS")
    make = make_autoencoder if name.startswith("encoder/") else make_normalizer
    network, run, step = make(name, int(batch))
    seconds, busy = [], []
    for _ in range(1 + int(rounds)):  # the first does not count
        start, used = time.perf_counter(), time.process_time()
        step()
        seconds.append(time.perf_counter() - start)
        busy.append(time.process_time() - used)  # what others do on the machine hardly changes this
    found = {
        "before": before,
        "memory": mebibytes("VmHWM") - before,
        "seconds": seconds[1:],
        "busy": busy[1:],
        "weights": sum(parameter.numel() for parameter in network.parameters()),
        "trained": arithmetic(step),
    }
    with torch.no_grad():
        found["run"] = arithmetic(run)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
