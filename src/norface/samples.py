"""What a dataset yields and a batch holds: the keys, shapes and ranges, declared once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypedDict

from torch import Tensor

if TYPE_CHECKING:
    from norface.imaging.alignment import Alignment


class FaceSample(TypedDict):
    """One face with everything the table knows of it; a batch has one more leading dimension.

    Unknown labels are -1 (emotion) or NaN (action units, head pose), never 0.
    """

    face_id: str
    subject: Tensor
    """int64 ``()``: number of the person; the training split's subjects come first, in the data module's order."""
    original: Tensor
    """float32 ``(3, H, W)`` in [-1, 1]."""
    normalized: Tensor
    """float32 ``(3, H, W)``: from the cache, or the truth; equal to `original` where neither was asked for."""
    emotion: Tensor
    """int64 ``()``: index into the table's emotions, -1 = unknown."""
    au: Tensor
    """float32 ``(K,)``: occurrence 0 or 1 of each of the table's action units, NaN = unknown."""
    au_intensity: Tensor
    """float32 ``(K,)``: intensity 0..5 of each of the table's action units, NaN = unknown."""
    head_pose: Tensor
    """float32 ``(3,)``: yaw, pitch and roll in degrees, NaN = unknown; mirrored and turned where the image was."""
    counts: Tensor
    """bool ``()``: it was asked for. Else it stands in for one that cannot be read, or gives each process equally many:
    without labels, and part of no figure."""


class FaceBatch(TypedDict):
    """Several faces at once: the fields of `FaceSample`, each with one more leading dimension."""

    face_id: list[str]
    subject: Tensor
    original: Tensor
    normalized: Tensor
    emotion: Tensor
    au: Tensor
    au_intensity: Tensor
    head_pose: Tensor
    counts: Tensor


class PairSample(TypedDict):
    """One training pair of the normalizer: whose expression, and everything else from whom."""

    face_id: str
    original: Tensor
    """float32 ``(3, H, W)`` in [-1, 1]: gives the expression."""
    target: Tensor
    """float32 ``(3, H, W)`` in [-1, 1]: gives identity, head pose and background."""
    target_key: Tensor
    """int64 ``()``: equal for equal targets, so that each needs to be encoded only once."""
    truth: Tensor
    """float32 ``(3, H, W)``: the right answer where `has_truth`, else zeros."""
    has_truth: Tensor
    """bool ``()``: the right answer is known (fixed target and a true normalized face, or same image)."""
    same_image: Tensor
    """bool ``()``: original and target are the same image."""
    same_subject: Tensor
    """bool ``()``: original and target show the same person (also when the same image)."""
    emotion: Tensor
    """int64 ``()`` of the original, -1 = unknown."""
    au_intensity: Tensor
    """float32 ``(K,)`` of the original, NaN = unknown."""


class Triplets(NamedTuple):
    """Comparisons of three faces, of which one shows another expression than the other two."""

    faces: Sequence[tuple[str, str, str]]
    """Their `face_id`, the odd one last."""
    margins: Tensor
    """float32 ``(T,)``: by how much the odd one shall be farther away, in squared distance of unit-norm embeddings."""


class NamedFaces(Protocol):
    """What the training loader's data set offers beside its batches."""

    def named(self, face_ids: Sequence[str], *, epoch: int) -> FaceBatch:
        """These faces, changed at random as in that epoch."""

    def has(self, face_id: str) -> bool:
        """Whether it is among them."""


class FaceDescription(Protocol):
    """What a module may ask of the data module it is trained on; `FaceDataModule` has all of it after `setup`."""

    @property
    def emotions(self) -> tuple[str, ...]:
        """Names of the emotion classes; `FaceSample.emotion` indexes them."""

    @property
    def aus(self) -> tuple[int, ...]:
        """Action units, by number; the columns of `FaceSample.au` and `au_intensity`."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Subjects of the training split; `FaceSample.subject` counts on with the others behind them."""

    @property
    def knows_truth(self) -> bool:
        """Whether `FaceSample.normalized` is the true normalized face."""

    @property
    def knows_head_pose(self) -> bool:
        """Whether yaw, pitch or roll of any face of the training split is known."""

    def triplets(self, path: str) -> Mapping[str, Triplets]:
        """Comparisons that a file names of faces of the training (``train``) and of the validation split (``val``)."""

    @property
    def alignment(self) -> Alignment:
        """How the images that the loaders yield are cropped."""
