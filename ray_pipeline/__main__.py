"""``python -m ray_pipeline``: what ``ray job submit`` runs."""

import sys

from ray_pipeline.cli import main

if __name__ == "__main__":
    sys.exit(main())
