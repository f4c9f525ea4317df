"""`python -m pacetomo` is the command line."""

import sys

from pacetomo.cli import main

sys.exit(main())
