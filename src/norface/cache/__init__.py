"""Normalized faces on disk: content-addressed, resumable, memory-mapped, checked when read."""

from norface.cache.contract import FaceNormalizer, NormalizedBatch, NormalizerSource
from norface.cache.cross_fitting import CrossFitted
from norface.cache.key import CacheIdentity
from norface.cache.manifest import DEFAULT_ENCODING, Encoding, Manifest, mark_gate
from norface.cache.reader import NormalizedCache
from norface.cache.shard import CachedFace
from norface.cache.writer import CacheBuild

__all__ = [
    "DEFAULT_ENCODING",
    "CacheBuild",
    "CacheIdentity",
    "CachedFace",
    "CrossFitted",
    "Encoding",
    "FaceNormalizer",
    "Manifest",
    "NormalizedBatch",
    "NormalizedCache",
    "NormalizerSource",
    "mark_gate",
]
