"""Frozen networks that tell the normalizer what identity, expression and head pose are; training some (stage 0)."""

from norface.teachers.arcface import ArcFaceIRSE50, ArcFaceOnnx
from norface.teachers.base import ExpressionReading, ExpressionTeacher, HeadPoseTeacher, IdentityTeacher, Teacher
from norface.teachers.blendshapes import Blendshapes
from norface.teachers.combined import CombinedExpression
from norface.teachers.expression import ExpressionTask
from norface.teachers.head_pose import HopeNet, LandmarkPose
from norface.teachers.head_pose_task import HeadPoseTask
from norface.teachers.identity import IdentityTask
from norface.teachers.trained import TrainedExpression, TrainedHeadPose, TrainedIdentity

__all__ = [
    "ArcFaceIRSE50",
    "ArcFaceOnnx",
    "Blendshapes",
    "CombinedExpression",
    "ExpressionReading",
    "ExpressionTask",
    "ExpressionTeacher",
    "HeadPoseTask",
    "HeadPoseTeacher",
    "HopeNet",
    "IdentityTask",
    "IdentityTeacher",
    "LandmarkPose",
    "Teacher",
    "TrainedExpression",
    "TrainedHeadPose",
    "TrainedIdentity",
]
