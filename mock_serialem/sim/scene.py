"""Stage, optics and sample put together: where the sample lies in an image, and how far out of focus.

Image centre
------------
Lab x, y of the image centre = true image-shift matrix @ raw image shift + misalignment of the area
+ place of the recorded area on the camera.
A lab point shows at (lab - centre) in the specimen plane of the image.

Defocus
-------
True defocus of a point = focus readout + its lab height + error of the focus zero (+ error of the area's
defocus offset). Underfocus is negative; the readout is the one in force, View's offset included.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mock_serialem.sim.optics import Optics
from mock_serialem.sim.pose import Pose, plane_rotation, rotation_about_x
from mock_serialem.sim.profiles import MicroscopeProfile
from mock_serialem.sim.sample import Placement, Sheet
from mock_serialem.sim.stage import Stage


@dataclass(frozen=True)
class ImagingState:
    """What decides where an image is taken.

    Area letter, magnification index, raw image shift, focus readout, and the place of the recorded area on the camera
    (physical pixels from its middle, Y up).
    """

    area: str
    mag_index: int
    image_shift: tuple[float, float]
    focus_um: float
    offset_px: tuple[float, float] = (0.0, 0.0)


class Scene:
    """The geometry of the whole column.

    Parameters
    ----------
    profile : MicroscopeProfile
    stage : Stage
    optics : Optics
    sheet : Sheet
    focus_phase : float
        Where in its slow wandering the focus zero starts (rad).
    """

    def __init__(
        self, profile: MicroscopeProfile, stage: Stage, optics: Optics, sheet: Sheet, focus_phase: float
    ) -> None:
        self._profile = profile
        self._stage = stage
        self._optics = optics
        self._sheet = sheet
        self._focus_phase = focus_phase

    def focus_zero_um(self, area: str, t_s: float) -> float:
        """True defocus on the tilt axis at focus readout 0."""
        profile = self._profile
        phase = 2.0 * math.pi * t_s / profile.focus_wander_period_s + self._focus_phase
        wander = profile.focus_wander_um * (math.sin(phase) - math.sin(self._focus_phase))
        return profile.focus_zero_um + wander + profile.area_defocus_error_um.get(area, 0.0)

    def pose(self, state: ImagingState, binning: int, t_s: float) -> tuple[Pose, Placement]:
        """Mapping from sample to image at time `t_s`, and where the image centre lies on the sheet."""
        stage, optics = self._stage, self._optics
        rotation = rotation_about_x(stage.tilt_true_deg)
        offset = rotation @ stage.shift_um() + stage.displacement_um(t_s)
        offset[1] += stage.profile.tilt_axis_offset_um
        misaligned = self._profile.area_misalignment_um.get(state.area, (0.0, 0.0))
        centre = optics.true_is_to_specimen(state.mag_index) @ np.asarray(state.image_shift)
        on_camera = optics.true_pixel_um(state.mag_index) * np.asarray(state.offset_px)
        aside = plane_rotation(-optics.true_rotation_deg(state.mag_index)) @ on_camera
        offset[:2] -= centre + np.asarray(misaligned) + aside
        placement = self._sheet.at_centre(rotation, offset)
        height = float(rotation[2] @ np.asarray(placement.point_um) + offset[2])
        pose = Pose(
            rotation=rotation,
            offset_um=offset,
            centre_um=placement.point_um,
            tilt_deg=stage.tilt_true_deg,
            tilt_nominal_deg=stage.tilt_nominal_deg,
            defocus_um=state.focus_um + height + self.focus_zero_um(state.area, t_s),
            pixel_um=optics.true_pixel_um(state.mag_index) * binning,
            rotation_deg=optics.true_rotation_deg(state.mag_index),
        )
        return pose, placement
