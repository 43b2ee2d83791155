"""Who is who across data sets: the same name may be two people, and two data sets may show the same people.

A person is written ``space:name``: the space is a data set, or the one whose people it shows again. Checkpoints and
caches list the people they were trained on in this form, so that a test on one of them is found out. Drawn people
belong to the source and the seed that make them. Tables of your own that name no data set have bare names.
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

DRAWN: Mapping[str, str] = {
    "norface.synthetic.ProceduralFaces": "procedural",
    "norface.synthetic.FaceKitFaces": "facekit",
}
"""Sources of drawn faces, as a table's provenance names them, and what the space of their people begins with."""


def dataset_of(provenance: Mapping[str, object]) -> str | None:
    """Name of the data set that a table was made from; None where its provenance names none."""
    name = provenance.get("dataset")
    return name if isinstance(name, str) and name and name not in NO_DATASET else None


def person_space(provenance: Mapping[str, object]) -> str | None:
    """Whose people a table's subjects are; None: nobody knows, or the names say it themselves.

    Drawn subject 17 is one person for each seed of a source, at whatever size or light: ``facekit-0:s00017``.
    """
    name = dataset_of(provenance)
    if name is not None:
        return SAME_PEOPLE.get(name, name)
    source, seed = provenance.get("source"), provenance.get("seed")
    drawn = DRAWN.get(source) if isinstance(source, str) else None
    return None if drawn is None or not isinstance(seed, int) else f"{drawn}-{seed}"


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
