"""Images and the stacks they are saved in, through SerialEM."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any, TypeVar

from pacetomo.errors import ImageNotSavedError, NotExposedError, ScopeError, StackHeldError
from pacetomo.frames import ORIGIN, XY, Matrix2
from pacetomo.room import FullDisk, is_full, lacking_room
from pacetomo.scope.protocol import Area, Level, Missing, PresentImage, ShiftOrMissing, Shot
from pacetomo.scope.serialem_imaging import LETTERS, SerialEMImaging

PRESENT_BUFFER = "A"
REFERENCE_BUFFER = "O"
"""Beyond the rolling buffers, so that it survives acquisitions."""

HOLE_BUFFER = "P"
"""Where the operator keeps the View image of a hole; nothing here ever writes into it."""

SAME_SCALE = 1.1
"""Images are of the same magnification when their unbinned pixels differ by no more than this factor."""

MOST_OPEN_FILES = 100

_LARGEST_DOSE_ACCOUNT = 250
_METADATA = "paceImage"
_IDENTITY = ("DateTime", "TiltAngle", "ImageShift", "ExposureTime", "StagePosition")
"""Metadata that no two images have in common: there is more than a second between two of them."""

_AREAS = {"1": Area.VIEW, "3": Area.TRIAL, "4": Area.RECORD, "5": Area.PREVIEW, "6": Area.SEARCH}
"""Kinds of images by SerialEM's number of their camera set in low dose."""


Result = TypeVar("Result")


