"""Run the stand-in: `python -m tiktok_attribution.testing`."""

import sys

from tiktok_attribution.testing.server import run

sys.exit(run(sys.argv[1:]))
