"""The simulator's clock: real time plus what a test has added to it."""

import asyncio
import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

ATHENS = ZoneInfo("Europe/Athens")


class Clock:
    """Seconds since the epoch that can be moved forward; sleepers notice."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._moved = asyncio.Event()

    def time(self) -> float:
        return time.time() + self._offset

    def now(self) -> datetime:
        """The current time, with time zone UTC."""
        return datetime.fromtimestamp(self.time(), timezone.utc)

    def advance(self, seconds: float) -> None:
        self._offset += seconds
        self._moved.set()
        self._moved = asyncio.Event()

    def reset(self) -> None:
        self.advance(-self._offset)

    async def until(self, moment: float) -> None:
        """Wait until the clock shows ``moment`` (seconds since the epoch)."""
        while (left := moment - self.time()) > 0:
            try:
                await asyncio.wait_for(self._moved.wait(), left)
            except asyncio.TimeoutError:
                continue

    async def sleep(self, seconds: float) -> None:
        await self.until(self.time() + seconds)


def athens(moment: datetime) -> datetime:
    return moment.astimezone(ATHENS)


def naive_athens(moment: datetime) -> str:
    """``2026-04-14T22:16:11.403``: how webhooks write ``InsDate`` (webhooks reference, 5.0)."""
    return athens(moment).replace(tzinfo=None).isoformat(timespec="milliseconds")


def offset_athens(moment: datetime) -> str:
    """``2026-04-14T22:16:11.403+03:00``: how the REST answers write times."""
    return athens(moment).isoformat(timespec="milliseconds")


def utc_seven_digits(moment: datetime) -> str:
    """``2026-04-14T19:16:13.0417000Z``: ``Created`` of a webhook's envelope."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def add_hours(moment: datetime, hours: float) -> datetime:
    return moment + timedelta(hours=hours)
