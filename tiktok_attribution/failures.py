"""Describe failures in words that contain none of their data, for logs and the admin.

`describe` names an error's type. `reason` also names the place in the site's code. `report` logs it, or raises under
STRICT.
"""

from __future__ import annotations

import logging
import re
import traceback
from pathlib import Path

from django.db import OperationalError, ProgrammingError

from tiktok_attribution import conf
from tiktok_attribution.events.sanitize import MAX_TEXT, bounded, without_emails
from tiktok_attribution.exceptions import InvalidEvent

logger = logging.getLogger("tiktok_attribution")

APP = "tiktok_attribution"
MIGRATE = "Tables of tiktok_attribution are missing or old: run manage.py migrate."

# What each database says if a table or column is missing. PostgreSQL translates its messages, so its SQLSTATE is read:
# undefined_table and undefined_column. MySQL and MariaDB: ER_NO_SUCH_TABLE and ER_BAD_FIELD_ERROR. SQLite has one code
# for every error in a statement, so its message is read; SQLite never translates it.
_SQLSTATES = ("42P01", "42703")
_MYSQL_CODES = (1146, 1054)
_MYSQL_DATABASE = re.compile(r"Table '[^'.]*\.")
_SQLITE_WORDS = ("no such table", "no such column", "has no column named")


def describe(error: BaseException) -> str:
    """Return the error's type, and details that are known to be safe: a missing module, or that `migrate` must run.

    The text of an error may contain anybody's data, even a password in a broker's URL, so it is never repeated.
    """
    name = type(error).__name__
    if lacks_tables(error):
        return f"{name}: {MIGRATE}"
    module = missing_module(error)
    return f"{name}: {module}" if module else name


def missing_module(error: BaseException) -> str:
    """Return the name of the module that could not be imported; "" for any other error."""
    return (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""


def lacks_tables(error: BaseException) -> bool:
    """Return True if a table or a column of this app is missing. It makes no query, because this may be a checkout.

    A missing table of the site's own does not count, so the message must name one of this app's tables. A database may
    have such a name too; MySQL and MariaDB write it before the table's.
    """
    if not isinstance(error, (OperationalError, ProgrammingError)):
        return False
    if f"{APP}_" not in _MYSQL_DATABASE.sub("Table '", str(error)):
        return False
    if error.args and error.args[0] in _MYSQL_CODES:  # before SQLSTATE: PyMySQL has one too, with other codes
        return True
    cause = error.__cause__ or error
    code = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)  # psycopg 3, psycopg 2
    return code in _SQLSTATES if code else any(words in str(error) for words in _SQLITE_WORDS)


# An error that appears in one of these packages was caused further up, in the site's code.
_NOT_THE_SITE = {"tiktok_attribution", "django", "psycopg", "psycopg2", "MySQLdb", "pymysql", "sqlite3"}


def report(error: Exception, message: str, *args: object) -> None:
    """Log that something in this app failed, and why. If STRICT is set, raise the error instead."""
    if conf.current().strict:
        raise error
    logger.error(f"tiktok: {message}: %s", *args, reason(error))  # noqa: G004 -- the message is a literal of ours


def reason(error: BaseException) -> str:
    """Return the words of an InvalidEvent; for other errors type and place, as their text may hold anybody's data."""
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
