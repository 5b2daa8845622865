"""The rows of the report: credits of the roll-up and spend, joined object by object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from tiktok_attribution import conf
from tiktok_attribution.attribution.report_figures import NOTHING, Figures
from tiktok_attribution.attribution.report_objects import NAMED, UNKNOWN, ObjectIndex, ObjectPath, column_names, path_of
from tiktok_attribution.attribution.report_query import OBJECT_LEVELS, ReportQuery
from tiktok_attribution.attribution.report_sums import GroupSum, Rates, Spent, group_sums, roll_up
from tiktok_attribution.models import Clock, Traffic


@dataclass(slots=True, kw_only=True)
class Row:
    """One campaign, ad group, ad, placement or landing page with its figures.

    `key` is "" for what isn't known. `id` and `name` are texts of the landing address or of TikTok. `windows` holds the
    conversions and their value for each window, if the report was asked for that.
    """

    key: str
    id: str = ""
    name: str = ""
    figures: Figures = field(default_factory=Figures)
    is_ambiguous: bool = False
    windows: dict[int, Figures] = field(default_factory=dict)


class Listed:
    """What the rows are made of. Call `learn` first, then `rows`."""

    def __init__(self, query: ReportQuery, using: str, rates: Rates) -> None:
        self.query, self.using, self.rates = query, using, rates
        self.index = ObjectIndex()
        needs = [OBJECT_LEVELS.index(level) + 1 for level in (*query.inside, query.by) if level in OBJECT_LEVELS]
        self.depth = max(needs, default=0)
        self.level = OBJECT_LEVELS.index(query.by) if query.by in OBJECT_LEVELS else None
        self.columns = column_names(self.depth)
        if self.level is None:
            self.columns.append("landing_path" if query.by == "landing" else "placement")
        self._credits: list[GroupSum] = []
        self._by_click: list[GroupSum] = []
        self._spend: list[tuple[ObjectPath, Figures]] = []
        self._rows: dict[str, Row] = {}

    def learn(self, spend: Iterable[Spent]) -> None:
        """Read the sums, and learn the ids and names of both sides. Spend comes last: TikTok's names are the newest."""
        self._credits = list(self._sums(self.query.clock))
        # TikTok's day is that of the click, so beside its figures ours are needed by that clock too.
        is_shifted = self.query.clock == Clock.CONVERSION
        self._by_click = list(self._sums(Clock.CLICK.value)) if is_shifted else self._credits
        for found in (*self._credits, *self._by_click):
            self.index.learn(self._path(found))
        for one in spend:
            path = path_of([getattr(one.row, name) for name in column_names(self.depth)])
            self._spend.append((path, one.figures))
            self.index.learn(path, is_spend=True)
        self.index.close()

    def rows(self, *, with_windows: bool) -> list[Row]:
        """Return the joined rows, in no order."""
        for found in self._credits:
            self._add(self._key(found), found.figures)
        for found in self._by_click:
            self._add(self._key(found), Figures(by_click=found.figures.conversions))
        if self.level is not None:
            for path, figures in self._spend:
                keys = self.index.keys(path)
                self._add(keys[-1] if self._is_inside(keys) else None, figures)
        for window in conf.current().attribution.windows if with_windows else ():
            self._add_window(window)
        if self.level and UNKNOWN in self._rows:
            # Spend that TikTok gave for a whole campaign or ad group stands beside clicks that named no ad.
            figures = self._rows[UNKNOWN].figures
            figures.is_partial = bool(figures.spend)
        for row in self._rows.values():
            row.figures.by_click = row.figures.by_click or NOTHING
        return list(self._rows.values())

    def sources(self, key: str) -> list[dict[str, str]]:
        """Return the columns of touches that the row with this key stands for, most conversions first."""
        theirs = [found for found in self._credits if self._key(found) == key]
        theirs.sort(key=lambda found: found.figures.conversions, reverse=True)
        columns = [dict(zip(self.columns, map(str, found.columns), strict=True)) for found in theirs]
        return list({tuple(one.items()): one for one in columns}.values())

    def _add(self, key: str | None, figures: Figures) -> None:
        if key is not None:
            if key not in self._rows:
                self._rows[key] = self._made(key)
            self._rows[key].figures.add(figures)

    def _add_window(self, window: int) -> None:
        for found in self._sums(self.query.clock, window):
            key = self._key(found)
            if key is not None and key in self._rows:  # what only a wider window knows has no row in this one
                self._rows[key].windows.setdefault(window, Figures()).add(found.figures)

    def _made(self, key: str) -> Row:
        if self.level is None:
            return Row(key=key, name=key)
        return Row(
            key=key,
            id="" if key.startswith(NAMED) else key,
            name=self.index.name(self.level, key),
            is_ambiguous=self.index.is_ambiguous(self.level, key),
        )

    def _sums(self, clock: str, window: int = 0) -> Iterator[GroupSum]:
        query = replace(self.query, clock=clock, window=window or self.query.window)
        return group_sums(roll_up(query, self.using).filter(traffic=Traffic.PAID), self.columns, self.rates)

    def _path(self, found: GroupSum) -> ObjectPath:
        return path_of(found.columns[: 2 * self.depth])

    def _key(self, found: GroupSum) -> str | None:
        """Return the key of the row that these sums belong to; None if it is outside of what was chosen."""
        keys = self.index.keys(self._path(found))
        if not self._is_inside(keys):
            return None
        return str(found.columns[-1]) if self.level is None else keys[-1]

    def _is_inside(self, keys: tuple[str, ...]) -> bool:
        return all(keys[OBJECT_LEVELS.index(level)] == key for level, key in self.query.inside.items())
