"""Errors a user can act on: what was expected, what was found, where, and what to do.

Every error that a user's input can cause derives from `NorfaceError`. The command line prints such an error without a
traceback and exits with code 2; anything else is a bug and keeps its traceback.
"""

from __future__ import annotations


class NorfaceError(Exception):
    """Base of all errors caused by input, files or options.

    Args:
        expected: What would have been right.
        found: What was there instead.
        where: File, column, option or object in which it was found.
        action: What the user can do about it.
    """

    def __init__(self, *, expected: str, found: str, where: str, action: str) -> None:
        self.expected, self.found, self.where, self.action = expected, found, where, action
        super().__init__(f"{where}: expected {expected}, found {found}. {action}")

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments: without this the error could not travel from a worker process.
        return _rebuild, (type(self), self.expected, self.found, self.where, self.action)


def _rebuild(cls: type[NorfaceError], expected: str, found: str, where: str, action: str) -> NorfaceError:
    return cls(expected=expected, found=found, where=where, action=action)


class ImageError(NorfaceError):
    """An image is missing, truncated, too large or not an image."""


class LinkError(ImageError):
    """A symbolic link leads out of the folder that it lies in, to where links are not allowed to lead."""


class TableError(NorfaceError):
    """A face table is missing a column, has a value outside its vocabulary, two faces with one id, ..."""


class DatasetError(NorfaceError):
    """A folder is not the data set that it should be, or one of its label files breaks the owner's format."""


class AssetError(NorfaceError):
    """A face model that the user brought is missing, truncated, or not what it should be."""


class DetectionError(NorfaceError):
    """A detector cannot run: its network is missing, damaged or of another kind."""


class AlignmentError(NorfaceError):
    """Landmarks are degenerate, or two artefacts were aligned differently."""


class SplitError(NorfaceError):
    """A split is empty, or a subject stands on both sides of it."""


class LeakageError(SplitError):
    """A normalizer was trained on a subject that it would be tested on."""


class CheckpointError(NorfaceError):
    """A checkpoint is missing, truncated, or of another class than the one asked for."""


class CacheError(NorfaceError):
    """A cache belongs to another normalizer, table or alignment, or is damaged."""


class ConfigError(NorfaceError):
    """An option or a combination of options that cannot work."""


class ResultsError(NorfaceError):
    """A results file is missing, malformed or of another schema version."""


class TrainingError(NorfaceError):
    """Training cannot go on: a loss is not finite, a task has no labels, ..."""


class ProcessError(NorfaceError):
    """One of several processes that work together has ended before its time."""


class OutputError(NorfaceError):
    """Nothing can be written: no permission, no space left, a file where a folder should be."""
