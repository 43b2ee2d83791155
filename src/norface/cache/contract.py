"""What the layers below the normalizer know of it: an object that turns face images into normalized ones."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from torch import Tensor

from norface.imaging.alignment import Alignment


class NormalizedBatch(NamedTuple):
    """Normalized faces with the figures that say how well it went; NaN where no teacher was at hand."""

    image: Tensor
    """float32 ``(B, 3, H, W)`` in [-1, 1]."""
    identity_to_target: Tensor
    """float32 ``(B,)``: cosine similarity to the target's identity, 1 = the same person."""
    expression_distance: Tensor
    """float32 ``(B,)``: distance between the expressions of original and normalized face, 0 = the same."""


class FaceNormalizer(Protocol):
    """A trained normalizer, ready for inference."""

    @property
    def fingerprint(self) -> str:
        """sha256 in hex over weights, target and alignment: equal fingerprints give equal images."""
        ...

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects it was trained on."""
        ...

    @property
    def alignment(self) -> Alignment:
        """How the faces that it reads, and those that it makes, are cropped."""
        ...

    def normalize(self, original: Tensor) -> NormalizedBatch:
        """Normalize faces ``(B, 3, H, W)`` in [-1, 1]."""
        ...


class NormalizerSource(Protocol):
    """Where a normalizer comes from; cheap to make and to send to another process, unlike the normalizer itself."""

    def load(self) -> FaceNormalizer:
        """Read the weights.

        Raises:
            CheckpointError: The checkpoint is missing, truncated or of another class.
        """
        ...
