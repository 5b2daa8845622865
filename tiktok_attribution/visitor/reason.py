"""Why the site's own code failed, in words that hold none of its data."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

from tiktok_attribution import conf
from tiktok_attribution.events.sanitize import MAX_TEXT, bounded, without_emails
from tiktok_attribution.exceptions import InvalidEvent
from tiktok_attribution.failures import MIGRATE, lacks_tables

logger = logging.getLogger("tiktok_attribution")

# Where an error comes to light here it was caused further up, in the site's code.
_NOT_THE_SITE = {"tiktok_attribution", "django", "psycopg", "psycopg2", "MySQLdb", "pymysql", "sqlite3"}


def report(error: Exception, message: str, *args: object) -> None:
    """Log that something of ours failed, and why; where the setting STRICT asks for it, raise instead."""
    if conf.current().strict:
        raise error
    logger.error(f"tiktok: {message}: %s", *args, reason(error))  # noqa: G004 -- the message is a literal of ours


def reason(error: BaseException) -> str:
    """An InvalidEvent's own words, else type and place: the text of a stranger's error may hold anybody's data."""
    if isinstance(error, InvalidEvent):
        return bounded(str(error), MAX_TEXT, without_emails)[0]
    if lacks_tables(error):
        return MIGRATE
    frames = list(traceback.walk_tb(error.__traceback__))
    if not frames:
        return f"{type(error).__name__} was raised."
    site = [one for one in frames if one[0].f_globals.get("__name__", "").partition(".")[0] not in _NOT_THE_SITE]
    frame, line = (site or frames)[-1]
    code = frame.f_code
    place = "/".join(Path(code.co_filename).parts[-2:])
    return f"{type(error).__name__} was raised at {place}, line {line}, in {code.co_name}."
