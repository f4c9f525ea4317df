"""How much of what could be tried everywhere is tried: a share of it, or all with PACETOMO_THOROUGH=1."""

import os

THOROUGH = os.environ.get("PACETOMO_THOROUGH", "0") not in ("", "0")
