"""`python -m tiktok_attribution.testing` runs the stand-in."""

import sys

from tiktok_attribution.testing.run import run

sys.exit(run(sys.argv[1:]))
