"""IMOD: tilt angles, alignment by tracking, and fitted defocus beside the stack.

``NAME.rawtlt`` and ``NAME.tlt`` hold the stage tilts in the order of the stack; ``NAME.xf`` brings the target to the
centre of every image and the tilt axis to the image's Y, as the alignment of Etomo would, for `newstack` and `tilt`;
``NAME.prexg`` does the former only, as Etomo's coarse alignment; ``NAME.defocus`` is what ctfplotter would write.

A transformation of IMOD leads from the image's centre: ``X' = A X + d``. With A turning by minus the angle of the axis,
a target seen at c from the centre comes to it with ``d = -A c``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pacetomo.export.product import File, Options, Product, Remark
from pacetomo.export.series import Fit, Series
from pacetomo.frames import IDENTITY, ORIGIN, XY, Matrix2

_ASTIGMATISM, _PHASE = 1, 4
_DEFOCUS_VERSION = 3


def imod_files(all_series: Sequence[Series], options: Options) -> Product:
    """Return the files of all series; `options` are those of other programs."""
    files: list[File] = []
    remarks: list[Remark] = []
    for series in all_series:
        tilts = "".join(f"{view.tilt_deg:7.2f}\n" for view in series.views)
        files += [File(f"{series.name}.rawtlt", tilts), File(f"{series.name}.tlt", tilts)]
        shifts = [view.off_centre_px or ORIGIN for view in series.views]
        turn = _turn(-series.axis_deg)
        files += [
            File(f"{series.name}.xf", "".join(_transformation(turn, shift) for shift in shifts)),
            File(f"{series.name}.prexg", "".join(_transformation(IDENTITY, shift) for shift in shifts)),
        ]
        fits = {view.section: view.fit for view in series.views if view.fit is not None}
        if fits:
            files.append(File(f"{series.name}.defocus", _defocus(series, fits)))
        remarks += [Remark(series.name, text) for text in _warnings(series, len(fits))]
    return Product(tuple(files), tuple(remarks))


def _turn(angle_deg: float) -> Matrix2:
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return Matrix2(c, -s, s, c)


def _transformation(matrix: Matrix2, seen_px: XY) -> str:
    """A line of a file of transformations that brings what is seen there to the centre."""
    shift = matrix.apply(seen_px).scaled(-1.0)
    elements = (matrix.xpx, matrix.xpy, matrix.ypx, matrix.ypy)
    # Adding 0 makes a plain zero of a negative one.
    return (
        "".join(f"{value + 0.0:12.7f}" for value in elements)
        + f"{shift.x + 0.0:12.3f}{shift.y + 0.0:12.3f}\n"
    )


def _defocus(series: Series, fits: dict[int, Fit]) -> str:
    """Text of a defocus file, of version 3: flags first, then a line for each view that has a fit.

    View from, view to (from 1), tilt from, tilt to, defocus in nm, positive for underfocus. With astigmatism two of
    them, the stronger first, and its angle; with a phase plate the phase shift in degrees.
    """
    flags = 0
    if all(fit.astigmatism_um is not None for fit in fits.values()):
        flags |= _ASTIGMATISM
    if any(fit.phase_deg for fit in fits.values()):
        flags |= _PHASE
    lines = [f"{flags}\t0\t0.0\t0.0\t0.0\t{_DEFOCUS_VERSION}\n"]
    for section, fit in sorted(fits.items()):
        tilt = f"{series.views[section].tilt_deg:.2f}"
        words = [str(section + 1), str(section + 1), tilt, tilt]
        if flags & _ASTIGMATISM:
            words += [f"{fit.strongest_nm:.1f}", f"{fit.weakest_nm:.1f}", f"{fit.angle_deg:.2f}"]
        else:
            words.append(f"{-1000.0 * fit.defocus_um:.1f}")
        if flags & _PHASE:
            words.append(f"{fit.phase_deg:.2f}")
        lines.append("\t".join(words) + "\n")
    return "".join(lines)


def _warnings(series: Series, fits: int) -> list[str]:
    views, warnings = series.views, []
    unaligned = sum(view.off_centre_px is None for view in views)
    if unaligned == len(views):
        warnings.append("tracking has measured no shifts, so .xf turns the images and shifts none")
    elif unaligned > 1:  # the first image has nothing to be compared with
        warnings.append(f"{unaligned} of {len(views)} images were not aligned and get no shift")
    if 0 < fits < len(views):
        warnings.append(f"{len(views) - fits} of {len(views)} images have no CTF fit and no line in .defocus")
    if not series.is_sorted:
        warnings.append(
            "the stack is not in order of tilt, which some of IMOD's programs expect: `pacetomo sort` it"
        )
    return warnings
