"""Measure what norface's users wait for, as rates and as ratios to the same work done bare, in one run.

`make bench`, or `python -m benchmarks.run` in the repository's root, measures everything; `python -m benchmarks.run
training inference` some topics. Prints a table, and writes benchmarks/results.json (ignored by git: figures belong to a
machine); topics that are not measured keep their earlier figures there.
"""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import platform
import subprocess
import time
import warnings
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.timing import Figure
from norface.cli.versions import package_version, run_versions

TOPICS = ("drawing", "prepare", "training", "routing", "caching", "inference", "memory", "growth", "presets")
RESULTS = Path(__file__).parent / "results.json"
SEED = 0


def machine() -> dict[str, object]:
    """What the figures belong to."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=RESULTS.parent, capture_output=True, text=True, check=False
    )
    return {
        "cores": os.cpu_count(),
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],  # of others, before: above a few tenths the figures are worth little
        "versions": run_versions() | {"onnxruntime": package_version("onnxruntime") or "missing"},
        "commit": commit.stdout.strip() or "unknown",
        "seed": SEED,
    }


def processor() -> str:
    """Its name, where the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def measure(topic: str, *, quick: bool) -> list[Figure]:
    """All figures of one topic."""
    torch.manual_seed(SEED)
    figures: list[Figure] = importlib.import_module(f"benchmarks.{topic}").measure(quick=quick)
    return figures


def main(args: list[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description="Measure norface's speed.")
    parser.add_argument("topics", nargs="*", metavar="topic", help=f"of {', '.join(TOPICS)}; without any: all")
    parser.add_argument("--quick", action="store_true", help="tiny sizes and one round: does it run at all?")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file to write")
    options = parser.parse_args(args)
    unknown = set(options.topics) - set(TOPICS)
    if unknown:
        parser.error(f"no topic {', '.join(sorted(unknown))}; there are {', '.join(TOPICS)}")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    about, earlier = machine(), {}
    if options.results.is_file():
        earlier = json.loads(options.results.read_text(encoding="utf-8")).get("topics", {})
    for topic in options.topics or TOPICS:
        start = time.perf_counter()
        figures = measure(topic, quick=options.quick)
        print(f"\n{topic} ({time.perf_counter() - start:.0f} s)", *figures, sep="\n  ", flush=True)
        earlier[topic] = {"machine": about, "figures": [asdict(figure) for figure in figures]}
        options.results.write_text(json.dumps({"topics": earlier}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
