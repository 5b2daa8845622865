"""The list of events, the page of one, and the ways in and out: search and export."""
