"""Mixture-of-experts classifier of original and normalized faces."""

from norface.classifier.inference import TrainedClassifier, load_classifier
from norface.classifier.network import Classified, ExpressionClassifier
from norface.classifier.tasks import ActionUnitTask, EmotionTask, IntensityTask

__all__ = [
    "ActionUnitTask",
    "Classified",
    "EmotionTask",
    "ExpressionClassifier",
    "IntensityTask",
    "TrainedClassifier",
    "load_classifier",
]
