"""The trained normalizer as a thing to use: averaged generator, target, alignment; nothing of training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from norface.cache import CrossFitted, FaceNormalizer, NormalizedBatch
from norface.checkpoints import fitting, hash_weights, read_checkpoint
from norface.errors import ImageError
from norface.imaging.alignment import Alignment
from norface.imaging.convert import to_pixels, to_tensor
from norface.imaging.pixels import Pixels
from norface.normalizer.generator import Generator
from norface.normalizer.starting import AVERAGED
from norface.packed import DEFAULT
from norface.specs import build
from norface.teachers.base import ExpressionTeacher, IdentityTeacher


class Normalizer(nn.Module):
    """Maps faces to the one common identity, frontal pose and fixed background.

    `Normalizer.default` and `Normalizer.load` open one; called with aligned faces, it answers in the same kind: tensors
    or pixels.

    Args:
        generator: Trained generator.
        target: The common face ``(1, 3, S, S)`` in [-1, 1].
        alignment: How faces must be cropped.
        subjects: People it was trained on.
        identity: Measures identity to the target, where given.
        expression: Measures the expression distance to the original, where given.
    """

    target: Tensor
    target_embeddings: Tensor

    def __init__(
        self,
        generator: Generator,
        target: Tensor,
        *,
        alignment: Alignment,
        subjects: tuple[str, ...],
        identity: IdentityTeacher | None = None,
        expression: ExpressionTeacher | None = None,
    ) -> None:
        super().__init__()
        self.generator = generator.to(memory_format=torch.channels_last)
        self.register_buffer("target", target)
        self.alignment, self.subjects = alignment, subjects
        for teacher in (identity, expression):
            if teacher is not None:
                teacher.aligned_as(alignment)
        self.identity, self.expression = identity, expression
        self.requires_grad_(False)
        self.eval()
        # The target is always the same: it is read here, not with every batch.
        self.register_buffer("target_embeddings", self.generator.encoder(target), persistent=False)

    @classmethod
    def default(cls) -> Normalizer:
        """The normalizer that ships with norface; its model card lies in ``norface/normalizer/default``.

        Raises:
            CheckpointError: This installation has none.
        """
        return cls.load(DEFAULT)

    @classmethod
    def load(
        cls,
        checkpoint: str | Path,
        *,
        identity: IdentityTeacher | None = None,
        expression: ExpressionTeacher | None = None,
    ) -> Normalizer:
        """Read a normalizer.

        Args:
            checkpoint: Path of a stage-1 checkpoint or of a packed normalizer, or ``default``.
            identity, expression: See `Normalizer`.

        Raises:
            CheckpointError: Missing, damaged, or not a normalizer.
        """
        path = Path(checkpoint)
        state, about = read_checkpoint(path, kind="normalizer")
        with fitting(path):
            generator = build(about["network"], where=str(path))
            assert isinstance(generator, Generator), type(generator).__name__
            generator.load_state_dict({k.removeprefix(AVERAGED): v for k, v in state.items() if k.startswith(AVERAGED)})
            size = generator.image_size
            assert state["target"].shape == (1, 3, size, size), "a target of another size"
            return cls(
                generator,
                state["target"],
                alignment=Alignment.parse(about["alignment"], where=str(path)),
                subjects=tuple(str(name) for name in about["subjects"]),
                identity=identity,
                expression=expression,
            )

    @property
    def image_size(self) -> int:
        """Side of the faces that it reads and makes, in pixels."""
        return self.generator.image_size

    @property
    def fingerprint(self) -> str:
        """SHA-256 over weights, target and alignment: equal for equal normalizers, whatever file they came from."""
        digest = hashlib.sha256(json.dumps(self.alignment.describe(), sort_keys=True).encode())
        hash_weights(digest, self.generator.state_dict())
        digest.update(self.target.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def forward(self, original: Tensor | Pixels) -> Tensor | Pixels:
        """Aligned faces to normalized ones; `normalize` measures them as well.

        Args:
            original: ``(B, 3, S, S)`` in [-1, 1], or uint8 RGB ``(S, S, 3)`` or ``(B, S, S, 3)``, cropped as
                `alignment` says.

        Returns:
            The same kind and shape.

        Raises:
            ImageError: Another shape or, of pixels, another type.
        """
        side = self.image_size
        if isinstance(original, np.ndarray):
            if original.dtype != np.uint8 or original.ndim not in {3, 4} or original.shape[-3:] != (side, side, 3):
                raise _unfit(f"uint8 RGB ({side}, {side}, 3), or several as (B, {side}, {side}, 3)", original)
            images = to_tensor(original.reshape(-1, side, side, 3), self.target.device)
            with torch.inference_mode():
                return to_pixels(self(images)).reshape(original.shape)
        if original.ndim != 4 or original.shape[1:] != (3, side, side):
            raise _unfit(f"a float tensor (B, 3, {side}, {side}) in [-1, 1]", original)
        return self.generator.draw(original, self.target, self.target_embeddings).clamp(-1, 1)

    @torch.inference_mode()
    def normalize(self, original: Tensor) -> NormalizedBatch:
        """Normalize aligned faces.

        Args:
            original: ``(B, 3, S, S)`` in [-1, 1], aligned as `alignment` says.

        Returns:
            Images in [-1, 1] and their quality figures (NaN without the teacher that measures them).
        """
        image: Tensor = self(original)
        unknown = torch.full((len(image),), torch.nan)
        identity, expression = unknown, unknown
        if self.identity is not None:
            identity = (self.identity(image) * self.identity(self.target)).sum(1)
        if self.expression is not None:
            expression = 1.0 - (self.expression(image).embedding * self.expression(original).embedding).sum(1)
        return NormalizedBatch(image=image, identity_to_target=identity, expression_distance=expression)


def _unfit(expected: str, found: Tensor | Pixels) -> ImageError:
    return ImageError(
        expected=f"aligned faces as {expected}",
        found=f"{found.dtype} {tuple(found.shape)}",
        where="Normalizer",
        action="Crop them with norface.imaging.alignment.align(pixels, landmarks, normalizer.alignment).",
    )


def load_normalizers(
    checkpoints: Sequence[str],
    *,
    identity_teacher: IdentityTeacher | None = None,
    expression_teacher: ExpressionTeacher | None = None,
) -> FaceNormalizer:
    """Read one normalizer, or several as a cross-fitted one; see `TrainedNormalizer` and `CrossFitted`.

    Raises:
        CheckpointError: One is missing, damaged, or not a normalizer.
        ConfigError: One is given twice.
        AlignmentError: They want faces cropped differently.
    """
    trained = [
        TrainedNormalizer(path, identity_teacher=identity_teacher, expression_teacher=expression_teacher).load()
        for path in checkpoints
    ]
    return trained[0] if len(trained) == 1 else CrossFitted(trained)


class CrossFittedNormalizers:
    """Normalizers of several checkpoints, of which each face meets one that was not trained on its person.

    Args:
        checkpoints: As for `TrainedNormalizer`, each trained without another part of the people.
        identity_teacher, expression_teacher: See `TrainedNormalizer`.
    """

    def __init__(
        self,
        checkpoints: list[str],
        *,
        identity_teacher: IdentityTeacher | None = None,
        expression_teacher: ExpressionTeacher | None = None,
    ) -> None:
        self.checkpoints = checkpoints
        self.identity_teacher, self.expression_teacher = identity_teacher, expression_teacher

    def load(self) -> FaceNormalizer:
        """Read the checkpoints; errors as by `load_normalizers`."""
        return load_normalizers(
            self.checkpoints, identity_teacher=self.identity_teacher, expression_teacher=self.expression_teacher
        )


class TrainedNormalizer:
    """A normalizer that a checkpoint holds; read when asked for.

    Args:
        checkpoint: Path of a stage-1 checkpoint or of a packed normalizer, or ``default`` for the shipped one.
        identity_teacher: Measures identity to the target for the cache's quality figures.
        expression_teacher: Measures the expression distance to the original, likewise.
    """

    def __init__(
        self,
        checkpoint: str,
        *,
        identity_teacher: IdentityTeacher | None = None,
        expression_teacher: ExpressionTeacher | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.identity_teacher, self.expression_teacher = identity_teacher, expression_teacher

    def load(self) -> FaceNormalizer:
        """Read the checkpoint; gives a `Normalizer`.

        The annotation is the one of `NormalizerSource`, word for word: jsonargparse compares the two.

        Raises:
            CheckpointError: Missing, damaged, or not a normalizer.
        """
        return Normalizer.load(self.checkpoint, identity=self.identity_teacher, expression=self.expression_teacher)
