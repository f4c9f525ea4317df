"""``python -m mock_serialem``."""

from __future__ import annotations

import sys

from mock_serialem.cli import main

if __name__ == "__main__":
    sys.exit(main())
