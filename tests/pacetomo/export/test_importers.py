"""What is exported, read by programs that were not written here, also for series of real microscopes."""

import re
import shutil
from datetime import datetime
from pathlib import Path, PureWindowsPath

import mdocfile
import numpy as np
import pytest
import starfile
from simulated import acquire_on, saved

from mock_serialem.sim.sample import HoleySpec
from pacetomo.cli import main
from pacetomo.export.reading import read_series

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:mdocfile")

GOLDEN = Path(__file__).parent / "golden"
MDOC_PROGRAMS = ("warp", "aretomo3", "scipion", "nextpyp", "relion5/mdoc")
REAL = (
    "aretomo3_L1_ts_001.mrc.mdoc",
    "murfey_chrom_07_ts_010.mdoc",
    "cryocat_017.mdoc",
    "oscem_TS_41.mrc.mdoc",
    "ot2rec_Position_10.mdoc",
    "teamtomo_tilt_series.mdoc",
)


def seconds(text):
    """Seconds of a date, in SerialEM's form with two blanks and nothing else."""
    assert re.fullmatch(r"\d\d-[A-Z][a-z]{2}-\d{4}  \d\d:\d\d:\d\d", text)
    return datetime.strptime(text, "%d-%b-%Y  %H:%M:%S").timestamp()


def raw_values(path, key):
    """Values of a key as they stand in the file, blanks included."""
    return re.findall(rf"^{key} = (.*)$", path.read_text(), re.MULTILINE)


def check_form(path, by_tilt):
    """Nothing that readers in the field break on."""
    text = path.read_bytes()
    assert b"\r" not in text and b"\n\n\n" not in text and text.endswith(b"\n")
    lines = text.decode("utf-8").splitlines()
    for line in lines:
        assert line == line.rstrip() and len(line) < 256
        assert line.startswith("[") or line == "" or line.count("=") == 1
    numbers = [int(number) for number in re.findall(r"^\[ZValue = (\d+)\]$", text.decode(), re.MULTILINE)]
    assert numbers == list(range(len(numbers)))
    tilts = [float(tilt) for tilt in raw_values(path, "TiltAngle")]
    dates = [seconds(date) for date in raw_values(path, "DateTime")]
    assert len(tilts) == len(dates) == len(numbers) == len(set(dates))
    assert (tilts == sorted(tilts)) if by_tilt else (dates == sorted(dates))
    return tilts, dates


@pytest.mark.parametrize("program", MDOC_PROGRAMS)
def test_mdocfile_reads_what_was_noted(program):
    for path in sorted((GOLDEN / program).glob("*.mdoc")):
        check_form(path, by_tilt=program == "scipion")
        name = path.name.replace("_m1_0", "_-1_0").replace(".mdoc", ".mrc.mdoc")
        series = read_series(GOLDEN / "input" / name)
        views = series.by_tilt if program == "scipion" else series.by_time
        table = mdocfile.read(path)
        assert list(table.TiltAngle) == [view.tilt_deg for view in views]
        assert list(table.PriorRecordDose) == pytest.approx([view.prior_dose_e_per_a2 for view in views])
        assert list(table.ExposureDose) == [3.1] * len(views)
        frames = [PureWindowsPath(str(name)).name for name in table.SubFramePath]
        assert frames == [view.frame_name for view in views]
        assert set(table.RotationAngle) == {175.32} and set(table.Voltage) == {300.0}


@pytest.mark.parametrize("program", ["warp", "aretomo3", "scipion", "nextpyp", "relion5", "imod"])
@pytest.mark.parametrize("name", REAL)
def test_series_of_real_microscopes_are_exported(samples, tmp_path, program, name):
    folder = tmp_path / "session"
    folder.mkdir()
    shutil.copy(samples / "mdoc" / name, folder / "a_ts_001.mrc.mdoc")
    known = read_series(folder / "a_ts_001.mrc.mdoc", 3.0)
    arguments = ["export", "--for", program, "--dose", "3", str(folder)]
    assert main(arguments) == 0
    out = folder / f"export_{program}"
    if program == "imod":
        assert np.loadtxt(out / "a_ts_001.rawtlt") == pytest.approx(
            [v.tilt_deg for v in known.views], abs=0.006
        )
        return
    (path,) = out.rglob("*.mdoc")
    tilts, _ = check_form(path, by_tilt=program == "scipion")
    assert sorted(tilts) == sorted(view.tilt_deg for view in known.views)
    table = mdocfile.read(path)
    doses = list(table.sort_values("PriorRecordDose").TiltAngle)
    assert doses == [view.tilt_deg for view in known.by_time]
    axis = re.search(r"Tilt axis angle = (\S+),", path.read_text())
    assert float(axis[1]) == pytest.approx(known.axis_deg, abs=0.051)


