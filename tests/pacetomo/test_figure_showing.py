"""Where figures are shown, and that showing one never disturbs."""

from __future__ import annotations

import sys

import pytest

from pacetomo import figure_showing


@pytest.mark.parametrize(
    ("platform", "variables", "seen"),
    [
        ("win32", {}, True),
        ("darwin", {}, True),
        ("linux", {}, False),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
    ],
)
def test_a_display_is_where_a_window_could_be_seen(monkeypatch, platform, variables, seen):
    monkeypatch.setattr(sys, "platform", platform)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert figure_showing.has_display() is seen


def test_without_a_display_nothing_is_started(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(figure_showing.subprocess, "Popen", lambda *_, **__: pytest.fail("a window"))
    assert figure_showing.show_figure(tmp_path / "figure.png") is False


def test_with_a_display_another_process_shows_it_and_nobody_waits(monkeypatch, tmp_path):
    started = []
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(figure_showing.subprocess, "Popen", lambda command, **_: started.append(command))
    picture = tmp_path / "my figure.png"
    assert figure_showing.show_figure(picture) is True
    assert started == [[sys.executable, "-m", "pacetomo.figure_showing", str(picture)]]


def test_a_window_that_cannot_be_opened_is_no_error(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise OSError("no such program")

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(figure_showing.subprocess, "Popen", refuse)
    assert figure_showing.show_figure(tmp_path / "figure.png") is False


def test_windows_opens_it_with_its_own_program(monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(figure_showing.os, "startfile", opened.append, raising=False)
    assert figure_showing.show_figure(tmp_path / "figure.png") is True
    assert opened == [tmp_path / "figure.png"]
