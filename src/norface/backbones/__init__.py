"""Image encoders shared by teachers, normalizer and classifier."""

from norface.backbones.contract import Backbone
from norface.backbones.conv import ConvEncoder
from norface.backbones.standardize import Standardize
from norface.backbones.timm_encoder import TimmEncoder
from norface.backbones.weights import load_encoder

__all__ = ["Backbone", "ConvEncoder", "Standardize", "TimmEncoder", "load_encoder"]
