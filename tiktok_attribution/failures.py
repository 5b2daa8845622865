"""Describe a failure in words that hold none of its data."""

from __future__ import annotations

from django.db import OperationalError, ProgrammingError

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
