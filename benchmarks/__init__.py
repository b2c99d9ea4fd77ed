"""How long things take, how this grows, and how much memory it needs: `python -m benchmarks`."""
