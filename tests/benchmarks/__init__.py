"""The benchmarks' own tests: no figure is measured here."""
