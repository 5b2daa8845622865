"""Record landings: what an address says of its ad, and the touches of browsers that agreed."""
