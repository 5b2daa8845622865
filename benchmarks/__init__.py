"""Speed beside its yardsticks: `python benchmarks/run.py`, goals P1 to P13 of `goals.py`."""
