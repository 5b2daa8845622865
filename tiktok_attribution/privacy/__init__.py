"""Answer a person's requests about their data: a copy of everything that is stored about them, and its erasure."""
