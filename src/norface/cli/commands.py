"""Which commands exist. Plain data, so that ``norface --help`` needs no other import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Command:
    """One command.

    Args:
        summary: One line for ``norface --help``.
        function: ``module:function``; its signature is the command's options. Training commands share one function,
            which takes the whole command line.
        positional: Whether required arguments are given by position; if not, as ``--name``.
        variants: Functions that serve instead where an option of that name is given; they have options only.
    """

    summary: str
    function: str
    positional: bool = True
    variants: Mapping[str, str] = field(default_factory=dict)


TRAINING = "norface.cli.training:main"

COMMANDS: dict[str, dict[str, Command]] = {
    "Train and apply (LightningCLI; several --config merge from left to right)": {
        "fit": Command("train a teacher, a normalizer or a classifier", TRAINING),
        "validate": Command("metrics of a checkpoint on the validation split", TRAINING),
        "test": Command("metrics of a checkpoint on the test split", TRAINING),
        "predict": Command("a table with a classifier's answer for every face", TRAINING),
    },
    "Data": {
        "faces draw": Command("draw the built-in faces and their table", "norface.cli.faces:draw", positional=False),
        "faces triplets": Command(
            "which of three faces shows another expression, by their action units",
            "norface.cli.faces:triplets",
            positional=False,
        ),
        "data list": Command(
            "the data sets that can be read, and where to ask for them",
            "norface.cli.datasets:list_sets",
            positional=False,
        ),
        "data prepare": Command(
            "find and align the faces of a data set, and write its face table",
            "norface.cli.prepare:prepare",
            positional=False,
        ),
        "data check": Command(
            "check a face table, or with --dataset an owner's folder",
            "norface.cli.data:check",
            variants={"--dataset": "norface.cli.datasets:check_folder"},
        ),
        "data stats": Command(
            "counts of a face table beside those of the literature, and a sheet of its faces", "norface.cli.stats:stats"
        ),
        "data split": Command(
            "give every subject of a table a split, by seed", "norface.cli.data:split", positional=False
        ),
        "data folds": Command(
            "who trains and who is tested: published folds, official splits, folds by seed",
            "norface.cli.folds:folds",
            positional=False,
        ),
        "data mix": Command("join face tables into one", "norface.cli.mixing:mix", positional=False),
        "data cross": Command("train on one data set, test on another", "norface.cli.mixing:cross", positional=False),
    },
    "Normalized faces": {
        "cache build": Command(
            "normalize every face of a table once, and keep it", "norface.cli.cache:build", positional=False
        ),
        "cache verify": Command("check every checksum of a cache", "norface.cli.cache:verify"),
        "cache stats": Command("size, parents and quality figures of a cache", "norface.cli.cache:stats"),
        "cache export": Command("write a cache out as PNG files", "norface.cli.cache:export"),
    },
    "Protocols and studies": {
        "protocol run": Command(
            "train and test variants on all folds and seeds; table and report",
            "norface.cli.protocol:run",
            positional=False,
        ),
        "protocol compare": Command("is one variant better than another?", "norface.cli.protocol:compare"),
        "study run": Command(
            "train and judge normalizers that differ in losses, encoder or people; table and report",
            "norface.cli.study:run",
            positional=False,
        ),
    },
    "Use elsewhere": {
        "export": Command(
            "write a normalizer or a classifier as an ONNX file, or a normalizer as one small .safetensors file",
            "norface.cli.export:export",
            positional=False,
        ),
    },
    "Judge": {
        "gate": Command(
            "is expression kept and identity removed? With --teachers: can the teachers read both kinds of face?",
            "norface.cli.gate:gate",
            positional=False,
            variants={"--teachers": "norface.cli.teachers:gate_teachers"},
        ),
        "target check": Command(
            "is a picture fit to be the common face: frontal, neutral, evenly lit, sharp, plain behind?",
            "norface.cli.target:check",
            positional=False,
        ),
        "weights list": Command(
            "network files of detectors and teachers: licence, source, found or missing, hash right or wrong",
            "norface.cli.weights:list_weights",
            positional=False,
        ),
        "report": Command("results file to HTML page and PNG figures", "norface.report.command:report"),
        "doctor": Command("what this machine has: Python, torch, weights, disk", "norface.cli.doctor:doctor"),
    },
}
"""Commands by the heading under which the help lists them. A name of two words is a group and a command."""


def all_commands() -> dict[str, Command]:
    """Every command by name."""
    return {name: command for group in COMMANDS.values() for name, command in group.items()}
