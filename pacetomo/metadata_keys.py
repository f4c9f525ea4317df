"""Keys that an acquisition adds to the metadata of its images; values in µm."""

from __future__ import annotations

SPECIMEN_SHIFT = "SpecimenShift"
"""Where the target was found: the specimen shift that would have centred it (x y)."""

EUCENTRIC_OFFSET = "EucentricOffset"
"""Height of the target over the tilt axis, as believed after this image."""

RESIDUAL = "TargetResidual"
"""Where the target was seen from where it was aimed at (x y)."""
