import pytest

from pacetomo.export.axis import axis_angle_deg
from pacetomo.files.mdoc import parse_mdoc, read_mdoc


def mdoc(title, rotation):
    head = f"[T = {title}]\n\n" if title else ""
    keys = f"RotationAngle = {rotation}\n" if rotation is not None else ""
    return parse_mdoc(f"{head}[ZValue = 0]\nTiltAngle = 0\n{keys}")


@pytest.mark.parametrize(
    ("title", "rotation", "axis"),
    [
        ("    Tilt axis angle = 85.3, binning = 1  spot = 8  camera = 0", 175.32, 85.32),
        ("Tilt axis angle = 85.3, binning = 1", None, 85.3),
        (None, 175.32, 85.32),
        ("Tilt axis angle = 94.0, binning = 4", -176.0, 94.0),
        # With stage X inverted SerialEM turns the axis round; the decimals are those of the image rotation.
        ("Tilt axis angle = -94.7, binning = 1", 175.32, -94.68),
        ("Tilt axis angle = 180.0, binning = 1", -90.0, 180.0),
        # A title that was set by hand, or by another program, decides.
        ("Tilt axis angle = 12.5, binning = 1", 175.32, 12.5),
        ("TiltAxisAngle = -171.35 Binning = 1 SpotSize = 5", 81.35, -171.35),
        ("Tilt axis angle = bad, binning = 1", 175.32, 85.32),
        (None, None, None),
    ],
)
def test_title_and_image_rotation(title, rotation, axis):
    found = axis_angle_deg(mdoc(title, rotation))
    assert found == (None if axis is None else pytest.approx(axis, abs=1e-9))


@pytest.mark.parametrize(
    ("name", "axis"),
    [
        ("aretomo3_L1_ts_001.mrc.mdoc", 94.0),
        ("murfey_chrom_07_ts_010.mdoc", 83.818),
        ("cryocat_017.mdoc", 82.9),
        ("oscem_TS_41.mrc.mdoc", 84.25),
        ("teamtomo_tilt_series.mdoc", 85.3),
        ("etspy_test_000.mdoc", -90.0),
    ],
)
def test_real_series(samples, name, axis):
    assert axis_angle_deg(read_mdoc(samples / "mdoc" / name)) == pytest.approx(axis, abs=1e-6)
