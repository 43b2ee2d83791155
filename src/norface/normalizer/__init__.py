"""The normalizer: generator, discriminator, losses, training (stage 1) and inference."""

from norface.normalizer.decoder import ConvDecoder
from norface.normalizer.discriminator import PatchDiscriminator
from norface.normalizer.expression_reader import ExpressionReader
from norface.normalizer.generator import Generator
from norface.normalizer.inference import CrossFittedNormalizers, Normalizer, TrainedNormalizer
from norface.normalizer.merging import ExpressionMerging
from norface.normalizer.metrics import ExpressionR2, face_region
from norface.normalizer.module import NormalizerTask
from norface.normalizer.objective import LossWeights
from norface.normalizer.preview import PreviewGrid

__all__ = [
    "ConvDecoder",
    "CrossFittedNormalizers",
    "ExpressionMerging",
    "ExpressionR2",
    "ExpressionReader",
    "Generator",
    "LossWeights",
    "Normalizer",
    "NormalizerTask",
    "PatchDiscriminator",
    "PreviewGrid",
    "TrainedNormalizer",
    "face_region",
]
