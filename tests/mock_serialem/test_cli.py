"""The simulator as people start it: processes, options, Ctrl-C, and the page for script authors."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mock_serialem import cli
from mock_serialem.answers import operator_from
from mock_serialem.faults import KINDS, faults_from
from mock_serialem.session import Session
from mock_serialem.sim.world import make_world
from mock_serialem.tables import read_table

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "mock_serialem" / "README.md"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}


class Simulator:
    """A running simulator and what it has printed."""

    def __init__(self, *options: str, **environment: str) -> None:
        command = [sys.executable, "-m", "mock_serialem", "--port", "0", "--fidelity", "kinematic", *options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, env={**ENVIRONMENT, **environment}, encoding="utf-8"
        )
        self.said: list[str] = []
        self.first = self.line()
        while (found := re.search(r"port (\d+)", self.first)) is None:
            assert self.first, "the simulator has not begun"
            self.said.append(self.first)
            self.first = self.line()
        self.port = int(found.group(1))

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip()

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        """Run a script with a client module."""
        head = f"from mock_serialem.client import install\nsem = install({self.port})\n"
        return subprocess.run(
            [sys.executable, "-c", head + text],
            check=False,
            env=ENVIRONMENT,
            capture_output=True,
            encoding="utf-8",
        )

    def end(self) -> int:
        for _ in range(3):  # the first Ctrl-C may still find the last script in control, and is its STOP then
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(5)
                break
            except subprocess.TimeoutExpired:
                continue
        status = self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "session"


@pytest.fixture
def simulator(folder: Path) -> Iterator[Simulator]:
    started = Simulator("--session-dir", str(folder))
    yield started
    assert started.end() == 0


def code_of(mark: str) -> str:
    found = re.search(mark + r"\n```\w+\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found.group(1)


def truth_of(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "truth.jsonl").read_text("utf-8").splitlines()]


def test_the_example_of_the_page(simulator: Simulator, folder: Path) -> None:
    example = code_of("<!-- test: example -->")
    assert len(example.splitlines()) <= 20
    done = subprocess.run(
        [sys.executable, "-c", example, str(simulator.port)],
        check=True,
        env=ENVIRONMENT,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.stdout.startswith("mean counts ")
    assert (folder / "series.mrc").exists() and (folder / "series.mrc.mdoc").exists()
    saved = [line for line in truth_of(folder) if line["event"] == "saved"]
    assert [line["tilt_nominal_deg"] for line in saved] == [-3, 0, 3]
    assert re.fullmatch(r"connection 1 from 127\.0\.0\.1:\d+: script begins", simulator.line())
    assert "script ends after" in simulator.line()


def test_the_files_of_the_page_are_good(tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 2
    path = tmp_path / "page.toml"
    path.write_text(blocks[0], encoding="utf-8")
    operator = operator_from({**read_table(path), "targets": {"lamella1": [1, 2], "lamella2": [1, 2, 0.5]}})
    assert len(operator.rules) == 5
    path.write_text(blocks[1], encoding="utf-8")
    assert [fault.kind for fault in faults_from(read_table(path)).faults] == [
        "error",
        "kill",
        "dewar_filling",
        "missed_alignment",
    ]
    described = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert set(KINDS) <= described


def test_scripts_one_after_the_other_find_the_program_as_it_was(simulator: Simulator) -> None:
    first = simulator.run(
        "sem.SetExposure('R', 7)\nsem.SetPersistentVar('kept', '1')\nsem.SetVariable('gone', '1')\nsem.TiltTo(5)"
    )
    assert first.returncode == 0, first.stderr
    second = simulator.run(
        "print(sem.ReportExposure('R')[0], sem.GetVariable('kept'), sem.IsVariableDefined('gone'),"
        " round(sem.ReportTiltAngle()))"
    )
    assert second.stdout.split() == ["1.0", "1", "0.0", "5"], second.stderr


def test_ctrl_c_stops_the_script_and_then_ends_the_simulator(simulator: Simulator) -> None:
    client = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from mock_serialem.client import install\nsem = install({simulator.port})\n"
            "try:\n  while True: sem.ReportTiltAngle()\nexcept sem.SEMexited as end: print(end)",
        ],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert "script begins" in simulator.line()
    simulator.process.send_signal(signal.SIGINT)
    assert client.communicate(timeout=10)[0].strip() == "User STOP"
    assert "STOP pressed" in simulator.line()
    assert simulator.line().endswith("STOP")
    # The next script is served, and a Ctrl-C without a script ends the simulator.
    assert simulator.run("print(sem.ReportTiltAngle())").stdout.strip() == "0.0"
    assert "script begins" in simulator.line()
    assert "ends" in simulator.line()  # until then a Ctrl-C is that script's STOP
    simulator.process.send_signal(signal.SIGINT)
    assert simulator.process.wait(10) == 0


def test_a_hung_command_ends_by_ctrl_c(tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\nkind = "hang"\ncommand = "TiltTo"\n', encoding="utf-8")
    simulator = Simulator("--session-dir", str(tmp_path / "s"), "--faults", str(faults))
    client = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from mock_serialem.client import install\ninstall({simulator.port}).TiltTo(3)",
        ],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert "script begins" in simulator.line()
    with pytest.raises(subprocess.TimeoutExpired):
        client.wait(1.0)
    simulator.process.send_signal(signal.SIGINT)
    assert "SEMexited: User STOP" in client.communicate(timeout=10)[1]
    assert simulator.end() == 0
    assert [line["fault"] for line in truth_of(tmp_path / "s")] == ["hang"]


def test_a_killed_script_and_the_next_one(tmp_path: Path) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text('[[fault]]\nkind = "kill"\nexposure = 2\nwhen = "after"\n', encoding="utf-8")
    simulator = Simulator("--session-dir", str(tmp_path / "s"), "--faults", str(faults))
    killed = simulator.run("sem.SetLowDoseMode(1)\nsem.R()\nprint('one', flush=True)\nsem.R()\nprint('two')")
    assert killed.stdout.strip() == "one" and killed.returncode != 0
    if sys.platform.startswith("linux"):
        assert killed.returncode == -signal.SIGKILL
    assert simulator.run("print(sem.ReportTiltAngle())").stdout.strip() == "0.0"
    assert simulator.end() == 0
    events = [line["event"] for line in truth_of(tmp_path / "s")]
    assert events == ["exposure", "exposure", "killed"]


def test_the_real_clock(tmp_path: Path) -> None:
    simulator = Simulator("--session-dir", str(tmp_path / "s"), "--clock", "real")
    text = "import time\nt = time.monotonic()\nsem.Delay(0.7, 's')\nprint(time.monotonic() - t >= 0.7)\nsem.Delay(50)"
    client = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"from mock_serialem.client import install\nsem = install({simulator.port})\n{text}",
        ],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert "script begins" in simulator.line()
    with pytest.raises(subprocess.TimeoutExpired):
        client.wait(1.5)
    simulator.process.send_signal(signal.SIGINT)
    said, complaint = client.communicate(timeout=10)
    assert said.strip() == "True" and "User STOP" in complaint
    assert simulator.end() == 0


def test_operator_and_navigator_files(tmp_path: Path) -> None:
    operator = tmp_path / "answers.toml"
    operator.write_text(
        '[[answer]]\ncommand = "EnterString"\nprompt = "lamella"\nvalue = "L3"\n', encoding="utf-8"
    )
    items = tmp_path / "items.nav"
    items.write_text(
        "AdocVersion = 2.00\n\n[Item = 7]\nColor = 0\nStageXYZ = 1 2 3\nNumPts = 1\nRegis = 1\nType = 0\n"
        "MapID = 100007\nPtsX = 1\nPtsY = 2\n",
        encoding="utf-8",
    )
    simulator = Simulator(
        "--session-dir", str(tmp_path / "s"), "--operator", str(operator), "--nav", str(items)
    )
    done = simulator.run(
        "sem.EnterString('name', 'Name of the lamella')\nprint(sem.GetVariable('name'), sem.ReportNumTableItems())\n"
        "sem.EnterString('x', 'Something unexpected')"
    )
    assert done.stdout.split() == ["L3", "1.0"]
    assert "no answer to: Something unexpected" in done.stderr
    assert simulator.end() == 0


REFUSED = [
    (["--port", "99999"], "port 99999"),
    (["--nav", "nowhere.nav"], "nowhere.nav"),
    (["--operator", "nowhere.toml"], "nowhere.toml"),
    (["--operator", "bad.toml"], "bad.toml"),
    (["--faults", "bad.toml"], "bad.toml"),
    (["--session-dir", "bad.toml"], "bad.toml is not a folder"),
    (["--truth", "folder"], "folder is not a file"),
    (["--host", "nosuch.invalid"], "nosuch.invalid port 0: "),
    (["--truth", "no/such/folder/truth.jsonl"], "truth.jsonl"),
]


@pytest.mark.parametrize(("arguments", "named"), REFUSED)
def test_what_cannot_be_used_is_said_in_one_sentence(
    arguments: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text("[[nothing", encoding="utf-8")
    Path("folder").mkdir()
    assert cli.main(["--port", "0", *arguments]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.toml", "folder"]
    text = capsys.readouterr().err
    assert text.startswith("mock_serialem: ") and named in text and text.count("\n") == 1


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main(["--seed", "1.5"])
    assert "argument --seed: '1.5' is not a whole number" in capsys.readouterr().err


def test_letters_that_the_console_has_not(tmp_path: Path) -> None:
    simulator = Simulator("--session-dir", str(tmp_path / "größe"), PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert simulator.first.endswith(r"gr\xf6\xdfe")
    assert simulator.end() == 0


@pytest.mark.parametrize("moment", ["_make_session", "_say", "_wait_for_end"])
def test_ctrl_c_at_any_moment_ends_the_simulator_quietly(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, moment, interrupted)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    try:
        assert cli.main(["--port", "0", "--fidelity", "kinematic", "--session-dir", str(tmp_path)]) == 0
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


def test_no_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    # As of a process without a console on Windows; an AttributeError would end the simulator.
    cli._say("nobody sees this")
    assert cli.main(["--commands"]) == 0


def test_a_port_in_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = tmp_path / "truth.jsonl"
    truth.write_text("of the simulator that has the port\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.main(["--port", str(port), "--session-dir", str(tmp_path)]) == 1
    assert f"port {port}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [truth]


def test_the_list_of_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--commands"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "simulated     Record" in lines
    assert "simulated     R  (same as Record)" in lines
    assert "not simulated ZemlinTableau" in lines
    simulated = sum(line.startswith("simulated") for line in lines)
    assert lines[-1].startswith(f"{simulated} of {len(lines) - 1} commands")


# --- what outlives a script, and the simulator itself


def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.02)


def client(simulator: Simulator, text: str) -> subprocess.Popen[str]:
    head = f"from mock_serialem.client import install\nsem = install({simulator.port})\n"
    command = [sys.executable, "-c", head + text]
    return subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL, encoding="utf-8")


NEXT = """
import time
for _ in range(100):
    try:
        sem.ReportTiltAngle()
        break
    except sem.SEMmoduleError:  # the dead script's command is not over yet
        time.sleep(0.1)
