"""`python -m tiktok_attribution.testing` runs the stand-in."""

import sys

from tiktok_attribution.testing.server import run

sys.exit(run(sys.argv[1:]))
