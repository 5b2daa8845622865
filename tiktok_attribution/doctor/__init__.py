"""Check whether everything that delivery needs is in place.

One function checks one concern and yields check results.
"""
