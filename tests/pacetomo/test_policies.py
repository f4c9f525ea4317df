"""The table of policies: what can be changed, what is refused, and that its numbers are the ones in force."""

import math

import pytest
from fake_scope import FakeScope
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import AreaError, PaceError, ScopeError, SettingsError
from pacetomo.frames import XY
from pacetomo.notes import Notes
from pacetomo.policies import Policies, describe_tries, policies_table
from pacetomo.policy_table import POLICY_ROWS, Policy, Then
from pacetomo.room import FullDisk
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Shot
from pacetomo.scope.serialem_scope import SerialEMScope
from pacetomo.settings import SettingsLayer, read_settings_toml, resolve_settings
from pacetomo.settings_table import SETTING_ROWS, Settings
from pacetomo.upkeep import Upkeep
from pacetomo.watch import Look, Watch


def test_kinds_are_named_once_and_settings_named_in_the_table_exist():
    kinds = [row.kind for row in POLICY_ROWS]
    assert len(set(kinds)) == len(kinds)
    for row in POLICY_ROWS:
        assert set(row.settings) <= set(SETTING_ROWS), row.kind
        assert row.policy.then in (row.allowed or (row.policy.then,))
        assert not row.is_fixed or row.remark.startswith("fixed: "), row.kind


@given(retry=st.integers(0, 30), pause_s=st.floats(0.1, 60), longest_s=st.floats(0.1, 60))
def test_pauses_double_up_to_the_longest(retry, pause_s, longest_s):
    pauses = Policy(retry=retry, pause_s=pause_s, longest_pause_s=longest_s).pauses_s()
    assert len(pauses) == retry
    for before, after in zip(pauses, pauses[1:]):
        assert after == pytest.approx(min(2 * before, max(pause_s, longest_s)))


def test_a_facility_and_a_script_change_single_fields_the_later_one_wins(tmp_path):
    path = tmp_path / "pacetomo.toml"
    path.write_text(
        'step = 2\n[policies]\nfile_held = {retry = 10, then = "end area"}\nvalves = {pause_s = 5}\n'
    )
    script = SettingsLayer("script", {"policies": {"file_held": {"retry": 7}}})
    resolved = resolve_settings(read_settings_toml(path), script)
    held = resolved.policies.of("file_held")
    assert (held.retry, held.then, held.pause_s) == (7, Then.END_AREA, 2.0)
    assert resolved.policies.of("valves").pause_s == 5.0 and resolved.settings.step == 2.0
    assert resolved.policies.origins == {"file_held": "script", "valves": "facility pacetomo.toml"}


REFUSED = {
    "unknown kind": ({"file_hold": {"retry": 1}}, r"no policy 'file_hold'; did you mean file_held\?"),
    "unknown field": ({"file_held": {"tries": 1}}, "'tries' cannot be changed, retry, pause_s"),
    "field of another kind": ({"ctf": {"retry": 1}}, "policy ctf: 'retry' cannot be changed, nothing can"),
    "outcome not allowed": ({"disk_full": {"then": "go on"}}, "end area or end session is allowed"),
    "fixed outcome": ({"stop": {"then": "end area"}}, "end session is allowed"),
    "out of range": ({"file_held": {"retry": -1}}, "retry is -1, 0 to 1000 is allowed"),
    "no whole number": ({"own_fault": {"limit": 1.5}}, "a whole number is needed"),
    "not a number": ({"valves": {"pause_s": "long"}}, "pause_s is 'long'"),
    "true is no number": ({"valves": {"retry": True}}, "retry is True"),
    "not finite": ({"valves": {"pause_s": math.nan}}, "pause_s is nan"),
    "no table": ({"valves": 3}, "policy valves must be a table"),
    "nothing like a table": (3, "policies must be a table"),
}


