"""Image encoders shared by teachers, normalizer and classifier."""

from norface.backbones.conv import ConvEncoder
from norface.backbones.standardize import Standardize
from norface.backbones.weights import load_encoder

__all__ = ["ConvEncoder", "Standardize", "load_encoder"]
