"""Which campaign, ad group or ad a row is about: found by its id, else by its name where that is unambiguous.

Landings know what their address says, spend what TikTok says. `ObjectIndex` learns the ids and names of both and then
gives each of them a key, so that the same object is one row of the report.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from tiktok_attribution.attribution.report_query import OBJECT_LEVELS

NAMED = "~"
"""Before the name in the key of an object whose id isn't known. No id begins with it."""
UNKNOWN = ""
"""The key of what no id and no name tells."""


class ObjectName(NamedTuple):
    """What is known of an object: its id and its name, each "" if unknown."""

    id: str
    name: str


_Ids = defaultdict[tuple[str, str], set[str]]
"""Ids by the key of the parent ("" for any) and the name in lower case."""
ObjectPath = tuple[ObjectName, ...]
"""The names of a campaign, an ad group and an ad, as far as a row goes."""


def path_of(columns: Sequence[str]) -> ObjectPath:
    """Return the path of columns in the order id, name, id, name …"""
    return tuple(ObjectName(columns[place], columns[place + 1]) for place in range(0, len(columns), 2))


def column_names(depth: int) -> list[str]:
    """Return the columns of the first `depth` levels, in the order of `path_of`."""
    return [f"{level}_{part}" for level in OBJECT_LEVELS[:depth] for part in ("id", "name")]


# Decision: ids come first, because names change and are used twice. A name alone is matched to an id where exactly one
# object of the same parent has it, without regard to case. Otherwise it is a row of its own that says so. Where the
# spend has the name, its ids alone count: those of addresses are visitors' texts, and a made-up one would take the
# clicks of a campaign away from its spend.
class ObjectIndex:
    """The ids and names of all objects in the report. Learn all paths before the first question."""

    def __init__(self) -> None:
        self._ids: list[_Ids] = [defaultdict(set) for _level in OBJECT_LEVELS]
        self._spent: list[_Ids] = [defaultdict(set) for _level in OBJECT_LEVELS]
        self._names: list[dict[str, str]] = [{} for _level in OBJECT_LEVELS]
        self._learned: list[ObjectPath] = []
        self._of_spend: set[ObjectPath] = set()

    def learn(self, path: ObjectPath, *, is_spend: bool = False) -> None:
        """Take in a path. Of several names of one id, the one that is learned last is shown."""
        self._learned.append(path)
        if is_spend:
            self._of_spend.add(path)

    def close(self) -> None:
        """Read what was learned, campaigns first: the name of an ad group belongs to a campaign's key."""
        paths = set(self._learned)
        for level in range(len(OBJECT_LEVELS)):
            for path in paths:
                if len(path) > level and path[level].id and path[level].name:
                    for parent in {self._parent(path, level), ""}:
                        name = path[level].name.casefold()
                        self._ids[level][parent, name].add(path[level].id)
                        if path in self._of_spend:
                            self._spent[level][parent, name].add(path[level].id)
        for path in self._learned:
            for level, one in enumerate(path):
                if one.name:
                    self._names[level][one.id or NAMED + one.name.casefold()] = one.name
        self._learned = []

    def keys(self, path: ObjectPath) -> tuple[str, ...]:
        """Return the key of each object on this path."""
        return tuple(self._key(path, level) for level in range(len(path)))

    def name(self, level: int, key: str) -> str:
        """Return the name of the object with this key; "" if only its id is known."""
        return self._names[level].get(key, "")

    def is_ambiguous(self, level: int, key: str) -> bool:
        """Return whether this name belongs to several objects, so that nobody knows which one is meant."""
        return key.startswith(NAMED) and len(self._found(level, "", key.removeprefix(NAMED))) > 1

    def _key(self, path: ObjectPath, level: int) -> str:
        one = path[level]
        if one.id or not one.name:
            return one.id or UNKNOWN
        name = one.name.casefold()
        found = self._found(level, self._parent(path, level), name)
        return next(iter(found)) if len(found) == 1 else NAMED + name

    def _found(self, level: int, parent: str, name: str) -> set[str]:
        """Return the ids of a name in lower case."""
        return self._spent[level].get((parent, name)) or self._ids[level].get((parent, name)) or set()

    def _parent(self, path: ObjectPath, level: int) -> str:
        return self._key(path, level - 1) if level else ""
