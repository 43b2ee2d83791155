"""Frozen networks that tell the normalizer what identity and expression are, and their training (stage 0)."""

from norface.teachers.base import ExpressionReading, ExpressionTeacher, IdentityTeacher, Teacher
from norface.teachers.expression import ExpressionTask
from norface.teachers.identity import IdentityTask
from norface.teachers.trained import TrainedExpression, TrainedIdentity

__all__ = [
    "ExpressionReading",
    "ExpressionTask",
    "ExpressionTeacher",
    "IdentityTask",
    "IdentityTeacher",
    "Teacher",
    "TrainedExpression",
    "TrainedIdentity",
]
