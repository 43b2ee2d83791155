"""What a classifier's checkpoint holds, and checks when one is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from norface.checkpoints import describe_checkpoint
from norface.classifier.network import ExpressionClassifier
from norface.errors import AlignmentError, CheckpointError

MULTI = "multi"
"""The task of a classifier that was trained for several of the others; its header names them as ``tasks``."""

Header = dict[str, Any]
"""The plain dict ``checkpoint["norface"]``."""


def classifier_header(checkpoint: Mapping[str, Any], *, where: str, task: str | None = None) -> Header:
    """Header of a classifier's checkpoint, of this task if one is given.

    Raises:
        CheckpointError: It is no classifier, of another task, or incomplete.
    """
    content = describe_checkpoint(checkpoint, where=where, kind="classifier")
    needed = {"task", "emotions", "aus", "network", "alignment", "subjects"}
    missing = (needed | {"tasks"} if content.get("task") == MULTI else needed) - content.keys()
    if missing:
        raise CheckpointError(
            expected="a complete description of the classifier",
            found=f"none of {', '.join(sorted(missing))}",
            where=where,
            action="Use a checkpoint of this version of norface.",
        )
    if task is not None and content["task"] != task:
        raise CheckpointError(
            expected=f"a classifier for task {task}",
            found=f"one for task {content['task']}",
            where=where,
            action=f"Test it with task {content['task']}, or give a checkpoint of task {task}.",
        )
    return content


def check_alignment(content: Header, alignment: Mapping[str, object], *, where: str) -> None:
    """Check that faces are cropped as the classifier was trained.

    Raises:
        AlignmentError: They are not.
    """
    if content["alignment"] != dict(alignment):
        raise AlignmentError(
            expected=f"faces aligned as the classifier was trained: {content['alignment']}",
            found=str(dict(alignment)),
            where=where,
            action="Give the data module the classifier's image_size and margin.",
        )


def check_same(content: Header, own: Header, label_names: Callable[[Header], tuple[str, ...]], *, where: str) -> None:
    """Check that a classifier was trained for the crops, labels and network of this run.

    Raises:
        AlignmentError: For other crops.
        CheckpointError: For other labels or another network.
    """
    check_alignment(content, own["alignment"], where=where)
    for what, theirs, ours in (
        ("labels", label_names(content), label_names(own)),
        ("network", content["network"], own["network"]),
    ):
        if theirs != ours:
            raise CheckpointError(
                expected=f"a classifier with {what} {ours}",
                found=f"one with {theirs}",
                where=where,
                action="Use the configuration and the labels that the checkpoint was trained with.",
            )


def labels_by_task(content: Header) -> dict[str, tuple[str, ...]]:
    """Names of the network's outputs, of each task in the order in which the network answers."""
    tasks = content["tasks"] if content["task"] == MULTI else [content["task"]]
    return {str(task): _labels(str(task), content) for task in tasks}


def labels_of(content: Header) -> tuple[str, ...]:
    """Names of the network's outputs: emotions, or action units as ``AU01``; of several tasks as ``au/AU01``."""
    found = labels_by_task(content)
    if content["task"] == MULTI:
        return tuple(f"{task}/{label}" for task, labels in found.items() for label in labels)
    return found[content["task"]]


def _labels(task: str, content: Header) -> tuple[str, ...]:
    if task == "fer":
        return tuple(str(name) for name in content["emotions"])
    return tuple(au_label(int(au)) for au in content["aus"])


def au_label(au: int) -> str:
    """``AU01`` for 1."""
    return f"AU{au:02d}"


def load_network(network: ExpressionClassifier, weights: Mapping[str, Tensor], *, where: str) -> None:
    """Fill a network from a classifier checkpoint's ``state_dict``; strict.

    Raises:
        CheckpointError: Names or shapes do not fit.
    """
    own = {key.removeprefix("network."): value for key, value in weights.items() if key.startswith("network.")}
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise CheckpointError(
            expected="the classifier's weights",
            found=" ".join(line.strip() for line in lines[1:2])[:300] or str(error)[:300],
            where=where,
            action="Give the backbone the widths and blocks that the checkpoint was trained with.",
        ) from error
