"""Sorting, excluding and binning series whose metadata are those of real microscopes."""

import mdocfile
import mrcfile
import numpy as np
import pytest
from stacks import serialem_records, stack_bytes

from pacetomo.files.binning import bin_series
from pacetomo.files.excluding import exclude_views, restore_views
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.mdoc_order import acquisition_order
from pacetomo.files.sorting import sort_series
from pacetomo.files.stack import read_header, read_section
from pacetomo.files.view_rules import Rules

SERIES = [
    "aretomo3_L1_ts_001.mrc.mdoc",
    "cryocat_017.mdoc",
    "etspy_test_000.mdoc",
    "murfey_chrom_07_ts_010.mdoc",
    "oscem_TS_41.mrc.mdoc",
    "ot2rec_Position_10.mdoc",
    "teamtomo_tilt_series.mdoc",
]


@pytest.fixture(params=SERIES)
def stack(samples, tmp_path, request):
    """A stack of small images whose first pixel tells their place, with real metadata."""
    raw = (samples / "mdoc" / request.param).read_bytes()
    (tmp_path / "real.mrc.mdoc").write_bytes(raw)
    images = read_mdoc(tmp_path / "real.mrc.mdoc").need_images()
    data = np.random.default_rng(0).integers(0, 1000, (len(images), 8, 8)).astype("i2")
    data[:, 0, 0] = np.arange(len(images))
    tilts = [image.tilt_deg for image in images]
    (tmp_path / "real.mrc").write_bytes(stack_bytes(data, serialem_records(tilts)))
    return tmp_path / "real.mrc"


def lines_of(image):
    """Lines of an image but for its number; what it is known by."""
    return tuple(line.rstrip("\r\n") for line in image.lines[1:] if line.strip())


def by_place(stack):
    """Lines of each image, by the place that its pixels tell."""
    images = read_mdoc(f"{stack}.mdoc").images
    return {int(read_section(stack, n)[0, 0]): lines_of(image) for n, image in enumerate(images)}


def test_sorted_images_keep_their_metadata_and_others_can_read_them(stack):
    before, titles = by_place(stack), read_mdoc(f"{stack}.mdoc").titles
    taken = [
        lines_of(read_mdoc(f"{stack}.mdoc").images[n])
        for n in acquisition_order(read_mdoc(f"{stack}.mdoc").images)
    ]
    sort_series(stack)
    assert by_place(stack) == before
    mdoc = read_mdoc(f"{stack}.mdoc")
    tilts = [image.tilt_deg for image in mdoc.images]
    assert tilts == sorted(tilts) and mdoc.titles == titles
    assert mrcfile.validate(stack)
    table = mdocfile.read(f"{stack}.mdoc")
    assert list(table.TiltAngle) == pytest.approx(tilts) and list(table.ZValue) == list(range(len(tilts)))
    if len({image.text("DateTime") for image in mdoc.images}) == len(tilts):
        again = [lines_of(mdoc.images[n]) for n in acquisition_order(mdoc.images)]
        assert again == taken


def test_views_left_out_and_brought_back(stack):
    before = {path.name: path.read_bytes() for path in stack.parent.iterdir()}
    count = read_header(stack).sections
    kept = by_place(stack)
    gone = {1, count} if count > 2 else {2}
    exclude_views(stack, Rules(frozenset(gone)))
    assert by_place(stack) == {place: kept[place] for place in range(count) if place + 1 not in gone}
    assert len(mdocfile.read(f"{stack}.mdoc")) == count - len(gone) and mrcfile.validate(stack)
    restore_views(stack)
    assert {path.name: path.read_bytes() for path in stack.parent.iterdir() if path.is_file()} == before


def test_binned_series_say_so_and_keep_all_other_keys(stack):
    old = read_mdoc(f"{stack}.mdoc")
    bin_series(stack, 2)
    new = read_mdoc(f"{stack}.mdoc")
    assert "binned by 2 (Fourier cropping)" in new.titles[-1] and mrcfile.validate(stack)
    changed = {"PixelSpacing", "RefinedPixelSpacing", "Binning", "MinMaxMean"}
    for first, second in zip(old.images, new.images):
        assert first.keys == second.keys
        assert all(first.text(key) == second.text(key) for key in first.keys if key not in changed)
        spacing = first.get_float("PixelSpacing")
        assert spacing is None or second.need_float("PixelSpacing") == pytest.approx(2 * spacing, rel=1e-5)
