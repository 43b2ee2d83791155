"""Several normalizers as one: every face is normalized by one that has not seen its person.

A normalizer draws the people it was trained on better than others, so a classifier that is trained on such faces trusts
them too much. With K normalizers, each trained without another part of the people, all people can train the normalizers
and the classifier still learns from faces like those of a test (cross-fitting, as for nuisance functions in
Chernozhukov et al. 2018, "Double/debiased machine learning").
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from norface.cache.contract import FaceNormalizer, NormalizedBatch
from norface.errors import AlignmentError, ConfigError, LeakageError
from norface.imaging.alignment import Alignment
from norface.people import common_people


class CrossFitted:
    """Normalizers that share the people of a table.

    Args:
        normalizers: At least two, different ones; their order does not matter.

    Raises:
        ConfigError: There are fewer, or one is given twice.
        AlignmentError: They want faces cropped differently.
    """

    def __init__(self, normalizers: Sequence[FaceNormalizer]) -> None:
        self.normalizers = tuple(sorted(normalizers, key=lambda one: one.fingerprint))
        if len({one.fingerprint for one in self.normalizers}) < max(len(self.normalizers), 2):
            raise ConfigError(
                expected="at least two different normalizers",
                found=f"{len({one.fingerprint for one in self.normalizers})} in {len(self.normalizers)} checkpoints",
                where="cross-fitting",
                action="Train one normalizer for each part that is left out (data.init_args.leave_out) and name each.",
            )
        frames = {str(one.alignment): one for one in self.normalizers}
        if len(frames) > 1:
            raise AlignmentError(
                expected="normalizers that were trained on faces cropped alike",
                found=" and ".join(frames),
                where="cross-fitting",
                action="Train all of them with the same image_size, margin and drop.",
            )

    @property
    def fingerprint(self) -> str:
        """SHA-256 over those of all normalizers."""
        return hashlib.sha256("".join(one.fingerprint for one in self.normalizers).encode()).hexdigest()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody that any of them was trained on: whom nothing made with them may be tested on."""
        return tuple(sorted({name for one in self.normalizers for name in one.subjects}))

    @property
    def alignment(self) -> Alignment:
        """How the faces that they read and make are cropped."""
        return self.normalizers[0].alignment

    def normalize(self, original: Tensor) -> NormalizedBatch:
        """Normalize faces ``(B, 3, H, W)`` in [-1, 1] of people whom none of them has seen: by the first."""
        return self.normalizers[0].normalize(original)

    def deal(self, people: Sequence[str]) -> NDArray[np.int64]:
        """Who normalizes whom: ``(len(people),)`` places in `normalizers`.

        Of those that have not seen a person, one is chosen by the person's name alone: all faces of one person are
        normalized alike, and people whom nobody has seen, such as those of a test, meet all normalizers equally often.

        Args:
            people: The person of each face, as `norface.people` names them.

        Raises:
            LeakageError: All of them were trained on somebody.
        """
        everybody = sorted(set(people))
        seen = [set(common_people(everybody, one.subjects)) for one in self.normalizers]
        left = {name: [k for k, known in enumerate(seen) if name not in known] for name in everybody}
        known_to_all = [name for name in everybody if not left[name]]
        if known_to_all:
            more = f" and {len(known_to_all) - 10} more" if len(known_to_all) > 10 else ""
            raise LeakageError(
                expected="for every person a normalizer that was not trained on them",
                found=f"{len(known_to_all)} on whom all {len(self.normalizers)} were trained, or their teachers: "
                f"{', '.join(known_to_all[:10])}{more}",
                where="cross-fitting",
                action="Train each normalizer, its teachers and its encoder without one part of the people "
                "(data.init_args.leave_out), and name all of them; or cache other splits.",
            )
        chosen = {name: self._one_of(numbers, name) for name, numbers in left.items()}
        return np.array([chosen[name] for name in people], np.int64)

    def _one_of(self, numbers: Sequence[int], name: str) -> int:
        # The largest digest wins: another normalizer more or less changes the choice for its own share of people only.
        return max(numbers, key=lambda k: hashlib.sha256(f"{self.normalizers[k].fingerprint} {name}".encode()).digest())
