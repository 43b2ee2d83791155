"""Reading, writing, ranges, alignment and augmentation of images."""

from norface.imaging.augment import Augmentation

__all__ = ["Augmentation"]