def test_starfile_reads_the_tables_of_relion():
    tables = starfile.read(GOLDEN / "relion5" / "tilt_series.star", always_dict=True)
    optics = tables["global"]
    assert list(optics.rlnTomoName) == ["grid1_ts_001", "grid1_ts_002_m1_0"]
    assert set(optics.rlnVoltage) == {300} and set(optics.rlnSphericalAberration) == {2.7}
    assert set(optics.rlnAmplitudeContrast) == {0.1} and set(optics.rlnTomoHand) == {-1}
    assert set(optics.rlnMicrographOriginalPixelSize) == {2.14}
    path = GOLDEN / "relion5" / optics.rlnTomoTiltSeriesStarFile[0]
    views = starfile.read(path, always_dict=True)["grid1_ts_001"]
    assert list(views.rlnMicrographPreExposure) == [0.9, 4.0, 7.1, 10.2, 13.3]
    assert list(views.rlnTomoNominalStageTiltAngle) == [0.01, 2.99, -3.0, -6.01, 6.0]
    assert set(views.rlnTomoNominalTiltAxisAngle) == {85.32} and set(views.rlnTomoNominalDefocus) == {-4}
    assert views.rlnMicrographMovieName[2] == "frames/grid1_ts_001_-3.0_002.tif"
    assert set(views.rlnTomoTiltMovieFrameCount) == {10}
    assert views.rlnDefocusU[0] == pytest.approx(40408) and views.rlnDefocusV[0] == pytest.approx(39796)
    assert views.rlnDefocusAngle[0] == 45.25


def test_options_take_the_place_of_what_metadata_do_not_hold(tmp_path):
    shutil.copytree(GOLDEN / "input", tmp_path / "in")
    for path in (tmp_path / "in").iterdir():
        path.write_text(path.read_text().replace("Voltage = 300\n", ""))
    given = "--voltage 200 --cs 0.01 --amplitude-contrast 0.07 --hand 1 --frame-pixel 1.07 --frames /data/mov"
    arguments = ["export", "--for", "relion5", str(tmp_path / "in"), *given.split()]
    assert main(arguments) == 0
    out = tmp_path / "in" / "export_relion5"
    row = starfile.read(out / "tilt_series.star", always_dict=True)["global"].iloc[0]
    assert (row.rlnVoltage, row.rlnSphericalAberration, row.rlnAmplitudeContrast) == (200, 0.01, 0.07)
    assert (row.rlnTomoHand, row.rlnMicrographOriginalPixelSize) == (1, 1.07)
    views = starfile.read(out / row.rlnTomoTiltSeriesStarFile)
    assert views.rlnMicrographMovieName[0] == "/data/mov/grid1_ts_001_0.0_000.tif"
    table = mdocfile.read(out / "mdoc" / "grid1_ts_001.mdoc")
    assert str(table.SubFramePath[0]).replace("\\", "/") == "/data/mov/grid1_ts_001_0.0_000.tif"
    assert set(table.Voltage) == {200}


def test_sections_of_the_stack_are_named_where_no_frames_were_saved(tmp_path, capsys):
    shutil.copytree(GOLDEN / "input", tmp_path / "in")
    path = tmp_path / "in" / "grid1_ts_001.mrc.mdoc"
    path.write_text(path.read_text().replace("SubFramePath", "Other"))
    assert main(["export", "--for", "relion5", str(path)]) == 0
    views = starfile.read(tmp_path / "in" / "export_relion5" / "tilt_series" / "grid1_ts_001.star")
    assert list(views.rlnMicrographName) == [f"{n:06d}@grid1_ts_001.mrc:mrcs" for n in (3, 4, 2, 1, 5)]
    assert "no frames are named" in capsys.readouterr().err


@pytest.mark.parametrize("scheme", ["dose-symmetric", "growing-groups", "bidirectional", "unidirectional"])
def test_acquired_series_are_exported_in_their_order_and_with_their_dose(tmp_path, scheme):
    start = -12 if scheme == "unidirectional" else 0
    acquire_on(
        tmp_path, HoleySpec(), targets=3, scheme=scheme, startTilt=start, minTilt=-12, maxTilt=12, groupSize=2
    )
    for program in ("relion5", "warp"):
        assert main(["export", "--for", program, str(tmp_path)]) == 0
    for number in (1, 2, 3):
        truth = [line["tilt_nominal_deg"] for line in saved(tmp_path, number)]
        name = f"holey_ts_{number:03d}"
        views = starfile.read(tmp_path / "export_relion5" / "tilt_series" / f"{name}.star")
        assert list(views.rlnTomoNominalStageTiltAngle) == pytest.approx(truth, abs=0.05)
        assert np.diff(views.rlnMicrographPreExposure).min() >= 3.0 - 1e-3
        tilts, _ = check_form(tmp_path / "export_warp" / f"{name}.mdoc", by_tilt=False)
        assert tilts == pytest.approx(truth, abs=0.05) and len(truth) == 9


def test_tiles_of_montages_keep_names_of_their_own(tmp_path):
    acquire_on(
        tmp_path,
        HoleySpec(),
        targets=2,
        minTilt=-3,
        maxTilt=3,
        tgtMontage=True,
        tgtMntSize="3,1",
        imageShiftLimit=18,
    )
    assert main(["export", "--for", "scipion", str(tmp_path), "--with-stacks"]) == 0
    out = tmp_path / "export_scipion"
    metadata = sorted(path.stem for path in out.glob("*.mdoc"))
    assert metadata == sorted(path.stem for path in out.glob("*.mrc"))
    assert {"holey_ts_002_m1_0", "holey_ts_002_0_0", "holey_ts_002_1_0"} <= set(metadata)
