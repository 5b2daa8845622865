"""Speed beside its yardsticks: `python benchmarks/run.py`, goals P1 to P12 of `goals.py`."""
