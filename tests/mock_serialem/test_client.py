"""The stand-in module over the socket behaves like the one in the process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest

from mock_serialem import client
from mock_serialem.pictures import buffer_pixels
from mock_serialem.server import Server
from mock_serialem.session import Session


@pytest.fixture
def connection(session: Session) -> Iterator[client.Connection]:
    with Server(session) as server:
        connection = client.Connection()
        connection.port = server.port
        yield connection
        connection.close()


@pytest.fixture
def remote(connection: client.Connection) -> ModuleType:
    return client.make_client_module(connection)


def test_values_of_every_kind(remote: ModuleType, session: Session) -> None:
    assert remote.ReportTiltAngle() == 0.0
    assert remote.ReportStageXYZ() == (0.0, 0.0, 0.0)
    assert remote.ReportDirectory() == str(session.directory)
    assert remote.ReportEnvironVar("NO_SUCH_VARIABLE") == (0.0, "none")
    assert remote.TiltTo(12, 0) is None
    assert remote.ReportTiltAngle() == pytest.approx(12, abs=0.1)
    remote.SetVariable("name", "größe = a\nb")
    assert remote.GetVariable("name") == "größe = a\nb"
    remote.ReturnAllValuesAsTuples()
    assert remote.ReportTargetDefocus() == (-5.0,)


def test_errors_of_every_kind(remote: ModuleType, session: Session) -> None:
    with pytest.raises(TypeError, match=r"^TiltTo\(\) takes at least 1 argument"):
        remote.TiltTo()
    with pytest.raises(TypeError, match="no keyword"):
        remote.TiltTo(angle=1)
    with pytest.raises(AttributeError):
        _ = remote.TiltTwo
    with pytest.raises(remote.SEMerror, match=r"^No message from command error$"):
        remote.ChangeFocus(0)
    remote.NoMessageBoxOnError(1)
    with pytest.raises(remote.SEMerror, match="SCRIPT ERROR WITH THIS MESSAGE:\nA focus change"):
        remote.ChangeFocus(0)
    with pytest.raises(remote.SEMerror, match=r"SetupWaffleMontage .* not simulated"):
        remote.SetupWaffleMontage(0, "x")
    session.press_stop()
    with pytest.raises(remote.SEMexited, match=r"^User STOP$"):
        remote.Echo("x")


def test_exit_and_a_new_start(remote: ModuleType, session: Session) -> None:
    remote.SetVariable("a", "1")
    assert remote.Exit(1) is None
    assert remote.IsVariableDefined("a") == 0.0
    with pytest.raises(remote.SEMexited, match=r"^Normal exit$"):
        remote.Exit()
    assert remote.ReportTiltAngle() == 0.0


def test_images_in_both_directions(remote: ModuleType, session: Session) -> None:
    remote.T()
    array = np.asarray(remote.bufferImage("A"))
    np.testing.assert_array_equal(array, buffer_pixels(session, "A"))
    assert array.dtype == np.int16 and not array.flags.writeable
    for dtype in (np.uint8, np.int16, np.uint16, np.float32):
        made = np.arange(20).reshape(4, 5).astype(dtype)
        remote.PutImageInBuffer(made, "P", 5, 4)
        np.testing.assert_array_equal(np.asarray(remote.bufferImage("P")), made)
    fortran = np.asfortranarray(np.arange(20, dtype=np.int16).reshape(4, 5))
    remote.PutImageInBuffer(fortran, "Q", 5, 4, "A", 2)
    np.testing.assert_array_equal(remote.bufferImage("Q"), fortran)
    assert remote.ImageProperties("Q")[2] == 8.0


def test_images_that_cannot_be(remote: ModuleType) -> None:
    for name in ("B", "Z", "a", ""):
        with pytest.raises(remote.SEMmoduleError):
            remote.bufferImage(name)
    with pytest.raises(remote.SEMmoduleError):
        remote.PutImageInBuffer(np.zeros((2, 2)), "A", 2, 2)
    with pytest.raises(remote.SEMmoduleError):
        remote.PutImageInBuffer([1, 2], "A")
    with pytest.raises(remote.SEMmoduleError):
        remote.PutImageInBuffer(np.zeros((2, 2), np.int16), "A", 3, 2)
    assert remote.ReportTiltAngle() == 0.0


def test_no_one_listens(session: Session) -> None:
    connection = client.Connection()
    with Server(session) as server:
        connection.port = server.port
    module = client.make_client_module(connection)
    with pytest.raises(module.SEMmoduleError, match="Cannot connect"):
        module.ReportTiltAngle()
    with pytest.raises(module.SEMmoduleError):
        module.ConnectToSEM(0)


def test_a_busy_program(connection: client.Connection, remote: ModuleType) -> None:
    remote.ReportTiltAngle()
    other = client.Connection()
    other.port = connection.port
    module = client.make_client_module(other)
    with pytest.raises(module.SEMmoduleError, match="busy"):
        module.ReportTiltAngle()
    other.close()


def test_a_server_that_goes_away(session: Session) -> None:
    connection = client.Connection()
    module = client.make_client_module(connection)
    with Server(session) as server:
        module.ConnectToSEM(server.port, "127.0.0.1")
        assert module.ReportTiltAngle() == 0.0
    with pytest.raises(module.SEMmoduleError):
        module.ReportTiltAngle()


def test_port_and_address_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PY_SERIALEM_PORT", "4711")
    monkeypatch.setenv("PY_SERIALEM_IP", "10.0.0.1")
    connection = client.Connection()
    assert (connection.host, connection.port) == ("10.0.0.1", 4711)
    monkeypatch.delenv("PY_SERIALEM_PORT")
    monkeypatch.delenv("PY_SERIALEM_IP")
    connection = client.Connection()
    assert (connection.host, connection.port) == ("127.0.0.1", 48888)


def test_install_makes_it_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serialem", ModuleType("serialem"))
    module = client.install(4712)
    assert sys.modules["serialem"] is module
    assert type(module.ReportNumModuleFuncs()) is int
    # Commands too new for the published module are missing there.
    assert not hasattr(module, "AssessPolygonMontage")


def test_the_client_needs_no_numpy() -> None:
    import subprocess

    program = "import mock_serialem.client, sys; assert 'numpy' not in sys.modules"
    paths = [str(path) for path in sys.path if path]
    code = f"import sys; sys.path[:0] = {paths!r}\n{program}"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
