"""Acquire at Items: setting it up for the script's end, and what a script in it can ask for."""

from __future__ import annotations

from mock_serialem import maps, realign, shifts
from mock_serialem.acquisition import acquire
from mock_serialem.alignment import apply_shift, measure
from mock_serialem.commands import Value, command
from mock_serialem.errors import CommandError
from mock_serialem.files.nav_file import MAP, NavItem
from mock_serialem.nav_acquire import AcquireParams
from mock_serialem.session import Session

_OPTIONS = {"prim": "primary", "scrp-p": "script", "scrp-b": "before", "scrp-a": "after"}


@command("StartNavAcquireAtEnd")
def start_at_end(session: Session) -> None:
    """Start a run when this script ends."""
    navigator = session.navigator
    navigator.require_open()
    if navigator.acquiring >= 0:
        raise CommandError("The Navigator is already acquiring")
    if not any(item.acquire for item in navigator.items):
        raise CommandError("No Navigator item is marked to be acquired")
    session.acquire_params.requested = True


@command("NavAcqAtEndUseParams")
def use_params(session: Session, which: str, name: str = "") -> None:
    """Begin with the mapping (M) or final (F) parameters; a file of parameters (R) is not read."""
    letter = which.strip().upper()[:1]
    if letter == "R":
        raise CommandError("NavAcqAtEndUseParams with a file of parameters is not simulated")
    if letter not in ("M", "F"):
        raise CommandError(f"{which!r} does not name parameters for Acquire at Items")
    requested = session.acquire_params.requested
    session.acquire_params = AcquireParams(primary=1 if letter == "M" else 0, requested=requested)


@command("SetNavAcqAtEndParams")
def set_params(session: Session, option: str, value: float, *more: Value) -> None:
    """Set options: ``prim`` 0 to 4, ``scrp-p``, ``scrp-b``, ``scrp-a`` a script number."""
    words: list[Value] = [option, value, *more]
    if len(words) % 2:
        raise CommandError(f"Option {words[-1]} has no value")
    for name, number in zip(words[::2], words[1::2]):
        attribute = _OPTIONS.get(str(name).strip().lower())
        if attribute is None:
            raise CommandError(f"{name} is not an option of Acquire at Items that is simulated")
        if attribute == "primary" and not 0 <= float(number) <= 4:
            raise CommandError(f"{number} is not a primary action")
        setattr(session.acquire_params, attribute, int(float(number)))


@command("RunScriptAfterNavAcquire")
def run_script_after(session: Session, number: int) -> None:
    """Run a script once after the present or next run."""
    if number not in session.scripts.scripts:
        raise CommandError(f"There is no script number {number}")
    session.acquire_params.follow_up = number


@command("SkipAcquiringGroup")
def skip_group(session: Session, group: int = 0, acquire_off: int = 0) -> None:
    """Leave out the rest of a group, by default the one of the item in progress."""
    navigator = session.navigator
    if navigator.acquiring < 0:
        raise CommandError("The Navigator is not acquiring")
    chosen = group or navigator.items[navigator.acquiring].integer("GroupID")
    if chosen <= 0:
        raise CommandError("The item is not in a group")
    navigator.skipped_groups.add(chosen)
    if acquire_off:
        for item in navigator.items:
            if item.integer("GroupID") == chosen:
                item.acquire = False


@command("SuffixForExtraFile")
def suffix_for_extra_file(
    session: Session, a: str, b: str = "", c: str = "", d: str = "", e: str = "", f: str = "", g: str = ""
) -> None:
    """Suffixes of extra output files at an item; the program has no extra output to name."""
    session.navigator.require_open()


@command("SkipZMoveNextNavRealign")
def skip_z_move(session: Session, on: int = 1) -> None:
    """Let the next realign leave the stage's Z as it is."""
    session.navigator.require_open()
    session.navigator.skip_z_move = bool(on)


@command("SetTiltSeriesAtItem")
def set_tilt_series(session: Session, index: int = 0, on: int = 1) -> float:
    """Mark an item for a tilt series with the first set of parameters, as the operator accepts the dialog."""
    item = session.navigator.item(index)
    if on and item.acquire:
        raise CommandError("The item is already set to be acquired")
    if on and not session.ask_yes_no("SetTiltSeriesAtItem", "Accept the tilt series parameters?"):
        return 0.0
    item.set("TSparamIndex", "0" if on else None)
    return 1.0


@command("MakeAnchorMap")
def make_anchor_map(session: Session) -> None:
    """Save A as a map and a View of the same place as its anchor."""
    session.navigator.require_open()
    first = maps.new_map(session, 0, "")
    letter = "V" if session.low_dose.on else "T"
    acquire(session, letter)
    second = maps.new_map(session, 0, "")
    session.navigator.current = first - 1
    session.log.add(f"Anchor map is item {second}")


@command("AlignToTemplate")
def align_to_template(
    session: Session,
    longest: float = -1.0,
    threshold: float = -1.0,
    resets: int = -1,
    at_zero: int = -1,
    label: str = "",
) -> None:
    """Take an image as the template map was taken, and shift onto the template."""
    item = _template(session, label)
    template = maps.load_map(session, item)
    area = realign.set_of(session, item)
    for turn in range(max(1, resets if resets >= 0 else 2)):
        image = acquire(session, area, frames=False)
        found = measure(session, image, template, longest if longest > 0.0 else None)
        if found is None:
            raise CommandError("Aligning to the template failed: no correlation peak was found")
        apply_shift(session, image, found.shift_um, no_shift=False)
        x, y = shifts.specimen_shift_um(session)
        if turn == 0 and (x * x + y * y) ** 0.5 <= (threshold if threshold >= 0.0 else 1.0):
            break
        shifts.reset_image_shift(session)
    if at_zero == 1:
        shifts.reset_image_shift(session)


def _template(session: Session, label: str) -> NavItem:
    navigator = session.navigator
    navigator.require_open()
    if not label:
        item = navigator.item(0)
    else:
        named = [each for each in navigator.items if each.label.lower() == label.lower()]
        if not named:
            raise CommandError(f"There is no Navigator item {label}")
        item = named[0]
    if item.kind != MAP:
        raise CommandError("The template is not a map")
    return item


@command("RealignReloadedGrid")
def realign_reloaded_grid(
    session: Session, index: int, rotation: float, maps_only: int = 0, expected: float = 0.0, flags: int = 0
) -> None:
    """Find a grid map again after reloading; the simulated loader puts a grid back where it was."""
    item = session.navigator.item(index)
    if item.kind != MAP:
        raise CommandError(f"Navigator item {item.label} is not a map")
    realign.realign(session, item)


@command("RefineGridMapAlignment")
def refine_grid_map(
    session: Session, index: int, buffer: str, a: float = 0.0, b: float = 0.0, c: float = 0.0
) -> None:
    """Check map and image; the grid lies where it was, so that nothing needs to be refined."""
    item = session.navigator.item(index)
    session.buffers.get(buffer)
    if item.kind != MAP:
        raise CommandError(f"Navigator item {item.label} is not a map")
