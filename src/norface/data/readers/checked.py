"""The frame of most readers: first the layout, then the labels; a check does both and describes what it found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from norface.data.readers.contract import DatasetReader, Problem, Reading, Skipped
from norface.data.readers.layout import Listing, refuse, wrong_level
from norface.data.readers.reasons import NOT_UTF8, problems_of
from norface.errors import DatasetError, NorfaceError


class CheckedReader(DatasetReader):
    """A reader that says what must be where (`layout`) and how it becomes rows (`rows`)."""

    def marks(self) -> tuple[str, ...]:
        """Files or folders of which one must stand in the root; by them a wrong level is recognised."""
        raise TypeError(f"{type(self).__name__} defines no marks")

    def layout(self, listing: Listing) -> tuple[Problem, ...]:
        """What is missing, where the root is right."""
        raise TypeError(f"{type(self).__name__} defines no layout")

    def rows(self, listing: Listing) -> Reading:
        """All faces, where nothing fatal is missing."""
        raise TypeError(f"{type(self).__name__} defines no rows")

    def check(self, root: Path) -> tuple[Problem, ...]:
        """What is missing or unexpected in `root`; empty = it can be read, and nothing is left out by mistake."""
        try:
            listing, problems = self._enter(root)
            if any(problem.fatal for problem in problems):
                return problems
            return (*problems, *problems_of(self._read(listing).skipped))
        except NorfaceError as error:
            return (Problem(error.where, error.expected, error.found, error.action),)

    def read(self, root: Path) -> Reading:
        """All faces of the data set.

        Raises:
            DatasetError: The folder is not this data set, or a label file breaks its format.
        """
        listing, problems = self._enter(root)
        refuse(problems)
        return self._read(listing)

    def _enter(self, root: Path) -> tuple[Listing, tuple[Problem, ...]]:
        wrong = wrong_level(root, self.marks())
        listing = Listing(root, check_links=True)
        return listing, (wrong,) if wrong else self.layout(listing)

    def _read(self, listing: Listing) -> Reading:
        reading = self.rows(listing)
        if reading.rows.empty:
            reasons = sorted({one.why for one in reading.skipped})
            raise DatasetError(
                expected="at least one face with its label",
                found=f"none; left out: {len(reading.skipped)} ({', '.join(reasons[:4])})" if reasons else "none",
                where=str(listing.root),
                action="Unpack the images and the label files of the same release.",
            )
        unusable = tuple(Skipped(name, NOT_UTF8) for name in listing.undecodable)
        return replace(reading, skipped=reading.skipped + unusable)
