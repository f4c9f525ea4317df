"""Taking images and the camera parameter sets."""

from __future__ import annotations

from mock_serialem import acquisition
from mock_serialem.camera_sets import AREA_OF_SET
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.session import Session
from mock_serialem.stage_moves import tilt


def _register_acquisition(name: str, letter: str) -> None:
    def take(session: Session) -> None:
        acquisition.acquire(session, letter)

    command(name)(take)


for _name, _letter in (
    ("View", "V"),
    ("Focus", "F"),
    ("Trial", "T"),
    ("Record", "R"),
    ("Preview", "P"),
    ("Search", "S"),
):
    _register_acquisition(_name, _letter)


@command("AcquireToMatchBuffer")
def acquire_to_match(session: Session, buffer: str) -> None:
    """Take an image like the one in a buffer."""
    acquisition.acquire_to_match(session, session.buffers.get(buffer))


@command("RecordAndTiltTo")
def record_and_tilt_to(
    session: Session,
    angle: float,
    backlash: float = 0.0,
    restore: int = 0,
    x: float | None = None,
    y: float | None = None,
) -> None:
    """Record, then tilt."""
    acquisition.acquire(session, "R")
    tilt(session, angle, restore, x, y)


@command("ArePostActionsEnabled")
def post_actions(session: Session) -> tuple[float, float]:
    """Stage moves can follow an exposure at once."""
    return 1.0, 1.0


@command("EarlyReturnNextShot")
def early_return(session: Session, frames: int, sets: int = 0, other: int = 0) -> None:
    """Ask for an early return; the simulated camera returns full sums."""


def _set(session: Session, given: str) -> str:
    return session.cameras.letter(given)


@command("SetExposure")
def set_exposure(session: Session, which: str, seconds: float, drift: float = 0.0) -> None:
    """Exposure and drift settling (s)."""
    if seconds <= 0.0:
        raise CommandError(f"An exposure time of {seconds:g} is not legal")
    session.cameras.change(_set(session, which), exposure_s=seconds, drift_s=max(0.0, drift))


@command("ReportExposure")
def report_exposure(session: Session, which: str) -> tuple[float, float]:
    """Exposure and drift settling (s)."""
    used = session.cameras.get(_set(session, which))
    return used.exposure_s, used.drift_s


@command("SetBinning")
def set_binning(session: Session, which: str, binning: float) -> None:
    """Binning in physical pixels."""
    session.cameras.set_binning(_set(session, which), binning)


@command("ReportBinning")
def report_binning(session: Session, which: str) -> float:
    """Binning in physical pixels."""
    return session.cameras.get(_set(session, which)).binning


