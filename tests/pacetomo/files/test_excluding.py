import os
import struct

import mdocfile
import mrcfile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stacks import stack_bytes, write_series

from pacetomo.errors import PaceError, StackError
from pacetomo.files.excluding import ALL_VIEWS, exclude_views, left_out_of, restore_views
from pacetomo.files.mdoc import read_mdoc, write_mdoc
from pacetomo.files.sorting import sort_series
from pacetomo.files.stack import read_header, read_section
from pacetomo.files.view_lists import format_views, parse_views
from pacetomo.files.view_rules import Rules

TILTS = [0.0, 3.0, -3.0, -6.0, 6.0, 9.0]


def noisy(count=6, shape=(16, 20), dtype="i2"):
    """Images of one brightness whose first pixel tells their place."""
    data = np.random.default_rng(5).normal(100, 10, (count, *shape)).astype(dtype)
    data[:, 0, 0] = np.arange(count)
    return data


def places(stack):
    return [int(read_section(stack, n)[0, 0]) for n in range(read_header(stack).sections)]


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def edit(stack, section, **values):
    mdoc = read_mdoc(f"{stack}.mdoc")
    image = mdoc.images[section]
    for key, value in values.items():
        image = image.with_value(key, value)
    write_mdoc(f"{stack}.mdoc", mdoc.with_image(section, image))


@given(st.sets(st.integers(0, 60), min_size=1))
def test_lists_of_views_read_back(sections):
    assert parse_views(format_views(sorted(sections))) == {section + 1 for section in sections}


@pytest.mark.parametrize("text", ["", "0", "3-1", "a", "1,,2", "-3", "1-", "99999999"])
def test_what_is_no_list_of_views_is_refused(text):
    with pytest.raises(ValueError, match=r"view|number"):
        parse_views(text)


def test_stack_extended_header_and_metadata_lose_the_same_views(tmp_path):
    data = noisy()
    stack = write_series(tmp_path, data, TILTS)
    old, whole = read_mdoc(f"{stack}.mdoc"), files(tmp_path)
    done = exclude_views(stack, Rules(parse_views("2,4-5")))
    assert done.changed and done.text.startswith("3 of 6 views left out")
    assert places(stack) == [0, 2, 5]
    raw = stack.read_bytes()
    records = [struct.unpack_from("<2h", raw, 1024 + 4 * n) for n in range(6)]
    assert records == [(round(100 * TILTS[n]), 7 + n) for n in (0, 2, 5)] + [(0, 0)] * 3
    new = read_mdoc(f"{stack}.mdoc")
    assert [image.name for image in new.images] == ["0", "1", "2"]
    for image, place in zip(new.images, (0, 2, 5)):
        assert image.lines[1:-1] == old.images[place].lines[1 : len(image.lines) - 1]
    assert left_out_of(new) == 3 and "views 2,4-5 of 6 left out" in new.titles[-1]
    assert {name: files(tmp_path)[f"{ALL_VIEWS}/{name}"] for name in whole} == whole
    record = (tmp_path / ALL_VIEWS / f"{stack.name}.left_out.txt").read_text().splitlines()
    assert [line.split("\t")[0] for line in record[1:]] == ["2", "4", "5"]
    assert record[1].split("\t")[1:] == [
        "3", "", "15-Aug-2026  12:30:01", "X:\\frames\\a_001_3.0.tif", "by its number"
    ]  # fmt: skip


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", ["i2", "f4", "u2"])
def test_others_read_what_is_left(tmp_path, order, dtype):
    stack = write_series(tmp_path, noisy(dtype=order + dtype), TILTS, order=order)
    exclude_views(stack, Rules(frozenset({1, 6})))
    assert mrcfile.validate(stack)
    with mrcfile.open(stack) as mrc:
        assert mrc.data.shape == (4, 16, 20) and list(mrc.data[:, 0, 0]) == [1, 2, 3, 4]
        assert float(mrc.voxel_size.z) == pytest.approx(2.0)
    table = mdocfile.read(f"{stack}.mdoc")
    assert list(table.ZValue) == [0, 1, 2, 3] and list(table.PriorRecordDose) == [3.0, 6.0, 9.0, 12.0]


def test_rules_find_dark_blank_and_lost_views(tmp_path):
    data = noisy()
    data[1] = data[1] // 5
    data[3] = 100
    stack = write_series(tmp_path, data, TILTS)
    edit(stack, 4, TargetResidual="0.3 -0.4")
    edit(stack, 5, TargetResidual="0.1 0.1")
    only = {
        "1": exclude_views(stack, Rules(dark=0.3), dry_run=True).text,
        "3": exclude_views(stack, Rules(blank=True), dry_run=True).text,
        "4": exclude_views(stack, Rules(residual_nm=200), dry_run=True).text,
    }
    assert only["1"].startswith("1 of 6") and "left out: 2 dark" in only["1"]
    assert only["3"].startswith("1 of 6") and "left out: 4 blank" in only["3"]
    assert only["4"].startswith("1 of 6") and "left out: 5 residual 500 nm" in only["4"]
    assert places(stack)[0] == 0 and not (tmp_path / ALL_VIEWS).exists()
    exclude_views(stack, Rules(dark=0.3, blank=True, residual_nm=200))
    assert [image.tilt_deg for image in read_mdoc(f"{stack}.mdoc").images] == [0.0, -3.0, 9.0]


