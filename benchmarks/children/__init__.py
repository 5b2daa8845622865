"""Programs that run as processes of their own: `python -m benchmarks.children.<name>`."""
