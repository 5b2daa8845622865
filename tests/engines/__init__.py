"""Private database and broker servers for the tests: each on a free loopback port, gone when the run ends."""