class SerialEMCamera(SerialEMImaging):
    """Exposing, aligning, saving and describing images."""

    def __init__(self, sem: Any) -> None:
        super().__init__(sem)
        self._prior_doses: dict[int, float] = {}
        self._attempts = ("", 0)
        self._open_series: Path | None = None
        self._sections = 0

    # images

    def record_exposure_s(self) -> float:
        seconds = float(self._do("reading the Record exposure", "ReportExposure", "R")[0])
        self._note_exposure(seconds)
        return seconds

    def focus_exposure_s(self) -> float:
        return float(self._do("reading the Focus exposure", "ReportExposure", "F")[0])

    def set_exposure(self, area: Area, seconds: float | None) -> None:
        back = f"restoring the {area.value} exposure"
        if seconds is not None:
            self._note_exposure(seconds)
            self._put_back(back, "RestoreCameraSet", LETTERS[area])
            self._do(f"setting the {area.value} exposure", "SetExposure", LETTERS[area], float(seconds))
        else:
            self._undo_now(back)

    def take(self, area: Area) -> Shot:
        self._shoot(area)
        return self._describe()

    def record(self, frame_name: str, floor_per_s: float = 0.0) -> tuple[Shot, int | None]:
        self._name_frames(frame_name)
        compensated = self._compensating
        if compensated:
            self._do("compensating the beam tilt", "AdjustBeamTiltforIS")
        try:
            self._expose(frame_name)
            is_kept = not self._is_darker(floor_per_s)
            if is_kept:
                self._save_at_once()
        finally:
            if compensated:  # AdjustBeamTiltforIS adds to what is there: take it back before the next shift
                self._restore_beam_tilt()
        try:
            shot = self._describe()
        except ScopeError as err:  # the image is safe: what cannot be told of it must not end its target
            self.tell(f"Warning: {err}", Level.WARNING)
            shot = Shot(math.nan, 0.0, 0.0, XY(0.0, 0.0))
        return shot, self._sections - 1 if is_kept else None

    def _name_frames(self, name: str) -> None:
        """Name the frames of the next exposure; a name that an attempt has had before gets a suffix.

        A camera that failed may have written frames although there is no image.
        """
        attempts = self._attempts = (name, self._attempts[1] + 1 if self._attempts[0] == name else 1)
        suffix = "" if attempts[1] == 1 else f"_again{attempts[1]}"
        self._do("naming the frames", "SetFrameBaseName", 0, 1, 0, f"{name}{suffix}")

    def _is_darker(self, floor_per_s: float) -> bool:
        """Whether the image just exposed has fewer counts; one that cannot be measured has not."""
        if floor_per_s <= 0:
            return False
        try:
            counts = float(self._do("reading the mean counts", "ReportMeanCounts", "A"))
            exposure_s = float(self._do("reading the exposure", "ImageProperties", "A")[3])
        except (
            ScopeError,
            TypeError,
            ValueError,
            LookupError,
        ) as err:  # nothing may keep it from being saved
            self.tell(f"Warning: the brightness of the image is not known ({err})", Level.WARNING)
            return False
        return counts < floor_per_s * exposure_s

    def set_aside(self, path: Path) -> None:
        current = self._open_series
        try:
            self.close_series()
            self.open_series(path)
            self._save_at_once()
        except ScopeError as err:
            raise ImageNotSavedError(str(err), 0.0) from err
        finally:
            self.close_series()
            if current is not None:
                self.open_series(current)

    def _expose(self, frame_name: str) -> None:
        """Take an image in the area aimed at; once more if the camera failed and has provably not exposed.

        Raises
        ------
        NotExposedError
            When it never did.
        ImageNotSavedError
            When nothing tells whether it did.
        """
        before = self.present_image()
        for pause_s in (*self._policies.of("camera_refuses").pauses_s(), None):
            try:
                self._shoot(self._imaging.area)
                return
            except ScopeError as err:
                trouble = err
            now = self.present_image()
            if before is None or now is None:
                raise ImageNotSavedError(
                    f"{trouble}; it is not known whether the image was exposed", self._spent()
                ) from trouble
            if now.identity != before.identity:
                self.tell(f"Warning: {trouble}; but there is an image: it is saved", Level.WARNING)
                return
            if pause_s is None or self._stays_refused():
                raise NotExposedError(str(trouble)) from trouble
            self._note("retry", f"{trouble}; nothing was exposed: trying again in {pause_s:g} s")
            self.wait(pause_s)
            self._name_frames(frame_name)

    def _stays_refused(self) -> bool:
        """Whether the camera fails for a reason that lasts: column valves that are closed, which others look after."""
        try:
            return bool(self._do("asking for the column valves", "ReportColumnOrGunValve") == 0)
        except ScopeError:
            # Columns without such valves cannot tell: then it is none of theirs.
            return False

    def _shoot(self, area: Area) -> None:
        if area is Area.VIEW:
            self._do("taking a view image", "V")
        elif area is Area.SEARCH:
            self._do("taking a search image", "Search")
        elif area is Area.TRIAL:
            self._do("taking a trial image", "T")
        elif area is Area.PREVIEW:
            self._do("taking a preview image", "L")
        else:
            self._do("taking a record image", "R")

    def _save_at_once(self) -> None:
        """Save the image just exposed, whoever holds the file for a moment; on a full disk, once there is room."""
        for pause_s in (*self._policies.of("file_held").pauses_s(), None):
            try:
                self._despite_full_disk(self._open_series, self.save_section)
                return
            except ScopeError as err:
                if pause_s is None:
                    raise ImageNotSavedError(
                        f"the image was exposed but not saved: {err}", self._spent()
                    ) from err
            try:
                self.wait(pause_s)
            except ScopeError as err:
                self.tell(f"Warning: {err}", Level.WARNING)

    def _despite_full_disk(self, path: Path | None, action: Callable[[], Result]) -> Result:
        """What an action that writes to a file returns, once there is room for it; other failures pass.

        Raises
        ------
        AreaError
            When there is no room for too long.
        """
        disk = FullDisk(self.wait, self._note, self._policies.of("disk_full"))
        while True:
            try:
                result = action()
            except ScopeError as err:
                lacking = None if path is None else lacking_room(path.parent, self._image_bytes(path))
                if lacking is None and not is_full(err):
                    raise
                reason = str(err)
            else:
                disk.over()
                return result
            disk.wait_once(reason)
            while path is not None and lacking_room(path.parent, self._image_bytes(path)) is not None:
                disk.wait_once(reason)

    def _image_bytes(self, path: Path) -> int:
        """Size of an image of a stack; 0 as long as there is none to tell."""
        try:
            return path.stat().st_size // self._sections if self._sections else 0
        except OSError:  # held by another program, or not there yet
            return 0

    def _spent(self) -> float:
        """Dose of an image that is not saved; 0 if that cannot be told, which must not hide that it was exposed."""
        try:
            return self._dose()
        except (ScopeError, TypeError, ValueError) as err:
            self.tell(f"Warning: {err}", Level.WARNING)
            return 0.0

    def _restore_beam_tilt(self) -> None:
        try:
            try:
                self._do("restoring the beam tilt", "RestoreBeamTilt")
            except ScopeError:  # left as it is, the next compensation would come on top of this one
                self._do("restoring the beam tilt", "RestoreBeamTilt")
        except ScopeError as err:
            self.tell(f"Warning: {err}", Level.WARNING)

    def _dose(self) -> float:
        dose, _mag = self._do("reading the dose", "ImageConditions", "A")
        return float(dose)

    def _describe(self) -> Shot:
        counts = float(self._do("reading the mean counts", "ReportMeanCounts", "A"))
        properties = self._do("reading the image", "ImageProperties", "A")
        columns, rows, _binning, exposure_s, pixel_nm, _set = properties
        return Shot(counts, exposure_s, self._dose(), XY(columns * pixel_nm / 1000, rows * pixel_nm / 1000))

    def offset_from_file(
        self, reference: Path, section: int, limit_um: float | None, centre_um: XY = ORIGIN
    ) -> ShiftOrMissing:
        where = f"aligning to section {section} of {reference.name}"
        try:
            self._read_reference(where, reference, section)
        except ScopeError as err:
            return Missing(str(err))
        # SerialEM's own limit is one around no shift at all.
        reach_um = None if limit_um is None else limit_um + centre_um.length
        offset = self._offset(where, REFERENCE_BUFFER, reach_um)
        if isinstance(offset, Missing) or limit_um is None or centre_um == ORIGIN:
            return offset
        away_um = offset.minus(centre_um).length
        if away_um > limit_um:
            return Missing(f"{where}: the peak is {away_um:.2f} µm from where it was expected")
        return offset

    def _read_reference(self, doing: str, path: Path, section: int) -> None:
        """Read a section into the reference buffer; one of the open stack through SerialEM's own handle of it."""
        if path == self._open_series:
            self._do(doing, "ReadFile", section, REFERENCE_BUFFER)
        else:
            self._do(doing, "ReadOtherFile", section, REFERENCE_BUFFER, str(path))

    def camera_axes(self) -> Matrix2:
        per_pixel = self._matrix("CameraToSpecimenMatrix")
        pixel_um = math.sqrt(abs(per_pixel.determinant))
        if not pixel_um > 0:
            raise ScopeError("the camera's axes are not calibrated at the present magnification")
        return Matrix2(*(value / pixel_um for value in astuple(per_pixel)))

    def hole_field_um(self) -> ShiftOrMissing:
        doing = f"looking for the image of a hole in buffer {HOLE_BUFFER}"
        try:
            properties = self._do(doing, "ImageProperties", HOLE_BUFFER)
        except ScopeError:
            # An empty buffer makes the command fail: that is the answer, not a fault.
            return Missing(f"buffer {HOLE_BUFFER} is empty")
        columns, rows, binning, _exposure_s, pixel_nm, _set = properties
        view_nm = float(self._do(doing, "ReportCurrentPixelSize", "V"))
        view_binning = float(self._do(doing, "ReportBinning", "V"))
        if pixel_nm > 0 and binning > 0 and view_nm > 0:  # 0 is what SerialEM says of what it does not know
            ratio = (pixel_nm / binning) / (view_nm / view_binning)
            if not 1 / SAME_SCALE < ratio < SAME_SCALE:
                return Missing(
                    f"the image in buffer {HOLE_BUFFER} was not taken in View: "
                    f"its pixels are {ratio:.2g} times as large"
                )
        return XY(columns * pixel_nm / 1000, rows * pixel_nm / 1000)

    def offset_from_hole(self, limit_um: float) -> ShiftOrMissing:
        return self._offset(f"aligning to the hole in buffer {HOLE_BUFFER}", HOLE_BUFFER, limit_um)

    def _offset(self, where: str, buffer: str, limit_um: float | None) -> ShiftOrMissing:
        """Offset of the present image from the one in a buffer."""
        try:
            if limit_um is not None:
                self._do(where, "LimitNextAutoAlign", float(limit_um))
            if self._do(where, "AlignTo", buffer, 1) == -1.0:
                return Missing(f"{where}: no correlation peak within {limit_um:.2f} µm")
            # The shift that AlignTo would impose centres the reference's centre: it is where that point lies now.
            imposed = self._do(where, "ReportISforBufferShift")
            to_specimen = self._matrix("ISToSpecimenMatrix")
        except ScopeError as err:
            return Missing(str(err))
        return Missing(f"{where}: no shift reported") if imposed is None else to_specimen.apply(XY(*imposed))

    def present_image(self) -> PresentImage | None:
        doing = "looking at the present image"
        try:
            self._do(doing, "ImageMetadataToVar", PRESENT_BUFFER, _METADATA)
        except ScopeError:
            # An empty buffer makes the command fail: that is the answer, not a fault.
            return None
        lines = str(self._do(doing, "GetVariable", _METADATA)).splitlines()
        pairs = [line.partition("=") for line in lines]
        entries = {key.strip(): value.strip() for key, _, value in pairs}
        identity = "; ".join(entries.get(key, "") for key in _IDENTITY)
        area = _AREAS.get(entries.get("LowDoseConSet", ""))
        return PresentImage(identity, float(entries.get("TiltAngle", "nan")), area)

    def load_section(self, path: Path, section: int) -> None:
        self._do(
            f"reading section {section} of {path.name}", "ReadOtherFile", section, PRESENT_BUFFER, str(path)
        )

    # series

    def close_left_open(self, paths: Collection[Path]) -> None:
        doing = "looking for stacks left open"
        wanted = {str(path).replace("\\", "/").lower() for path in paths}
        number = 1
        while number <= MOST_OPEN_FILES:
            try:
                self._do(doing, "SwitchToFile", number)
            except ScopeError:
                # A number beyond the last open file makes the command fail: that is how many there are.
                return
            name = str(self._do(doing, "ReportCurrentFilename"))
            if name.replace("\\", "/").lower() in wanted:
                self._do(doing, "CloseFile")
            else:
                number += 1

    def open_series(self, path: Path) -> int:
        doing = f"opening {path.name}"
        self._sections = 0

        def open_it() -> bool:
            exists = _is_stack(path)
            self._do(doing, "OpenOldFile" if exists else "OpenNewFile", str(path))
            return exists

        for pause_s in (*self._policies.of("stack_held").pauses_s(), None):
            try:
                exists = self._despite_full_disk(path, open_it)
                break
            except ScopeError as err:
                if pause_s is None:
                    raise StackHeldError(str(err)) from err
            self.wait(pause_s)
        self._open_series = path
        try:
            self._sections = int(self._do(doing, "ReportFileZsize")) if exists else 0
        except ScopeError:
            self.close_series()  # open, it would be refused the next time
            raise
        return self._sections

    def save_section(self) -> int:
        try:
            self._do("saving the image", "S", "A")
        except ScopeError:
            if not self._has_grown():
                raise
        self._sections += 1
        return self._sections - 1

    def _has_grown(self) -> bool:
        """Whether a section is in the stack although saving it is said to have failed: its metadata may have."""
        if self._open_series is None:
            return False
        try:
            sections = int(self._do("counting the sections", "ReportFileZsize"))
        except ScopeError:
            return False
        return sections > self._sections

    def annotate(self, entries: Mapping[str, str]) -> None:
        for key, value in entries.items():
            self._do("writing metadata", "AddToAutodoc", key, value)
        self._despite_full_disk(self._open_series, lambda: self._do("writing metadata", "WriteAutodoc"))

    def close_series(self) -> None:
        if self._open_series is not None:
            self._open_series = None
            try:
                self._do("closing the stack", "CloseFile")
            except ScopeError as err:  # its images are saved, which is no reason to take no more of them
                self.tell(f"Warning: {err}", Level.WARNING)

    def set_prior_dose(self, account: int, e_per_a2: float) -> None:
        if account >= _LARGEST_DOSE_ACCOUNT:
            # SerialEM keeps no more sums: all others share one, set anew each time.
            self._do("choosing the dose account", "AreaForCumulRecordDose", _LARGEST_DOSE_ACCOUNT)
            self._do("clearing the dose", "AccumulateRecordDose", -1.0)
            self._do("counting the dose", "AccumulateRecordDose", e_per_a2)
            return
        self._do("choosing the dose account", "AreaForCumulRecordDose", account)
        # The first call sets the sum, later ones add to it.
        step = e_per_a2 - self._prior_doses.get(account, 0.0)
        self._do("counting the dose", "AccumulateRecordDose", max(0.0, step))
        self._prior_doses[account] = e_per_a2


def _is_stack(path: Path) -> bool:
    """Whether there is a stack to go on with; an empty file was opened before, and nothing could be saved into it.

    Raises
    ------
    ScopeError
        When another program holds an empty file.
    """
    if not path.exists():
        return False
    try:
        if path.stat().st_size:
            return True
        path.unlink()
    except OSError as err:
        raise ScopeError(f"{path.name} is empty and cannot be removed ({err.strerror})") from err
    return False
