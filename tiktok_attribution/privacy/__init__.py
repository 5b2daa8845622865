"""What a person may ask for: a copy of everything that is kept of them, and its erasure."""
