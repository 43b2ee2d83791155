"""Who is who across data sets: the same name may be two people, and two data sets may show the same people.

A person is written ``space:name``: the space is a data set, or the one whose people it shows again. Checkpoints and
caches list the people they were trained on in this form, so that a test on one of them is found out. Tables that name
no data set (drawn faces, tables of your own) have bare names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

SAME_PEOPLE: Mapping[str, str] = {
    "disfa_plus": "disfa",  # its nine people are among DISFA's 27 and keep their names
    "ferplus": "fer2013",  # the same pictures with other labels
}
"""Data sets that show the people of another one, under the same names."""

NO_DATASET: tuple[str, ...] = ("folder", "table")
"""Readers of anything: two folders read by one of them have nothing to do with each other."""


def dataset_of(provenance: Mapping[str, object]) -> str | None:
    """Name of the data set that a table was made from; None where its provenance names none."""
    name = provenance.get("dataset")
    return name if isinstance(name, str) and name and name not in NO_DATASET else None


def person_space(provenance: Mapping[str, object]) -> str | None:
    """Whose people a table's subjects are; None: nobody knows, or the names say it themselves."""
    name = dataset_of(provenance)
    return None if name is None else SAME_PEOPLE.get(name, name)


def person(subject: str, space: str | None) -> str:
    """``space:subject``, or the bare name where the space is not known."""
    return subject if space is None else f"{space}:{subject}"


def common_people(some: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    """Those of `some` who are, or may be, among `others`; sorted.

    Names of two spaces are two people. A bare name may be anybody of that name: better a false alarm than a leak.
    """
    known = set(others)
    names = {_bare(name) for name in known}
    anybody = {name for name in known if ":" not in name}
    return tuple(
        sorted({one for one in some if one in known or _bare(one) in anybody or (":" not in one and one in names)})
    )


def _bare(name: str) -> str:
    return name.partition(":")[2] or name
