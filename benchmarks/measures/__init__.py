"""One module a subject; each function measures one goal."""
