"""Every kind of fault has its effect, where and when it is asked for, and leaves its line in the truth log."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from mock_serialem.errors import ScriptKilled
from mock_serialem.faults import KINDS, Fault, FaultPlan, fault_from
from mock_serialem.module import make_module
from mock_serialem.script_window import ScriptWindow
from mock_serialem.session import Session

Faulty = Callable[..., tuple[ModuleType, Session]]


@pytest.fixture
def faulty(session: Session) -> Faulty:
    def make(*entries: dict[str, Any], seed: int = 0) -> tuple[ModuleType, Session]:
        session.inject(FaultPlan(tuple(fault_from(entry) for entry in entries), seed))
        sem = make_module(session)
        sem.SetLowDoseMode(1)
        sem.NoMessageBoxOnError()
        return sem, session

    return make


def lines(session: Session, event: str = "fault") -> list[dict[str, Any]]:
    return [line for line in session.world.truth.events if line["event"] == event]


def test_an_error_at_the_third_call_of_a_command(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "error", "command": "R", "call": 3, "text": "Camera timed out"})
    sem.Record()
    sem.R()
    with pytest.raises(sem.SEMerror, match="Camera timed out"):
        sem.Record()
    sem.Record()
    assert len(lines(session, "exposure")) == 3
    (line,) = lines(session)
    assert line == {
        "event": "fault",
        "t_s": line["t_s"],
        "fault": "error",
        "number": 1,
        "command": "Record",
        "exposure": 2,
        "text": "Camera timed out",
        "when": "before",
    }
    assert 0.0 < line["t_s"] < session.world.clock_s


def test_an_error_after_an_exposure_costs_the_dose_and_the_image(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "error", "exposure": 2, "when": "after"})
    sem.R()
    first = session.buffers.get("A")
    with pytest.raises(sem.SEMerror):
        sem.R()
    assert session.buffers.get("A") is first
    assert [line["event"] for line in session.world.truth.events] == ["exposure", "exposure", "fault"]


def test_an_error_at_a_clock_time(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "error", "at_s": 100.0, "times": 2})
    sem.Delay(50, "s")
    sem.ReportTiltAngle()
    sem.Delay(60, "s")
    for _ in range(2):
        with pytest.raises(sem.SEMerror):
            sem.ReportTiltAngle()
    sem.ReportTiltAngle()
    assert len(lines(session)) == 2


def test_a_probability_is_drawn_from_the_seed(make_session: Callable[..., Session]) -> None:
    def failures(seed: int) -> list[bool]:
        session = make_session()
        session.inject(FaultPlan((Fault("error", ("ReportTiltAngle",), probability=0.3, times=0),), seed))
        sem = make_module(session)
        found = []
        for _ in range(200):
            try:
                sem.ReportTiltAngle()
                found.append(False)
            except sem.SEMerror:
                found.append(True)
        return found

    one, again, other = failures(1), failures(1), failures(2)
    assert one == again != other
    assert 35 < sum(one) < 85


def test_a_locked_file(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "file_locked", "command": "ReportTiltAngle", "file": "b.*", "seconds": 30})
    sem.OpenNewFile("a.mrc")
    sem.OpenNewFile("b.mrc")
    sem.R()
    sem.Save("A", 1)
    sem.Save("A", 2)
    sem.ReportTiltAngle()
    sem.Save("A", 1)
    with pytest.raises(sem.SEMerror, match=r"b\.mrc.*Permission denied"):
        sem.Save("A", 2)
    with pytest.raises(sem.SEMerror, match="Permission denied"):
        sem.OpenNewFile("b.txt")
    with pytest.raises(sem.SEMerror, match="Permission denied"):
        sem.ReadFile(0)
    assert [line["file"] for line in lines(session, "refused")] == ["b.mrc", "b.txt", "b.mrc"]
    sem.Delay(30, "s")
    sem.Save("A", 2)
    assert sem.ReportFileZsize() == 2.0
    assert len(lines(session, "fault")) == len(lines(session, "recovered")) == 1


def test_a_full_disk_can_be_read_and_not_be_written(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "disk_full", "exposure": 2})
    sem.OpenNewFile("a.mrc")
    sem.R()
    sem.Save()
    sem.R()
    for write in (sem.Save, sem.WriteAutodoc, lambda: sem.OpenTextFile("t", "W", 0, "t.txt")):
        with pytest.raises(sem.SEMerror, match="No space left"):
            write()
    sem.ReadFile(0)
    assert lines(session)[0]["seconds"] is None
    assert not (session.directory / "t.txt").exists()


def test_the_dewars_fill_for_so_long(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "dewar_filling", "at_s": 50.0, "seconds": 100.0})
    assert sem.AreDewarsFilling() == 0.0
    sem.Delay(60, "s")
    assert sem.AreDewarsFilling() == 1.0
    sem.ManageDewarsAndPumps()
    assert 150.0 <= session.world.clock_s < 165.0
    assert sem.AreDewarsFilling() == 0.0
    assert lines(session)[0]["fault"] == "dewar_filling"


def test_valves_close_and_cannot_be_opened_while_the_pressure_is_bad(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "valves_close", "command": "TiltTo", "seconds": 40})
    sem.R()
    sem.TiltTo(3)
    assert sem.ReportColumnOrGunValve() == 0.0
    with pytest.raises(sem.SEMerror, match="valves are closed"):
        sem.R()
    with pytest.raises(sem.SEMerror, match="pressure"):
        sem.SetColumnOrGunValve(1)
    sem.Delay(40, "s")
    assert sem.ReportColumnOrGunValve() == 0.0
    sem.SetColumnOrGunValve(1)
    sem.R()
    assert len(lines(session)) == len(lines(session, "recovered")) == 1


def test_an_image_during_which_the_valves_close_is_dark(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "valves_close", "exposure": 2, "seconds": 1})
    means = []
    for _ in range(2):
        sem.R()
        means.append(sem.ReportMeanCounts("A"))
    assert means[0] > 10.0 and means[1] == 0.0 and sem.ReportColumnOrGunValve() == 0.0
    assert [line["dose_e_per_a2"] > 0 for line in lines(session, "exposure")] == [True, False]
    sem.Delay(1, "s")
    sem.SetColumnOrGunValve(1)
    sem.R()
    assert sem.ReportMeanCounts("A") > 10.0


def test_the_beam_becomes_weaker(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "beam_current", "exposure": 2, "factor": 0.25, "seconds": 20})
    full = sem.ReportFEGBeamCurrent()
    means = []
    for _ in range(2):
        sem.R()
        means.append(sem.ReportMeanCounts())
    assert means[1] == pytest.approx(means[0] / 4, rel=0.1)
    assert sem.ReportFEGBeamCurrent() == pytest.approx(full / 4)
    doses = [line["dose_e_per_a2"] for line in lines(session, "exposure")]
    assert doses[1] == pytest.approx(doses[0] / 4)
    sem.Delay(20, "s")
    assert sem.ReportFEGBeamCurrent() == full
    sem.R()
    assert sem.ReportMeanCounts() == pytest.approx(means[0], rel=0.1)


@pytest.mark.parametrize("fidelity", ["kinematic", "rendered"])
def test_a_dark_image(make_session: Callable[..., Session], fidelity: str) -> None:
    session = make_session(fidelity)
    session.inject(FaultPlan((Fault("dark_image", call=2),)))
    sem = make_module(session)
    sem.SetCenteredSize("T", 8, 64, 64)
    means = []
    for _ in range(3):
        sem.T()
        means.append(sem.ReportMeanCounts())
    assert means[1] == 0.0 < min(means[0], means[2])
    assert [line["dose_e_per_a2"] > 0 for line in lines(session, "exposure")] == [True, False, True]
    assert lines(session)[0]["exposure"] == 2


def test_a_stage_that_does_not_reach_its_tilt(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "stage_tilt", "command": "TiltTo", "call": 2, "short_deg": 2.0})
    for asked, reached in ((10, 10), (-20, -18), (0, 0)):
        sem.TiltTo(asked)
        assert sem.ReportTiltAngle() == pytest.approx(reached, abs=0.1)
    (line,) = lines(session)
    assert (line["command"], line["short_deg"]) == ("TiltTo", 2.0)


def test_a_stage_that_stops_short_of_a_short_way_does_not_go_back(faulty: Faulty) -> None:
    sem, _ = faulty({"kind": "stage_tilt", "short_deg": 5.0})
    sem.TiltTo(3)
    assert sem.ReportTiltAngle() == pytest.approx(0.0, abs=0.1)


def test_a_stage_jump_moves_the_sample_and_not_the_readback(make_session: Callable[..., Session]) -> None:
    session = make_session(stage="ideal")
    session.inject(FaultPlan((Fault("stage_jump", ("MoveStage",), shift_um=(0.7, -0.4, 0.0)),)))
    sem = make_module(session)
    sem.SetLowDoseMode(1)
    sem.R()
    before = sem.ReportStageXYZ()
    sem.MoveStage(0, 0)
    sem.R()
    assert sem.ReportStageXYZ() == before
    first, second = lines(session, "exposure")
    # The sample slips by so much, so the beam is at the opposite place of it.
    assert second["sample_x_um"] - first["sample_x_um"] == pytest.approx(-0.7, abs=0.02)
    assert second["sample_y_um"] - first["sample_y_um"] == pytest.approx(0.4, abs=0.02)
    assert lines(session)[0]["shift_um"] == [0.7, -0.4, 0.0]


def test_a_missed_alignment(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "missed_alignment", "call": 2, "shift_um": [0.4, -0.3]})
    sem.V()
    sem.Copy("A", "P")
    found = []
    for _ in range(3):
        sem.V()
        sem.AlignTo("P", 1)
        found.append(sem.ReportAlignShift()[4:6])
    good, bad, after = np.array(found) / 1000.0
    np.testing.assert_allclose(bad - good, (0.4, -0.3), atol=0.05)
    np.testing.assert_allclose(after, good, atol=0.05)
    assert lines(session)[0]["fault"] == "missed_alignment"


def test_a_lost_alignment(faulty: Faulty) -> None:
    sem, _ = faulty({"kind": "missed_alignment", "lost": True})
    sem.V()
    sem.Copy("A", "P")
    sem.V()
    with pytest.raises(sem.SEMerror, match="no correlation peak"):
        sem.AlignTo("P")
    sem.AlignTo("P")


def test_a_ctf_fit_that_fails(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "ctf_failure", "times": 2})
    sem.ChangeFocus(-5)
    sem.R()
    assert sem.Ctfplotter("A", -12, -0.1) == (1.0, 1.0)
    with pytest.raises(sem.SEMerror):
        sem.CtfFind("A", -12, -0.1)
    assert len(sem.CtfFind("A", -12, -0.1)) == 6
    assert len(lines(session)) == 2


@pytest.mark.parametrize("said", [7.5, None])
def test_an_autofocus_that_talks_nonsense(faulty: Faulty, said: float | None) -> None:
    sem, session = faulty({"kind": "autofocus_nonsense", **({} if said is None else {"defocus_um": said})})
    sem.G(-1)
    measured, code = sem.ReportAutoFocus()
    true = session.world.pose("F").defocus_um
    assert code == 0.0
    if said is not None:
        assert measured == pytest.approx(said)
    sem.G(-1)
    assert sem.ReportAutoFocus()[0] == pytest.approx(true, abs=0.6)
    assert lines(session)[0]["command"] == "AutoFocus"


def test_a_hang_ends_by_stop(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "hang", "command": "Record"})
    timer = threading.Timer(0.3, session.press_stop)
    timer.start()
    with pytest.raises(sem.SEMexited, match="User STOP"):
        sem.Record()
    timer.join()
    assert not lines(session, "exposure")
    assert lines(session)[0]["fault"] == "hang"


def test_stop(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "stop", "command": "Record", "when": "after"})
    with pytest.raises(sem.SEMexited, match="User STOP"):
        sem.Record()
    assert session.stop_pressed and len(lines(session, "exposure")) == 1
    with pytest.raises(sem.SEMexited):
        sem.ReportTiltAngle()


def test_a_kill_in_the_same_process_passes_every_handler_of_the_script(faulty: Faulty) -> None:
    sem, session = faulty({"kind": "kill", "command": "Save"})
    sem.OpenNewFile("a.mrc")
    sem.R()
    with pytest.raises(ScriptKilled):
        try:
            sem.Save()
        except Exception:  # noqa: BLE001 - what a script would catch
            pytest.fail("a dead script handles nothing")
    assert not session.script.running
    assert lines(session, "killed")[0]["command"] == "Save"


def test_a_kill_in_the_script_window(session: Session, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "#!Python\nimport serialem as sem\ntry:\n  sem.TiltTo(5)\n  print('no')\nfinally:\n  print('never')\n",
        "utf-8",
    )
    session.inject(FaultPlan((Fault("kill", ("TiltTo",)),)))
    result = ScriptWindow(session).run(script)
    assert not result.ok and not result.stopped
    assert "no" not in result.log and "never" not in result.log
    assert lines(session, "killed")


def test_states_of_the_same_kind_add_up(faulty: Faulty) -> None:
    sem, _ = faulty(
        {"kind": "beam_current", "command": "TiltTo", "factor": 0.5, "seconds": 100},
        {"kind": "beam_current", "command": "TiltTo", "factor": 0.5, "seconds": 20},
    )
    full = sem.ReportFEGBeamCurrent()
    sem.TiltTo(1)
    assert sem.ReportFEGBeamCurrent() == pytest.approx(full / 4)
    sem.Delay(20, "s")
    assert sem.ReportFEGBeamCurrent() == pytest.approx(full / 2)


def test_every_kind_is_tried_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{kind}"' in text for kind in KINDS)
