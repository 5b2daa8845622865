"""Describe a failure in words that hold none of its data.

Why the site's own code failed, in words that hold none of its data.
"""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

from django.db import OperationalError, ProgrammingError

from tiktok_attribution import conf
from tiktok_attribution.events.sanitize import MAX_TEXT, bounded, without_emails
from tiktok_attribution.exceptions import InvalidEvent

logger = logging.getLogger("tiktok_attribution")

APP = "tiktok_attribution"
MIGRATE = "Tables of tiktok_attribution are missing or old: run manage.py migrate."

# What each database says of a table or column that is not there. PostgreSQL translates its words, so its SQLSTATE is
# read: undefined_table and undefined_column. MySQL and MariaDB: ER_NO_SUCH_TABLE and ER_BAD_FIELD_ERROR. SQLite has
# one code for every mistake in a statement, so its words are read, which are never translated.
_SQLSTATES = ("42P01", "42703")
_MYSQL_CODES = (1146, 1054)
_SQLITE_WORDS = ("no such table", "no such column", "has no column named")


def describe(error: BaseException) -> str:
    """Return the error's type, and what is known to be safe: a missing module's name, tables that `migrate` makes.

    The text of an error may hold anybody's data, a password in a broker's URL among it, so it is never repeated.
    """
    name = type(error).__name__
    if lacks_tables(error):
        return f"{name}: {MIGRATE}"
    module = missing_module(error)
    return f"{name}: {module}" if module else name


def missing_module(error: BaseException) -> str:
    """Return the name of the module that could not be imported, "" for any other error."""
    return (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""


def lacks_tables(error: BaseException) -> bool:
    """Tell whether a table or a column of this app is missing. Asks the error alone, for this may be a checkout.

    A missing table of the site's own is another matter, so the name of one of ours must be in the message.
    """
    if not isinstance(error, (OperationalError, ProgrammingError)) or f"{APP}_" not in str(error):
        return False
    if error.args and error.args[0] in _MYSQL_CODES:  # before SQLSTATE, which PyMySQL has too, of other codes
        return True
    cause = error.__cause__ or error
    code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)  # psycopg 3, psycopg 2
    return code in _SQLSTATES if code else any(words in str(error) for words in _SQLITE_WORDS)


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