@pytest.mark.parametrize(("table", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_used_is_refused_with_its_place(table, said):
    with pytest.raises(SettingsError, match=said) as refused:
        resolve_settings(SettingsLayer("facility site.toml", {"policies": table}))
    assert str(refused.value).startswith("facility site.toml")


def test_a_target_file_changes_no_policies():
    layer = SettingsLayer("target file", {"policies": {"valves": {"retry": 1}}}, lenient=True)
    resolved = resolve_settings(layer)
    assert resolved.policies == Policies() and "policies" in resolved.warnings[0]


def test_the_table_shows_each_kind_with_its_numbers_and_where_they_come_from():
    policies = Policies().with_changes(
        {"file_held": {"retry": 2, "pause_s": 3, "then": "end area"}}, "script"
    )
    text = policies_table(policies, {"valveWait": 12.5})
    lines = text.splitlines()
    held = next(line for line in lines if line.startswith("file_held "))
    assert "2 more tries after 3, 6 s" in held and held.endswith("script") and "end area" in held
    assert any("valveWait 12.5" in line for line in lines)
    for row in POLICY_ROWS:
        line = next(line for line in lines if line.split()[0] == row.kind)
        assert describe_tries(row, policies.of(row.kind)) in line and str(policies.of(row.kind).then) in line


# --- the numbers in force


class Sem:
    """A `serialem` module of which some commands fail."""

    class SEMerror(Exception):
        pass

    def __init__(self, *failing):
        self.failing, self.calls = failing, []

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append((name, *arguments))
            if name in self.failing:
                raise self.SEMerror("held")
            return {"GetVariable": "DateTime = 1", "ImageConditions": (3.0, 1.0)}.get(name, 1.0)

        return call

    def pauses_s(self):
        return tuple(call[1] for call in self.calls if call[0] == "Delay")


def opening(scope, folder):
    scope.open_series(folder / "a.mrc")


def saving(scope, folder):
    scope.set_aside(folder / "a.mrc")


def exposing(scope, folder):
    scope.record("a")


ATTEMPTS = {
    "stack_held": (("OpenNewFile",), "OpenNewFile", opening),
    "file_held": (("S", "ReportFileZsize"), "S", saving),
    "camera_refuses": (("R",), "R", exposing),
}


@pytest.mark.parametrize("kind", ATTEMPTS)
@pytest.mark.parametrize("changed", [False, True])
def test_the_microscope_is_asked_as_often_as_the_table_says(tmp_path, kind, changed):
    failing, command, action = ATTEMPTS[kind]
    policies = Policies()
    if changed:
        policies = policies.with_changes({kind: {"retry": 4, "pause_s": 1, "longest_pause_s": 3}}, "script")
    sem = Sem(*failing)
    scope = SerialEMScope(sem)
    scope.heed(policies, lambda name, text: None)
    with pytest.raises(PaceError):
        action(scope, tmp_path)
    tries = [call[0] for call in sem.calls].count(command)
    assert tries == policies.of(kind).retry + 1
    assert sem.pauses_s() == policies.of(kind).pauses_s()
    assert not changed or sem.pauses_s() == (1.0, 2.0, 3.0, 3.0)


class Unwritten:
    """A journal that nobody reads."""

    def note(self, event, **details):
        pass


def upkeep_of(tmp_path, table, **settings):
    scope = FakeScope(tmp_path, {}, {})
    policies = Policies().with_changes(table, "script")
    return scope, Upkeep(scope, Settings(**settings), Notes(scope, Unwritten()), policies)


def test_dewars_are_waited_for_as_long_as_the_table_says(tmp_path):
    scope, upkeep = upkeep_of(tmp_path, {"dewars": {"patience_min": 2, "pause_s": 4, "then": "end area"}})
    scope.fills = [(0.0, 1e9, 1)]
    with pytest.raises(AreaError, match="filled for 2 min"):
        upkeep.before_image()
    assert 120 < scope.time < 130


def test_a_camera_behind_closed_valves_is_asked_as_often_as_the_table_says(tmp_path):
    scope, upkeep = upkeep_of(tmp_path, {"valves": {"retry": 2}})
    tries = []

    def expose():
        tries.append(scope.valves)
        scope.valves = False
        raise ScopeError("no beam")

    with pytest.raises(ScopeError, match="no beam"):
        upkeep.despite_valves(expose)
    assert len(tries) == 3


FIELD = XY(1.0, 1.0)


def dim(number):
    return Look(1, Branch.UP, 3.0, Shot(60.0 if number else 100.0, 1.0, 3.0, FIELD), XY(0.0, 0.0))


def far_off(number):
    return Look(1, Branch.UP, 3.0, Shot(100.0, 1.0, 3.0, FIELD), XY(0.3 * (-1) ** number, 0.0))


def not_aligned(number):
    return Look(1, Branch.UP, 3.0, Shot(100.0, 1.0, 3.0, FIELD), None)


@pytest.mark.parametrize(
    ("kind", "look", "ahead"),
    [("dark_image", dim, 1), ("alignment_off", far_off, 0), ("alignment_lost", not_aligned, 0)],
)
@pytest.mark.parametrize("limit", [None, 5, 6])
def test_images_are_judged_by_the_limits_of_the_table(kind, look, ahead, limit):
    policies = Policies() if limit is None else Policies().with_changes({kind: {"limit": limit}}, "script")
    watch = Watch(0.0, policies=policies)
    for number in range(20):
        watch.begin_tilt()
        verdict = watch.judge(look(number))
        if verdict is not None:
            break
    assert verdict.kind == kind and number + 1 - ahead == policies.of(kind).limit


def test_a_full_disk_is_waited_for_as_long_as_the_table_says():
    waited, said = [], []
    disk = FullDisk(
        waited.append,
        lambda name, text: said.append(text),
        Policy(pause_s=30, patience_min=2, then=Then.END_AREA),
    )
    with pytest.raises(AreaError, match="full for 2 min"):
        for _ in range(100):
            disk.wait_once("no space")
    assert waited == [30.0] * 4 and len(said) == 1
