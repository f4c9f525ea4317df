"""What a check before a run wants to know of the microscope; None for what it cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pacetomo.frames import XY
from pacetomo.scope.protocol import Limits


@dataclass(frozen=True)
class Facts:
    """State and calibrations of a microscope, for checks. A value of None is not known and not checked.

    Attributes
    ----------
    limits : Limits
        Image shift and tilt.
    beam_um : float or None
        Diameter of the Record beam on a sample normal to it.
    field_um : XY or None
        Size of a Record image, along the camera's X and Y.
    coarse_fields_um : mapping of str to XY
        The same of View ("V") and Search ("S"), as far as known.
    field_rotation_deg : float
        Camera's X axis against the specimen's, counter-clockwise.
    image_bytes : int or None
        Size of a Record image as saved.
    axis_offset_um : float or None
        Tilt axis offset as set in SerialEM.
    is_coma_calibrated : bool or None
        Whether beam tilt against image shift is calibrated.
    focus_axis_um : float or None
        Distance of the Focus area from Record along the tilt axis.
    saves_frames : bool or None
        Whether Record images save their frames.
    frame_folder : str or None
        Where frames go; "" when no folder is set.
    writes_mdoc : bool or None
        Whether new image files get metadata files.
    is_mrc : bool or None
        Whether new image files are MRC.
    """

    limits: Limits
    beam_um: float | None = None
    field_um: XY | None = None
    coarse_fields_um: Mapping[str, XY] = field(default_factory=dict)
    field_rotation_deg: float = 0.0
    image_bytes: int | None = None
    axis_offset_um: float | None = None
    is_coma_calibrated: bool | None = None
    focus_axis_um: float | None = None
    saves_frames: bool | None = None
    frame_folder: str | None = None
    writes_mdoc: bool | None = None
    is_mrc: bool | None = None


OFFLINE = Facts(Limits(image_shift_um=15.0, max_tilt_deg=70.0))
"""What most columns allow; used where there is no microscope to ask."""