@command("SetCameraArea")
def set_camera_area(
    session: Session, which: str, area: str, right: int = 0, top: int = 0, bottom: int = 0
) -> None:
    """Use a part of the camera: F, H, Q, WH, WQ, or left with right, top, bottom in unbinned pixels."""
    letter = _set(session, which)
    columns, rows = session.cameras.binned_size(session.cameras.get(letter).binning)
    shapes = {"F": (1, 1), "H": (2, 2), "Q": (4, 4), "WH": (1, 2), "WQ": (2, 4)}
    shape = shapes.get(area.strip().upper())
    if shape is not None:
        session.cameras.change(letter, size_px=(columns // shape[0], rows // shape[1]), offset_px=(0.0, 0.0))
        return
    try:
        left = int(area)
    except ValueError as err:
        raise CommandError(f"{area!r} is not a camera area") from err
    binning = session.cameras.get(letter).binning
    size = (int((right - left) / binning), int((bottom - top) / binning))
    width, height = session.scope.camera.size_px
    if min(size) <= 0 or min(left, top) < 0 or right > width or bottom > height:
        raise CommandError("The camera area is not legal")
    offset = ((left + right - width) / 2.0, (top + bottom - height) / 2.0)
    session.cameras.change(letter, size_px=size, offset_px=offset)


@command("SetCenteredSize")
def set_centered_size(session: Session, which: str, binning: float, columns: int, rows: int) -> None:
    """Binning and size in binned pixels."""
    letter = _set(session, which)
    session.cameras.set_binning(letter, binning)
    most = session.cameras.binned_size(binning)
    if not (0 < columns <= most[0] and 0 < rows <= most[1]):
        raise CommandError(f"An image of {columns} x {rows} is too large for the camera")
    session.cameras.change(letter, size_px=(columns, rows), offset_px=(0.0, 0.0))


@command("ReportCameraSetArea")
def report_set_area(session: Session, which: str) -> tuple[float, ...]:
    """Binned size, then left, right, top, bottom unbinned."""
    used = session.cameras.get(_set(session, which))
    columns, rows = session.scope.camera.size_px
    width, height = used.size_px[0] * used.binning, used.size_px[1] * used.binning
    left = (columns - width) / 2.0 + used.offset_px[0]
    top = (rows - height) / 2.0 + used.offset_px[1]
    return (*used.size_px, left, left + width, top, top + height)


@command("SetExposureForMean")
def set_exposure_for_mean(session: Session, mean: float, frames: int = 0) -> None:
    """Set the Record exposure so that its mean becomes so many counts, judged by the image in A."""
    image = session.buffers.get("A")
    present = float(image.pixels.mean())
    if present <= 0.0 or mean <= 0.0:
        raise CommandError("The exposure cannot be set from an image without counts")
    session.cameras.change("R", exposure_s=image.exposure_s * mean / present)


@command("SetDoseFracParams")
def set_dose_frac(
    session: Session,
    which: str,
    frac: int,
    save: int = -1,
    align: int = -1,
    method: int = -1,
    total: int = -1,
) -> None:
    """Frame fractionation; -1 leaves a value as it is."""
    letter = _set(session, which)
    old = session.cameras.get(letter)
    session.cameras.change(
        letter,
        dose_frac=bool(frac) if frac >= 0 else old.dose_frac,
        save_frames=bool(save) if save >= 0 else old.save_frames,
        align_frames=bool(align) if align >= 0 else old.align_frames,
        align_method=method if method >= 0 else old.align_method,
        sum_count=total if total >= 0 else old.sum_count,
    )


@command("ReportDoseFracParams")
def report_dose_frac(session: Session, which: str) -> tuple[float, ...]:
    """Fractionation, saving, aligning, method, sums, frame time."""
    used = session.cameras.get(_set(session, which))
    return (
        used.dose_frac,
        used.save_frames,
        used.align_frames,
        used.align_method,
        used.sum_count,
        used.frame_s,
    )


@command("SetFrameTime")
def set_frame_time(session: Session, which: str, seconds: float) -> float:
    """Frame time (s)."""
    if seconds <= 0.0:
        raise CommandError(f"A frame time of {seconds:g} is not legal")
    return session.cameras.change(_set(session, which), frame_s=seconds).frame_s


@command("ChangeFrameAndExposure")
def change_frame_and_exposure(session: Session, which: str, factor: float) -> tuple[float, float]:
    """Multiply frame time and exposure."""
    if factor <= 0.0:
        raise CommandError(f"A factor of {factor:g} is not legal")
    letter = _set(session, which)
    old = session.cameras.get(letter)
    new = session.cameras.change(letter, frame_s=old.frame_s * factor, exposure_s=old.exposure_s * factor)
    return new.frame_s, new.exposure_s


@command("ReportNumFramesSaved")
def report_frames_saved(session: Session) -> float:
    """Frames in the last stack."""
    return float(session.frames.last_count)


@command("SetK2ReadMode")
def set_read_mode(session: Session, which: str, mode: int) -> None:
    """0 linear, 1 counting, 2 super-resolution."""
    if mode not in (0, 1, 2):
        raise CommandError(f"{mode} is not a read mode")
    session.cameras.change(_set(session, which), read_mode=mode)


@command("ReportReadMode")
def report_read_mode(session: Session, which: str) -> float:
    """0 linear, 1 counting, 2 super-resolution."""
    return float(session.cameras.get(_set(session, which)).read_mode)


@command("SetK3CDSmode")
def set_cds(session: Session, on: int, keep: int = 0) -> None:
    """Correlated double sampling."""
    if not keep and session.script.saved_cds is None:
        session.script.saved_cds = session.cds_mode
    session.cds_mode = bool(on)


@command("ReportK3CDSmode")
def report_cds(session: Session) -> float:
    """Correlated double sampling."""
    return float(session.cds_mode)


@command("SetContinuous")
def set_continuous(session: Session, which: str, on: int) -> None:
    """Continuous mode of a set."""
    session.cameras.change(_set(session, which), continuous=bool(on))


@command("StopContinuous")
def stop_continuous(session: Session) -> None:
    """Continuous acquisition never runs on here."""


@command("UseContinuousFrames")
def use_continuous(session: Session, on: int) -> None:
    """Frames are always new exposures here."""


@command("ReportContinuous")
def report_continuous(session: Session) -> float:
    """Continuous acquisition never runs on here."""
    return -1.0


@command("SetProcessing")
def set_processing(session: Session, which: str, mode: int) -> None:
    """0 unprocessed, 1 dark subtracted, 2 gain normalized."""
    if mode not in (0, 1, 2):
        raise CommandError(f"{mode} is not a kind of processing")
    session.cameras.change(_set(session, which), processing=mode)


@command("RestoreCameraSet")
def restore_set(session: Session, which: str = "") -> None:
    """Put back one set or all."""
    letter = _set(session, which) if which else None
    if not session.cameras.restore(letter):
        raise CommandError("No camera parameters were changed, so none can be restored")


@command("KeepCameraSetChanges")
def keep_set(session: Session, which: str = "") -> None:
    """Make changes of one set or all last."""
    session.cameras.keep(_set(session, which) if which else None)


@command("ReportCurrentPixelSize")
def report_pixel_size(session: Session, which: str) -> float:
    """Pixel size (nm) at a set's binning and, in low dose, its area's magnification."""
    letter = _set(session, which)
    index = session.world.mag_index
    if session.low_dose.on:
        index = session.low_dose.areas[AREA_OF_SET[letter]].mag_index
    return session.world.pixel_um(index) * session.cameras.get(letter).binning * 1000.0


@command("CameraProperties")
def camera_properties(session: Session, camera: int = 0, mag_index: int = 0) -> tuple[float, ...]:
    """Size, rotation and flip, detector pixel (µm), pixel (nm) at a magnification, camera number."""
    _check_camera(camera)
    profile = session.scope.camera
    index = mag_index or session.world.mag_index
    try:
        pixel = session.world.pixel_um(index) * 1000.0
    except KeyError:
        pixel = 0.0
    session.variables.set("numberOfCameras", "1")
    return (*profile.size_px, 0.0, profile.pixel_um, pixel, 1.0)


def _check_camera(camera: int) -> None:
    if camera not in (0, 1):
        raise CommandError(f"Camera number {camera} is out of range")


@command("SelectCamera")
def select_camera(session: Session, camera: int) -> None:
    """There is one camera, number 1."""
    if camera != 1:
        raise CommandError(f"Camera number {camera} is out of range")


@command("ReportCameraName")
def report_camera_name(session: Session, camera: int) -> str:
    """Name, ``NOCAM`` out of range."""
    return session.scope.camera.name if camera in (0, 1) else "NOCAM"


@command("ReportCameraProperty")
def report_camera_property(session: Session, camera: int, name: str) -> float:
    """A numeric camera property."""
    _check_camera(camera)
    return session.camera_properties.get(name)


@command("SetCameraProperty")
def set_camera_property(session: Session, camera: int, name: str, value: float) -> None:
    """Change a camera property."""
    _check_camera(camera)
    session.camera_properties.set(name, value)


@command("ReportCameraInserted")
def report_inserted(session: Session, camera: int) -> float:
    """Inserted or not."""
    _check_camera(camera)
    return float(session.camera_inserted)


@command("RetractCamera", "RetractCameras")
def retract(session: Session) -> None:
    """Retract; the next image inserts the camera again."""
    session.camera_inserted = False
    session.spend(3.0, "wait")


@command("ReportCountScaling")
def report_count_scaling(session: Session) -> tuple[float, float]:
    """Divided by two or not, counts per electron."""
    return 0.0, session.scope.camera.counts_per_electron


@command("GetAllCameraSetValues")
def get_all_set_values(session: Session, camera: int, which: str, variable: str, *more: str) -> None:
    """Put a set's numbers, one per line, into a variable; further names get one number each, in that order."""
    _check_camera(camera)
    used = session.cameras.get(_set(session, which))
    values = [used.exposure_s, used.drift_s, used.binning, *used.size_px, used.dose_frac, used.save_frames]
    values += [used.align_frames, used.frame_s, used.read_mode, used.processing]
    texts = [f"{value:g}" for value in values]
    session.variables.set(variable, "\n".join(texts))
    for name, text in zip((name for name in more if name), texts):
        session.variables.set(name, text)
