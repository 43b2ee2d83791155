"""The published partitions of subjects, as data: which parts there are, and which fold tests which part.

Folds are numbered differently by different authors, so a fold is named by the part that it tests, or by an author's
number with the author's name; a bare number is refused.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from norface.errors import ConfigError


@dataclass(frozen=True)
class Protocol:
    """One partition of a data set's subjects.

    Args:
        dataset: As in ``norface data prepare --dataset``.
        name: Of the protocol.
        parts: Subjects of each part; disjoint.
        folds: Parts that are tested, one per fold; the other parts train. A fold has the name of its part.
        aliases: Another name of a fold -> its own name.
        source: Who published it, and what is known of it.
    """

    dataset: str
    name: str
    parts: Mapping[str, tuple[str, ...]]
    folds: tuple[str, ...]
    aliases: Mapping[str, str]
    source: str

    def tested(self, fold: str) -> str:
        """The part that a fold tests.

        Raises:
            ConfigError: There is no such fold.
        """
        name = self.aliases.get(fold, fold)
        if name not in self.folds:
            choices = (*self.folds, *self.aliases)
            close = difflib.get_close_matches(fold, choices, n=1)
            hint = f"Did you mean {close[0]}? " if close else ""
            raise ConfigError(
                expected=f"one of {', '.join(choices)}",
                found=repr(fold),
                where=f"fold of {self.dataset}, {self.name}",
                action=f"{hint}Authors number the same folds differently, so a bare number is none. "
                f"`norface data folds --dataset {self.dataset}` prints them.",
            )
        return name

    def also_called(self, fold: str) -> tuple[str, ...]:
        """The other names of a fold."""
        return tuple(alias for alias, name in self.aliases.items() if name == fold)

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody, sorted."""
        return tuple(sorted(subject for part in self.parts.values() for subject in part))


def _lists(**parts: str) -> dict[str, tuple[str, ...]]:
    return {name.replace("_", "-"): tuple(subjects.split()) for name, subjects in parts.items()}


_ME_GRAPHAU = {"me-graphau-1": "part3", "me-graphau-2": "part2", "me-graphau-3": "part1"}
_BP4D = _lists(
    part1="F001 F002 F008 F009 F010 F016 F018 F023 M001 M004 M007 M008 M012 M014",
    part2="F003 F005 F011 F013 F020 F022 M002 M005 M010 M011 M013 M016 M017 M018",
    part3="F004 F006 F007 F012 F014 F015 F017 F019 F021 M003 M006 M009 M015",
)
_DISFA = _lists(
    part1="SN001 SN002 SN009 SN010 SN016 SN026 SN027 SN030 SN032",
    part2="SN006 SN011 SN012 SN013 SN018 SN021 SN024 SN028 SN031",
    part3="SN003 SN004 SN005 SN007 SN008 SN017 SN023 SN025 SN029",
)
_BP4D_PLUS = _lists(
    fold_1="M040 F072 M015 M029 M003 F076 F053 F026 F044 F066 F057 F061 F071 M050 M033 F079 F020 M025 F014 F004 "
    "F013 M017 F033 M042 M004 F038 F019 M036 M026 M048 F039 F046 M051 F047 M020",
    fold_2="F074 F012 F034 M001 F056 F075 M009 M038 F024 M047 F016 M045 M034 M022 F060 M011 M044 M046 M005 M028 "
    "F077 F028 M055 M019 F032 F030 M037 M043 F031 F022 M023 M018 M016 F065 M052",
    fold_3="F029 F054 F064 F045 F009 F040 F008 M041 F063 M056 M024 F001 F080 M010 F062 F035 M054 F052 F027 F043 "
    "F042 F050 M057 F078 F058 F017 M035 M030 M027 F021 M031 F069 F002 M008 F068",
    fold_4="M058 F037 F010 F023 M007 M002 F025 F073 F048 F041 F051 F011 M032 F005 M021 F018 M013 M049 M014 F070 "
    "F006 F067 M039 M006 F059 F003 F007 F049 M053 F081 F055 M012 F082 F015 F036",
)


def _fera_2015() -> dict[str, tuple[str, ...]]:
    people = [*(f"F{number:03d}" for number in range(1, 24)), *(f"M{number:03d}" for number in range(1, 19))]
    return {
        "train": tuple(name for name in people if int(name[1:]) % 2 == 1),
        "devel": tuple(name for name in people if int(name[1:]) % 2 == 0),
    }


PROTOCOLS: Mapping[str, tuple[Protocol, ...]] = {
    "bp4d": (
        Protocol(
            "bp4d",
            "three-fold",
            _BP4D,
            tuple(_BP4D),
            _ME_GRAPHAU,
            "The parts of JAA-Net, and of DRML before it. ME-GraphAU and MDHR have the same parts and count from the "
            "other end: their fold 1 tests part3. EAC-Net, OpenGraphAU and FMAE-IAT have other parts: do not compare.",
        ),
        Protocol(
            "bp4d",
            "fera-2015",
            _fera_2015(),
            ("devel",),
            {},
            "FERA 2015: odd numbers train, even numbers are its development set, which is tested. The usual protocol "
            "for action unit intensity on BP4D; its test set is not part of BP4D.",
        ),
    ),
    "bp4d_plus": (
        Protocol(
            "bp4d_plus",
            "four-fold",
            _BP4D_PLUS,
            tuple(_BP4D_PLUS),
            {},
            "The random lists that FMAE-IAT published in its README. BP4D+ has no single standard partition: figures "
            "of other papers with four folds were measured on other people.",
        ),
    ),
    "disfa": (
        Protocol(
            "disfa",
            "three-fold",
            _DISFA,
            tuple(_DISFA),
            _ME_GRAPHAU,
            "The parts of JAA-Net; FG-Net and LibreFace have them too. ME-GraphAU and MDHR have the same parts and "
            "count from the other end: their fold 1 tests part3.",
        ),
    ),
}
"""Protocols of each data set; the first one is the default."""


def protocol(dataset: str, name: str | None = None) -> Protocol:
    """A published protocol.

    Args:
        dataset: As in ``norface data prepare --dataset``.
        name: Of the protocol; None: the data set's first.

    Raises:
        ConfigError: There is none.
    """
    found = PROTOCOLS.get(dataset, ())
    if not found:
        raise ConfigError(
            expected=f"a data set with published lists of subjects: {', '.join(PROTOCOLS)}",
            found=repr(dataset),
            where="published folds",
            action="Use the data set's official splits (norface.data.OfficialSplit), groups in order of the subjects' "
            "names (OrderedFold), or folds by seed (SeededFold).",
        )
    for candidate in found:
        if name in (None, candidate.name):
            return candidate
    raise ConfigError(
        expected=f"one of {', '.join(candidate.name for candidate in found)}",
        found=repr(name),
        where=f"protocol of {dataset}",
        action=f"`norface data folds --dataset {dataset}` prints them.",
    )
