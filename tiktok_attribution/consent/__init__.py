"""The answer of a visitor, and how to read it from the cookies of a consent tool. Does not import Django."""
