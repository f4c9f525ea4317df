import numpy as np
import pytest
from stacks import write_series

from pacetomo.cli import main
from pacetomo.files.mdoc import read_mdoc

TILTS = [0.0, 3.0, -3.0, -6.0, 6.0]


def exported(folder, program="warp", *arguments, **changes):
    """The metadata of a series for a program, its text changed before it is read."""
    stack = write_series(folder, np.zeros((len(TILTS), 8, 8), "i2"), TILTS)
    path = folder / f"{stack.name}.mdoc"
    text = path.read_bytes().decode("latin-1")
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_bytes(text.encode("latin-1"))
    assert main(["export", "--for", program, str(stack), *arguments]) == 0
    return read_mdoc(next((folder / f"export_{program}").rglob("*.mdoc")))


def dates(mdoc):
    return [image.text("DateTime") for image in mdoc.images]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("15-Aug-2026  12:30:00", "15-Aug-2026  12:30:00"),
        ("15-Aug-26  12:30:00", "15-Aug-2026  12:30:00"),
        ("15-Aug-2026 12:30:00", "15-Aug-2026  12:30:00"),
        ("15-Aug-2026  12:30:00   ", "15-Aug-2026  12:30:00"),
    ],
)
def test_dates_have_one_form(tmp_path, old, new):
    mdoc = exported(tmp_path, **{"15-Aug-2026  12:30:00": old})
    assert dates(mdoc)[0] == new


def test_a_clock_that_was_put_back_leaves_dates_in_the_order_of_acquisition(tmp_path, capsys):
    mdoc = exported(tmp_path, **{"12:30:03": "11:30:03", "12:30:04": "11:30:04"})
    assert [text[-8:] for text in dates(mdoc)] == ["12:30:00", "12:30:01", "12:30:02", "12:30:03", "12:30:04"]
    assert "2 of 5 images" in capsys.readouterr().err


def test_images_without_dates_get_some_that_tell_their_order(tmp_path, capsys):
    mdoc = exported(tmp_path, **{"DateTime": "Other"})
    assert dates(mdoc) == [f"01-Jan-2000  00:00:0{n}" for n in range(5)]
    assert "5 of 5 images" in capsys.readouterr().err


def test_an_image_without_a_date_goes_between_its_neighbours(tmp_path):
    mdoc = exported(tmp_path, **{"15-Aug-2026  12:30:02": "soon"})
    assert [text[-2:] for text in dates(mdoc)] == ["00", "01", "02", "03", "04"]


def test_lines_that_readers_break_on_are_left_out(tmp_path):
    mdoc = exported(
        tmp_path,
        **{"Own Key 0 = x = y": f"Long = {'x' * 300}\r\nNotes =\r\nMesser = Jürgen\r\nShort = z   "},
    )
    first = mdoc.images[0]
    assert set(first.keys).isdisjoint({"Own Key 0", "Own Key 1", "Long", "Notes"})
    assert first.text("Short") == "z" and first.text("Messer") == "J?rgen"
    assert first.keys[:2] == ("MinMaxMean", "TiltAngle") and first.keys[-1] == "Short"


def test_keys_stand_in_the_order_of_serialem(tmp_path):
    mdoc = exported(
        tmp_path, **{"Binning = 1\r\n": "", "NumSubFrames = 10": "Binning = 1\r\nNumSubFrames = 10"}
    )
    keys = mdoc.images[0].keys
    assert (
        keys.index("Binning")
        < keys.index("SubFramePath")
        < keys.index("NumSubFrames")
        < keys.index("DateTime")
    )


def test_a_path_too_long_for_aretomo_keeps_its_name(tmp_path):
    mdoc = exported(tmp_path, "aretomo3", **{"X:\\frames": "X:\\" + "deep\\" * 50 + "frames"})
    assert mdoc.images[0].text("SubFramePath") == "a_000_0.0.tif"


@pytest.mark.parametrize(("folder", "path"), [("/data/mov/", "/data/mov/"), ("Y:\\mov", "Y:\\mov\\")])
def test_frames_may_have_moved(tmp_path, folder, path):
    mdoc = exported(tmp_path, "warp", "--frames", folder)
    assert mdoc.images[0].text("SubFramePath") == f"{path}a_000_0.0.tif"


def test_one_title_names_the_axis_whatever_there_was(tmp_path):
    stripped = {"[T =     Tilt axis": "[T = pacetomo: sorted]\r\n\r\n[T = Tilt axis"}
    titles = exported(tmp_path, **stripped).titles
    assert len(titles) == 2
    assert titles[1] == "    Tilt axis angle = 85.3, binning = 1  spot = 0  camera = 0"


def test_images_without_frames_are_told_of(tmp_path, capsys):
    mdoc = exported(tmp_path, **{"SubFramePath = X:\\frames\\a_002": "Other = X:\\frames\\a_002"})
    assert len(mdoc.images) == 5
    assert "1 of 5 images name no frame file" in capsys.readouterr().err
