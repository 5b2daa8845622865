"""The test-suite; not part of the wheel."""
