import pytest

from mock_serialem.sim.holey import HoleyMatter
from mock_serialem.sim.lamella import LamellaMatter
from mock_serialem.sim.matter import make_matter
from mock_serialem.sim.sample import HoleySpec, LamellaSpec, SampleSpec


@pytest.mark.parametrize(("spec", "kind"), [(LamellaSpec(), LamellaMatter), (HoleySpec(), HoleyMatter)])
def test_each_sample_has_matter_and_layers_of_structure(spec, kind):
    matter, layers = make_matter(spec, seed=0)
    assert isinstance(matter, kind)
    assert len({layer.number for layer in layers}) == len(layers) >= 2


def test_an_unknown_sample_is_refused():
    with pytest.raises(TypeError, match="SampleSpec"):
        make_matter(SampleSpec(), seed=0)
