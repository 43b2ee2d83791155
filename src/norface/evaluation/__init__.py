"""The gate and its probes: does the normalizer keep the expression and remove the rest?"""

from norface.evaluation.checks import GateLimits, judge
from norface.evaluation.figures import Faces
from norface.evaluation.gate import gap_closed, run_gate

__all__ = ["Faces", "GateLimits", "gap_closed", "judge", "run_gate"]
