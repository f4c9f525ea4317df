from __future__ import annotations

import inspect

import pytest

from mock_serialem.errors import SEMexited
from pacetomo import errors

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_caught_as_pace_error_and_as_nothing_narrower(kind):
    assert issubclass(kind, errors.PaceError)
    assert not issubclass(kind, (OSError, ValueError, LookupError, RuntimeError))


NARROWER = {
    errors.StackHeldError: errors.ScopeError,
    errors.NotExposedError: errors.ScopeError,
    errors.SessionError: errors.AreaError,
}


def test_the_kinds_are_told_apart():
    for kind in KINDS:
        for other in KINDS:
            assert issubclass(kind, other) == (other in (kind, errors.PaceError, NARROWER.get(kind)))


def test_stop_is_none_of_what_our_own_defects_raise():
    """SerialEM's STOP derives from Exception itself: catching these never catches it."""
    assert not issubclass(SEMexited, errors.OWN_FAULTS)
    assert not issubclass(KeyboardInterrupt, errors.OWN_FAULTS) and not issubclass(
        SystemExit, errors.OWN_FAULTS
    )
    assert not any(issubclass(kind, errors.OWN_FAULTS) for kind in KINDS)


def test_the_message_is_what_people_see():
    assert str(errors.TargetFileError("L3_tgts.txt, line 4: SSX is 'x'")) == "L3_tgts.txt, line 4: SSX is 'x'"
