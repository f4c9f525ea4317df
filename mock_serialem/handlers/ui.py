"""Questions to the operator, and things that only change the display."""

from __future__ import annotations

from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.session import Session

_LINES = 6


@command("YesNoBox")
def yes_no_box(session: Session, text: str) -> float:
    """Ask; not asked at all, and answered No, after ``NoMessageBoxOnError``."""
    if session.script.no_message_box:
        return 0.0
    return float(session.ask_yes_no("YesNoBox", text))


@command("OKBox")
def ok_box(session: Session, text: str) -> None:
    """Show a text and wait."""
    session.ask_yes_no("OKBox", text)


@command("Pause")
def pause(session: Session, text: str = "") -> float:
    """Ask whether to proceed; No is an error."""
    if not session.ask_yes_no("Pause", text or "Proceed?"):
        raise CommandError("The script was ended at a pause")
    return 1.0


@command("EnterString")
def enter_string(session: Session, variable: str, prompt: str) -> None:
    """Ask for a text and put it into a variable."""
    session.variables.set(variable, session.ask_text("EnterString", prompt))


@command("EnterDefaultedNumber")
def enter_defaulted(session: Session, default: float, decimals: int, prompt: str) -> float:
    """Ask for a number with a default."""
    return session.ask_number("EnterDefaultedNumber", prompt, default)


@command("EnterOneNumber")
def enter_number(session: Session, prompt: str) -> float:
    """Ask for a number."""
    return session.ask_number("EnterOneNumber", prompt, None)


@command("ThreeChoiceBox")
def three_choices(
    session: Session, header: str, first: str, second: str, third: str = "", fourth: str = ""
) -> float:
    """Ask for one of up to three choices; the texts are in variables, the button labels in the last one."""
    names = [name for name in (header, first, second, third, fourth) if name]
    texts = [str(session.variables.get(name)) for name in names]
    labels = texts[-1].splitlines()
    answer = session.operator.answer("ThreeChoiceBox", texts[0])
    session.spend(session.operator.thinking_s, "wait")
    if isinstance(answer, str):
        if answer not in labels:
            raise CommandError(f"ThreeChoiceBox has no button {answer!r}")
        return float(labels.index(answer) + 1)
    choice = 1.0 if answer is None or isinstance(answer, bool) else float(answer)
    if not 1 <= choice <= len(labels):
        raise CommandError(f"ThreeChoiceBox has no choice {choice:g}")
    return choice


@command("ManyChoiceBox")
def many_choices(session: Session, radio: int, header: str, labels: str, values: str) -> tuple[float, float]:
    """Ask for one of many choices: its number from 1, or -1 when cancelled."""
    text = str(session.variables.get(header))
    count = len(str(session.variables.get(labels)).splitlines())
    answer = session.operator.answer("ManyChoiceBox", text)
    session.spend(session.operator.thinking_s, "wait")
    if answer is False:
        return -1.0, 0.0
    choice = 1 if answer is None or isinstance(answer, bool) else int(float(answer))
    if not 1 <= choice <= count:
        raise CommandError(f"ManyChoiceBox has no choice {choice}")
    return float(choice), 0.0


@command("KeyBreak")
def key_break(session: Session, key: str = "B") -> float:
    """Whether a key was pressed since the last check."""
    return float(session.operator.key_pressed(key))


@command("SetStatusLine")
def set_status_line(session: Session, line: int, text: str) -> tuple[float, float] | None:
    """Show a text in the script panel; 0 takes the first free line and returns its number."""
    if not 0 <= line <= _LINES:
        raise CommandError(f"There is no status line {line}")
    used = line or next((n for n in range(1, _LINES + 1) if n not in session.status_lines), _LINES)
    session.status_lines[used] = text
    return None if line else (float(used), 0.0)


@command("ClearStatusLine")
def clear_status_line(session: Session, line: int) -> None:
    """Clear a line, 0 all."""
    if line:
        session.status_lines.pop(line, None)
    else:
        session.status_lines.clear()


@command("HighlightStatusLine")
def highlight_status_line(session: Session, line: int, on: int) -> None:
    """Nothing is displayed; the line must exist."""
    if not 1 <= line <= _LINES:
        raise CommandError(f"There is no status line {line}")


@command("NoLineWrapInMessageBox")
def no_line_wrap(session: Session, on: int = 1) -> None:
    """Nothing is displayed."""


@command("FlashDisplay")
def flash_display(session: Session, times: int = 1, interval: float = 0.0, color: str = "") -> None:
    """Nothing is displayed."""


@command("ChooserForTextFile")
def choose_text_file(session: Session, kind: int) -> str:
    """Let the operator choose a file; ``NONE`` if cancelled or not answered."""
    answer = session.operator.answer(
        "ChooserForTextFile", "open a text file" if kind == 0 else "save a text file"
    )
    return answer if isinstance(answer, str) else "NONE"
