"""Mixture-of-experts classifier of original and normalized faces."""

from norface.classifier.averaging import AveragedWeights
from norface.classifier.inference import TrainedClassifier, load_classifier
from norface.classifier.multi import MultiTask
from norface.classifier.network import Classified, ExpressionClassifier
from norface.classifier.peeking import TestCurve
from norface.classifier.tasks import ActionUnitTask, EmotionTask, IntensityTask

__all__ = [
    "ActionUnitTask",
    "AveragedWeights",
    "Classified",
    "EmotionTask",
    "ExpressionClassifier",
    "IntensityTask",
    "MultiTask",
    "TestCurve",
    "TrainedClassifier",
    "load_classifier",
]
