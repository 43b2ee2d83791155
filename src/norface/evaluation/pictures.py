"""The gate's pictures: original, normalized and true normalized face for every emotion."""

from __future__ import annotations

import io

import numpy as np
import torch
from torch import Tensor

from norface.evaluation.figures import Faces
from norface.imaging.convert import to_pixels
from norface.imaging.files import decode_image
from norface.imaging.pixels import Pixels
from norface.previews import grid


def emotion_grid(faces: Faces, emotion: Tensor, names: tuple[str, ...], *, people: int = 2) -> Pixels:
    """Labelled grid: one column per emotion; per person the rows original, normalized and, where known, truth.

    Args:
        faces: Test faces.
        emotion: Emotion indices ``(N,)``, -1 = unknown.
        names: Names of the emotions.
        people: How many different people every emotion is shown on.

    Returns:
        uint8 RGB picture.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = {"original": faces.original, "normalized": faces.normalized}
    if faces.truth is not None:
        rows["truth"] = faces.truth
    height = people * len(rows)
    figure, axes = plt.subplots(height, len(names), figsize=(1.25 * len(names) + 0.6, 1.25 * height), squeeze=False)
    for column, name in enumerate(names):
        for person, index in enumerate(_of_emotion(emotion, column, people)):
            for line, (kind, images) in enumerate(rows.items()):
                axis = axes[person * len(rows) + line, column]
                axis.imshow(to_pixels(images[index]), interpolation="bicubic")
                if column == 0:
                    axis.set_ylabel(kind, fontsize=8)
        axes[0, column].set_title(name, fontsize=9)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
        for spine in axis.spines.values():
            spine.set_visible(False)
    figure.tight_layout(pad=0.3, h_pad=0.15, w_pad=0.15)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    plt.close(figure)
    return np.ascontiguousarray(decode_image(buffer.getvalue(), where="gate grid"))


def strip(faces: Faces, emotion: Tensor, *, most: int = 8) -> Pixels:
    """The same faces whatever the normalizer: rows original, normalized and, where known, truth; nothing else.

    Args:
        faces: Test faces.
        emotion: Emotion indices ``(N,)``, -1 = unknown: one face of each; where none is known, `most` from all.
        most: How many faces at most.

    Returns:
        uint8 RGB ``(rows * S, columns * S, 3)``, pixel by pixel.
    """
    chosen = [index for kind in range(int(emotion.max()) + 1) for index in _of_emotion(emotion, kind, 1)][:most]
    if not chosen:
        chosen = torch.linspace(0, len(emotion) - 1, min(most, len(emotion))).long().tolist()
    rows = [faces.original, faces.normalized] + ([] if faces.truth is None else [faces.truth])
    return to_pixels(grid([images[chosen] for images in rows]))


def _of_emotion(emotion: Tensor, kind: int, people: int) -> list[int]:
    """Faces of so many people that show an emotion; another person for every emotion, whose habits it is not."""
    found = (emotion == kind).nonzero().flatten()
    places = [(kind * 3 + p * len(found) // people) % max(len(found), 1) for p in range(people)]
    return [int(found[place]) for place in places] if len(found) else []