def test_a_longer_exposure_makes_no_other_view_dark(tmp_path):
    data = noisy()
    data[2] *= 5
    stack = write_series(tmp_path, data, TILTS)
    for section in range(6):
        edit(stack, section, ExposureTime=5.0 if section == 2 else 1.0)
    assert not exclude_views(stack, Rules(dark=0.5)).changed
    edit(stack, 3, ExposureTime=5.0)
    assert "left out: 4 dark, 20%" in exclude_views(stack, Rules(dark=0.5), dry_run=True).text


def test_a_series_without_counts_has_no_dark_views(tmp_path):
    stack = write_series(tmp_path, noisy() - 500, TILTS)
    done = exclude_views(stack, Rules(dark=0.3))
    assert not done.changed and "not above zero" in done.warnings[0]


def test_without_residuals_that_rule_says_so(tmp_path):
    stack = write_series(tmp_path, noisy(), TILTS)
    done = exclude_views(stack, Rules(residual_nm=100))
    assert not done.changed and "TargetResidual" in done.warnings[0]


def test_views_come_back_with_everything_as_it_was(tmp_path):
    stack = write_series(tmp_path, noisy(), TILTS)
    sort_series(stack)
    before = files(tmp_path)
    exclude_views(stack, Rules(frozenset({2})))
    exclude_views(stack, Rules(frozenset({1, 5})))  # of the five that are left
    assert left_out_of(read_mdoc(f"{stack}.mdoc")) == 3
    record = (tmp_path / ALL_VIEWS / f"{stack.name}.left_out.txt").read_text()
    assert record.count("# left out of 6") == record.count("# left out of 5") == 1
    assert restore_views(stack).changed
    assert files(tmp_path) == before
    with pytest.raises(StackError, match="brought back"):
        restore_views(stack)


def test_a_series_taken_anew_is_kept_though_one_of_its_name_was_kept_before(tmp_path):
    stack = write_series(tmp_path, noisy(), TILTS)
    exclude_views(stack, Rules(frozenset({2})))
    other = noisy() + 1
    write_series(tmp_path, other, TILTS)
    exclude_views(stack, Rules(frozenset({3})))
    kept = files(tmp_path / ALL_VIEWS)
    assert sum(other.tobytes() in content for content in kept.values()) == 1
    assert sum(noisy().tobytes() in content for content in kept.values()) == 1


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (Rules(parse_views("7")), "no view 7"),
        (Rules(parse_views("1-6")), "all 6 views"),
        (Rules(dark=0.3), None),
    ],
)
def test_what_cannot_be_left_out_changes_nothing(tmp_path, rules, said):
    stack = write_series(tmp_path, noisy(), TILTS)
    before = files(tmp_path)
    if said is None:
        assert not exclude_views(stack, rules).changed
    else:
        with pytest.raises(StackError, match=said):
            exclude_views(stack, rules)
    assert files(tmp_path) == before


def test_damaged_series_and_montages_are_refused(tmp_path):
    stack = write_series(tmp_path, noisy(), TILTS)
    whole = stack.read_bytes()
    stack.write_bytes(whole[:-300])
    with pytest.raises(StackError, match="cut short"):
        exclude_views(stack, Rules(frozenset({1})))
    stack.write_bytes(whole)
    mdoc = read_mdoc(f"{stack}.mdoc")
    write_mdoc(f"{stack}.mdoc", mdoc.with_images(mdoc.images[:5]))
    with pytest.raises(StackError, match="6 sections and its metadata 5"):
        exclude_views(stack, Rules(frozenset({1})))
    stack.write_bytes(stack_bytes(noisy(), b"\0" * 2048, numbers=(10, 19)))
    with pytest.raises(StackError, match="montage"):
        exclude_views(stack, Rules(frozenset({1})))


@pytest.mark.parametrize("number", range(14))
def test_a_crash_loses_nothing_and_the_next_run_completes(tmp_path, monkeypatch, number):
    """Killed before each change to the disk in turn."""
    stack = write_series(tmp_path, noisy(), TILTS)
    twin = tmp_path.with_name(f"{tmp_path.name}_twin")
    twin.mkdir()
    write_series(twin, noisy(), TILTS)
    exclude_views(twin / stack.name, Rules(frozenset({2, 3})))
    wanted, left = files(twin), [number]

    class Crash(BaseException):
        pass

    def deadly(real):
        def call(*arguments, **options):
            left[0] -= 1
            if left[0] < 0:
                raise Crash
            return real(*arguments, **options)

        return call

    with monkeypatch.context() as patch:
        for name in ("replace", "fsync"):
            patch.setattr(os, name, deadly(getattr(os, name)))
        try:
            exclude_views(stack, Rules(frozenset({2, 3})))
        except (Crash, PaceError):
            pass
    whole = [path for path in (stack, tmp_path / ALL_VIEWS / stack.name) if path.is_file()]
    assert any(noisy().tobytes() in path.read_bytes() for path in whole)
    if not stack.is_file() or read_header(stack).sections == 6 or list(tmp_path.glob("*.exchange")):
        exclude_views(stack, Rules(frozenset({2, 3})))
    assert files(tmp_path) == wanted
