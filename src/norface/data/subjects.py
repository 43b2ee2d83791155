"""The people of a table under names that hold across data sets, and the check that nobody trained on is tested."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from norface.data.table import FaceTable
from norface.errors import LeakageError
from norface.people import common_people, person, person_space

MIXED = "mixed"
"""Key in the provenance of a mixed table; its subjects carry the name of their data set already."""

FOLD = "fold"
"""Key in the provenance of a table whose split a fold has assigned: the fold as plain data."""

SHARED, APART = "shared with the classifier", "set apart"
"""Whose people train the normalizer, under the key `normalizer` of the fold."""


def shares_people(table: FaceTable) -> bool:
    """Whether the table's fold means normalizer and classifier to be trained on the same people."""
    fold = table.meta.provenance.get(FOLD)
    return isinstance(fold, Mapping) and fold.get("normalizer") == SHARED


def space_of(table: FaceTable, name: str | None = None) -> str | None:
    """Whose people a table's subjects are; `name` where the table does not tell, None where its names do themselves."""
    return None if MIXED in table.meta.provenance else person_space(table.meta.provenance) or name


def people(table: FaceTable, name: str | None = None) -> pd.Series:
    """The person of every row as ``space:subject``, see `norface.people`.

    Args:
        table: The face table.
        name: The space where the table itself names no data set; None: bare names.
    """
    subject, space = table.frame["subject"], space_of(table, name)
    return subject if space is None else (person("", space) + subject).astype("str")


def people_in(table: FaceTable, splits: Iterable[str]) -> tuple[str, ...]:
    """Everybody in these splits, sorted."""
    names = table.frame.loc[table.frame["split"].isin(list(splits)), "subject"].unique()
    return tuple(sorted(person(str(name), space_of(table)) for name in names))


def check_unseen(tested: Iterable[str], trained_on: Iterable[str], *, what: str, allow: bool) -> tuple[str, ...]:
    """Compare the people of a test with those that something was trained on.

    Args:
        tested: People to be tested on.
        trained_on: People that it was trained on.
        what: What was trained, such as ``classifier``.
        allow: Return the common ones, to be printed in every report, instead of raising.

    Raises:
        LeakageError: There are some, and it is not allowed.
    """
    leaked = common_people(tested, trained_on)
    if leaked and not allow:
        raise LeakageError(
            expected=f"test subjects that the {what} was not trained on",
            found=f"{len(leaked)} that it was trained on: {', '.join(leaked[:10])}{' ...' if len(leaked) > 10 else ''}",
            where=f"{what} and face table",
            action="Test on other subjects or another fold, or set data.init_args.allow_leakage: true, which every "
            "report will then say.",
        )
    return leaked