print(int(sem.ReportFileZsize()))
print(round(sem.ImageProperties('A')[3], 3), sem.ReportExposure('R')[0])
sem.Save()
print(int(sem.ReportFileZsize()))
"""


def test_a_script_killed_during_an_exposure_leaves_its_image_and_its_file(tmp_path: Path) -> None:
    """SerialEM lives on: it ends the exposure, the image is in A, the file is open, and the next script saves it."""
    simulator = Simulator("--session-dir", str(tmp_path / "s"), "--clock", "real")
    text = "sem.SetLowDoseMode(1)\nsem.OpenNewFile('a.mrc')\nsem.SetExposure('R', 2)\nsem.R()\nsem.Save()"
    script = client(simulator, text)
    # The line is there as soon as the shutter opens; two seconds of exposure and the readout are still to come.
    wait_for(lambda: any(line["event"] == "exposure" for line in truth_of(tmp_path / "s")))
    script.kill()
    script.wait()
    done = simulator.run(NEXT)
    words = done.stdout.split()
    # What the dead script had set for itself is put back; the image keeps its exposure of 2 s.
    assert words == ["0", "2.0", "1.0", "1"], done
    assert simulator.end() == 0
    events = [(line["event"], line["exposure_s"]) for line in truth_of(tmp_path / "s")]
    assert events == [("exposure", 2.0), ("saved", 2.0)]


@pytest.mark.parametrize(("moment", "sections"), [("before", 0), ("after", 1)])
def test_a_script_killed_as_it_saves_leaves_the_file_open(tmp_path: Path, moment: str, sections: int) -> None:
    faults = tmp_path / "faults.toml"
    faults.write_text(f'[[fault]]\nkind = "kill"\ncommand = "Save"\nwhen = "{moment}"\n', encoding="utf-8")
    simulator = Simulator("--session-dir", str(tmp_path / "s"), "--faults", str(faults))
    text = "sem.SetLowDoseMode(1)\nsem.OpenNewFile('a.mrc')\nsem.R()\nsem.Save()"
    assert client(simulator, text).wait() != 0
    done = simulator.run(NEXT)
    assert done.stdout.split() == [str(sections), "1.0", "1.0", str(sections + 1)], done
    assert simulator.end() == 0


def test_a_killed_simulator_goes_on(tmp_path: Path) -> None:
    state = tmp_path / "state"
    options = ("--session-dir", str(tmp_path / "s"), "--state", str(state), "--seed", "5")
    simulator = Simulator(*options)
    first = simulator.run(
        "sem.SetLowDoseMode(1)\nsem.OpenNewFile('a.mrc')\nsem.TiltTo(9)\nsem.R()\nsem.Save()\nsem.R()"
    )
    assert first.returncode == 0, first.stderr
    simulator.process.kill()
    simulator.process.wait()
    assert simulator.process.stdout is not None
    simulator.process.stdout.close()
    # The same command line, or the state alone.
    simulator = Simulator(*options)
    assert simulator.said == [f"the session in {state} goes on after 2 exposures"]
    done = simulator.run("sem.Save()\nprint(sem.ReportFileZsize(), round(sem.ReportTiltAngle()))")
    assert done.stdout.split() == ["2.0", "9"], done.stderr
    assert simulator.end() == 0
    events = [line["event"] for line in truth_of(tmp_path / "s")]
    assert events == ["exposure", "saved", "exposure", "continued", "saved"]
    assert not list((tmp_path / "s").glob("truth.jsonl~*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seed", "4"], "began with --seed 0, not 4"),
        (["--sample", "holey"], "began with --sample lamella, not holey"),
        (["--microscope", "cryoarm"], "began with --microscope krios, not cryoarm"),
        (["--session-dir", "other"], "began with --session-dir"),
    ],
)
def test_another_session_needs_another_state(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    world = make_world(fidelity="kinematic", truth=tmp_path / "truth.jsonl")
    session = Session(world, tmp_path)
    session.keep_state(tmp_path / "state")
    session.close()
    world.truth.close()
    truth = (tmp_path / "truth.jsonl").read_bytes()
    assert cli.main(["--port", "0", "--state", "state", *arguments]) == 1
    text = capsys.readouterr().err
    assert said in text and text.count("\n") == 1
    assert (tmp_path / "truth.jsonl").read_bytes() == truth


def test_a_state_that_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state").write_text("nothing", encoding="utf-8")
    assert cli.main(["--port", "0", "--state", str(tmp_path / "state")]) == 1
    text = capsys.readouterr().err
    assert "is not the state of a simulated microscope" in text and text.count("\n") == 1


WINDOW = (sys.executable, "-m", "mock_serialem", "--fidelity", "kinematic", "--session-dir")


def test_a_script_is_run_and_its_log_printed_without_a_server(tmp_path):
    script = tmp_path / "look.py"
    script.write_text(
        "#!Python\nimport serialem as sem\nsem.View()\nsem.Echo('looked at ' + sem.ReportDirectory())\n"
    )
    done = subprocess.run(
        [*WINDOW, str(tmp_path / "s"), "--run", str(script)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"looked at {tmp_path / 's'}" in done.stdout
    assert '"set": "V"' in (tmp_path / "s" / "truth.jsonl").read_text()


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("sem.MoveStageTo(1e9, 0)", [], "look.py failed"),
        ("", ["--item", "7"], "the Navigator has no item with label '7'"),
        (None, [], "there is no script"),
    ],
)
def test_a_script_that_fails_or_is_not_there_is_one_sentence(tmp_path, text, options, said):
    script = tmp_path / "look.py"
    if text is not None:
        script.write_text(f"#!Python\nimport serialem as sem\n{text}\n")
    done = subprocess.run(
        [*WINDOW, str(tmp_path / "s"), "--run", str(script), *options],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert said in done.stderr and "Traceback" not in done.stderr
