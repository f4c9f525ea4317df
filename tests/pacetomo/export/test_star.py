import pytest
import starfile
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import MetadataError
from pacetomo.export.star import star_table

NAMES = st.text("abc_12 .-/@#$;éµ", min_size=1, max_size=12).filter(lambda text: text == text.strip())


@given(st.lists(st.tuples(NAMES, st.floats(-1e4, 1e4)), min_size=2, max_size=5))
def test_what_is_written_reads_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("star") / "a.star"
    path.write_text(star_table("views", ["rlnTomoName", "rlnVoltage"], rows), encoding="utf-8")
    table = starfile.read(path, parse_as_string=["rlnTomoName"])
    assert list(table.rlnTomoName) == [name for name, _ in rows]
    assert list(table.rlnVoltage) == pytest.approx([number for _, number in rows], abs=1e-6)


def test_a_name_with_both_quotes_is_refused():
    assert '"it\'s"' in star_table("a", ["rlnTomoName"], [["it's"]])
    with pytest.raises(MetadataError, match="both kinds of quotes"):
        star_table("a", ["rlnTomoName"], [["'it's \"so\""]])
