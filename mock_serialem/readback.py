"""Images from files that this session did not write: what their mdoc tells, and a shot to align with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mock_serialem.image import AREA_LETTERS, SET_LETTERS, Image
from mock_serialem.sim.pose import Pose, rotation_about_x
from mock_serialem.sim.shot import ExposureSetup, Shot

if TYPE_CHECKING:
    from mock_serialem.session import Session


def _floats(keys: dict[str, str], key: str, count: int) -> list[float] | None:
    try:
        values = [float(word) for word in keys.get(key, "").split()]
    except ValueError:
        return None
    return values[:count] if len(values) >= count else None


def image_from_keys(
    session: Session, pixels: NDArray[Any], keys: dict[str, str], pixel_a: float, tilt_deg: float | None
) -> Image:
    """Wrap pixels read from a file of unknown origin.

    In rendered fidelity the image gets a shot to correlate with: its pixels count, its pose is not known. In kinematic
    fidelity it gets none, because there the pose is all that counts.
    """
    rows, columns = pixels.shape

    def one(key: str, default: float) -> float:
        found = _floats(keys, key, 1)
        return found[0] if found else default

    index = int(one("MagIndex", 0))
    con_set = int(one("LowDoseConSet", 0))
    stage = _floats(keys, "StagePosition", 2)
    shift = _floats(keys, "ImageShift", 2)
    letter = SET_LETTERS[con_set - 1] if 1 <= con_set <= len(SET_LETTERS) else "R"
    area = {"P": "R", "M": "R"}.get(letter, letter)
    image = Image(
        pixels=pixels,
        size_px=(columns, rows),
        pixel_um=one("PixelSpacing", pixel_a) * 1e-4,
        binning=one("Binning", 0.0),
        area=AREA_LETTERS.index(area) if con_set > 0 else -1,
        mag_index=index,
        magnification=one("Magnification", 0.0),
        exposure_s=one("ExposureTime", 0.0),
        dose_e_per_a2=one("ExposureDose", 0.0),
        tilt_deg=one("TiltAngle", tilt_deg or 0.0),
        rotation_deg=one("RotationAngle", 0.0),
        intensity=one("Intensity", 0.0),
        stage_um=(stage[0], stage[1], one("StageZ", 0.0)) if stage else None,
        image_shift=(shift[0], shift[1]) if shift else (0.0, 0.0),
        keys=dict(keys),
        counts_per_electron=one("CountsPerElectron", 0.0),
    )
    if session.world.config.fidelity == "rendered":
        image.shot = _shot_of(session, image, letter, area)
    return image


def _shot_of(session: Session, image: Image, letter: str, area: str) -> Shot:
    index = image.mag_index or session.world.mag_index
    pixel = image.pixel_um or session.world.pixel_um(index)
    rotation = image.rotation_deg or session.world.rotation_deg(index)
    setup = ExposureSetup(
        camera_set=letter,
        area=area,
        mag_index=index,
        binning=max(1, int(image.binning)),
        size_px=image.size_px,
        exposure_s=image.exposure_s or 1.0,
    )
    pose = Pose(
        rotation=rotation_about_x(image.tilt_deg),
        offset_um=np.zeros(3),
        centre_um=(0.0, 0.0, 0.0),
        tilt_deg=image.tilt_deg,
        tilt_nominal_deg=image.tilt_deg,
        defocus_um=0.0,
        pixel_um=pixel,
        rotation_deg=rotation,
    )
    mean = float(image.pixels.mean())
    counts = image.counts_per_electron or session.scope.camera.counts_per_electron
    return Shot(
        setup=setup,
        number=0,
        t_s=0.0,
        tilt_deg=image.tilt_deg,
        stage_um=image.stage_um or (0.0, 0.0, 0.0),
        image_shift=image.image_shift,
        focus_um=0.0,
        pixel_um=pixel,
        rotation_deg=rotation,
        mean_counts=mean,
        counts_per_electron=counts,
        dose_e_per_a2=image.dose_e_per_a2,
        electrons_per_pixel=mean / counts,
        contrast=1.0,
        pixels=image.pixels,
        pose=pose,
    )
