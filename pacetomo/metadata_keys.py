"""Keys that an acquisition adds to the metadata of its images, after those that SerialEM writes.

Lengths are in µm, doses in e/Å² of mean over the image. A key is missing where its value is not known. With the setting
`extendedMdoc` off only the CTF fit is written.

The dose that the target itself has had before the image stands in SerialEM's own `PriorRecordDose`. It is that of every
exposure on it: its reference images, as far as their metadata tell, Preview and View of the set-up and of a resume,
autofocus whose beam reaches it, first, dark and lost images, and its series. Of SerialEM's own routines the eucentric
height is counted with the fewest View images it takes; realigning to the item and walking up are not.
"""

from __future__ import annotations

PRIOR_DOSE = "PriorRecordDose"
"""SerialEM's own key: dose of the target before this image."""

SPECIMEN_SHIFT = "SpecimenShift"
"""Where the target was found: the specimen shift that would have centred it (x y)."""

EUCENTRIC_OFFSET = "EucentricOffset"
"""Height of the target over the tilt axis, as believed after this image."""

RESIDUAL = "TargetResidual"
"""Where the target was seen from where it was aimed at (x y)."""

RESIDUAL_SIGMA = "TargetResidualSigma"
"""Standard deviation of `RESIDUAL` (x y), by the correlation; missing where SerialEM has aligned the image."""

TILE = "TargetTile"
"""Place of the image in the target's montage (x y, 0 0 for the centre); missing where there is none."""

TARGET_NUMBER = "TargetNumber"
"""Number of the target in its target file, from 1."""

TARGET_NAME = "TargetName"
"""Name of the target: that of its series without suffix."""

AREA = "AcquisitionArea"
"""Name of the acquisition area: that of the target file without ``_tgts.txt``."""

ORDER = "AcquisitionOrder"
"""Place of the image in its series by time, from 1."""

NEIGHBOUR_DOSE = "PriorNeighbourDose"
"""Dose before this image by beams aimed at neighbouring targets and tiles. It is not part of `PRIOR_DOSE`."""

MEASURED_DEFOCUS = "MeasuredDefocus"
"""Defocus of this image as measured, underfocus negative."""

DEFOCUS_METHOD = "MeasuredDefocusMethod"
"""How: Ctfplotter or CtfFind by this image, Autofocus at this tilt before it."""

SETTINGS_HASH = "SettingsHash"
"""Tells images of the same settings from others: see `pacetomo.settings.settings_hash`."""
