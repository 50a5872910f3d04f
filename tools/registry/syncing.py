"""The registry is brought up to date with the Hub: page by page, from where the last one stopped.

The first reading is of every model; later ones are of what changed since, a little overlapped, as
the Hub's index lags behind. What was read is kept in parts, with the address of the next page, so
a killed process loses one part at most; a Hub that goes away ends the reading in one line and
loses nothing. The Hub's popularity counts change without a change of the model: a reading of
everything now and then brings those up to date, and finds out what was deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from memory import registry_folding
from memory.errors import BadRequest
from memory.registry_store import HUB, Reading
from tools.clients.hub import listing
from tools.clients.hub.api import HubUnavailable
from tools.deps import Progress, silent
from tools.registry import hub_record, hub_scores
from tools.registry.batch import PART, Batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from memory.registry_store import RegistryStore, State
    from memory.scores import Scores
    from tools.clients.hub.api import Hub

OVERLAP = timedelta(hours=2)


@dataclass(frozen=True)
class Synced:
    """What came of a sync. ``trouble``: the line to tell when the Hub ended it early.

    ``done`` False: there is more; the next sync goes on from here.
    """

    full: bool
    done: bool
    read: int
    quarantined: int
    models: int
    scores: hub_scores.Kept
    trouble: str | None = None


def sync(
    hub: Hub,
    store: RegistryStore,
    scores: Scores,
    clock: Callable[[], datetime],
    *,
    full: bool = False,
    limit: int | None = None,
    progress: Callable[[Progress], None] = silent,
) -> Synced:
    """Read until the Hub has no more, or at least ``limit`` records (a page's rest is read, too).

    Raises:
        BadRequest: the models here were read from another Hub.
        RegistryBusy: another process is at it.
        DamagedStore: a file of the registry can't be read.
    """
    with store.locked():
        state = store.state
        _same_hub(state, hub)
        reading = _reading(store, state, hub, clock, full=full)
        one = _Sync(hub, store, clock, reading, progress)
        trouble = one.read(limit)
        aside = sum(1 for _ in store.part_values(one.reading.parts, "quarantine"))
        progress(Progress("putting the registry together", one.reading.read))
        kept = _fold(store, scores, one.reading, clock)
        after = store.state
    return Synced(reading.full, one.reading.done, one.taken, aside, after.models, kept, trouble)


class _Sync:
    """One run of a reading."""

    def __init__(
        self,
        hub: Hub,
        store: RegistryStore,
        clock: Callable[[], datetime],
        reading: Reading,
        progress: Callable[[Progress], None],
    ) -> None:
        self.hub, self.store, self.clock, self.reading = hub, store, clock, reading
        self.progress = progress
        self.taken = 0
        day = clock().date().isoformat()
        self.batch = Batch(f"hub {day}", reading.started, hub_record.read)

    def read(self, limit: int | None) -> str | None:
        """Read into parts; returns the line to tell when the Hub ended it early."""
        if self.reading.done:  # a killed process had only the folding left
            return None
        size = min(limit or listing.PAGE, listing.PAGE)
        starts = listing.first_pages(self.hub, changed=not self.reading.full, size=size)
        if self.reading.next:
            starts.insert(0, listing.resized(self.reading.next, size))
        refused = ""
        for start in starts:
            try:
                return self._pages(start, limit)
            except listing.AddressRefused as error:
                refused = str(error)
                if self.taken:
                    break
        return refused

    def _pages(self, start: str, limit: int | None) -> str | None:
        following: str | None = start
        whole = self.store.state.layers
        total = whole[HUB].models if self.reading.full and HUB in whole else None
        try:
            for page in listing.pages(self.hub, start):
                reached = self._page(page.records)
                following = page.next
                done = reached or following is None
                if done or self.batch.read >= PART:
                    self._keep(following, done=done)
                self.progress(
                    Progress("reading the Hub", self.reading.read + self.batch.read, total)
                )
                if done or (limit is not None and self.taken >= limit):
                    break
        except listing.AddressRefused:
            raise
        except HubUnavailable as error:
            return str(error)
        finally:  # also when a person stops it
            if self.batch.read:
                self._keep(following, done=False)
        return None

    def _page(self, records: list[Any]) -> bool:
        """Take a page; whether all that changed since the last sync has now been met."""
        now = self.clock().astimezone(UTC).isoformat(timespec="seconds")
        changes = [change for raw in records if (change := self.batch.take(raw)) is not None]
        self.taken += len(records)
        newest = max(changes, default=None)
        if newest is not None and newest > (self.reading.newest or ""):
            self.reading = self.reading.model_copy(update={"newest": min(newest, now)})
        cut = self.reading.cut
        return cut is not None and newest is not None and newest < cut

    def _keep(self, following: str | None, *, done: bool) -> None:
        """Put the batch aside, then say that it counts."""
        read = self.batch.read
        self.batch.into(self.store, self.reading.parts)
        self.reading = self.reading.model_copy(
            update={
                "next": following,
                "parts": self.reading.parts + 1,
                "read": self.reading.read + read,
                "done": done,
            }
        )
        self.store.state = self.store.state.model_copy(update={"reading": self.reading})


def _same_hub(state: State, hub: Hub) -> None:
    known = state.layers.get(HUB)
    if known and known.source != hub.endpoint:
        raise BadRequest(
            f"The models here were read from {known.source}, not {hub.endpoint}: two Hubs are not"
            " mixed. Set MIRROR_HUB_URL back, or MIRROR_HOME to another folder."
        )


def _reading(
    store: RegistryStore,
    state: State,
    hub: Hub,
    clock: Callable[[], datetime],
    *,
    full: bool,
) -> Reading:
    """The reading to go on with, else a new one."""
    known, pending = state.layers.get(HUB), state.reading
    if pending and pending.endpoint == hub.endpoint and (pending.full or not full):
        return pending
    store.drop_parts()
    started = clock().astimezone(UTC).isoformat(timespec="seconds")
    cut = None
    if known and known.full and known.until and not full:
        cut = (datetime.fromisoformat(known.until) - OVERLAP).isoformat(timespec="seconds")
    return Reading(full=cut is None, started=started, endpoint=hub.endpoint, next=None, cut=cut)


def _fold(
    store: RegistryStore,
    scores: Scores,
    reading: Reading,
    clock: Callable[[], datetime],
) -> hub_scores.Kept:
    """Parts into the layer, scores into P_ij, all layers into one; then the parts are forgotten."""
    if not reading.parts and not reading.done:
        return hub_scores.Kept()
    now = clock().astimezone(UTC).isoformat(timespec="seconds")
    state = registry_folding.fold_hub(store, store.state, reading, now)
    layer = state.layers[HUB]
    kept = hub_scores.keep(
        lambda: store.part_values(reading.parts, "scores"),
        scores,
        reading.endpoint,
        layer.scales,
    )
    layers = state.layers | {HUB: layer.model_copy(update={"scales": kept.scales})}
    rest = None if reading.done else reading.model_copy(update={"parts": 0})
    state = state.model_copy(update={"layers": layers, "reading": rest})
    store.state = registry_folding.rebuild(store, state, now)
    store.drop_parts()
    return kept
