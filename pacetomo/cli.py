"""The command line: what to type, and one clear sentence when something is wrong."""

from __future__ import annotations

import argparse
import io
import math
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pacetomo import __version__
from pacetomo.cli_edit import add_edit_command
from pacetomo.cli_export import add_export
from pacetomo.cli_files import add_file_commands
from pacetomo.cli_output import add_output_commands
from pacetomo.errors import PaceError

_EPILOG = """examples:
  pacetomo rehearse                                    a whole session on a simulated microscope
  pacetomo rehearse lamella_tgts.txt --set pretilt=-9  your own targets
  pacetomo plan lamella_tgts.txt                       exposures, dose and time
  pacetomo check lamella_tgts.txt                      what would go wrong, and what to do about it
  pacetomo edit lamella_tgts.txt                       targets and settings in a window
  pacetomo script acquire                              the script to paste into SerialEM
  pacetomo sort lamella_ts_*.mrc                       sort series by tilt
  pacetomo bin 2 lamella_ts_*.mrc                      bin series
  pacetomo export --for relion5 lamella_ts_*.mrc       what another program imports
  pacetomo exclude lamella_ts_003.mrc --views 3,7-9    leave views out
  pacetomo check-output D:\\data\\session1               compare series with their metadata and runs
  pacetomo status D:\\data\\session1                     how the areas of a session stand
  pacetomo finish lamella_tgts_run01.txt               complete the sorting and binning of a run
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when all went well, 1 when refused or failed, 2 for wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console without µ or Å must not end a run
            stream.reconfigure(errors="replace")
    try:
        options = _parser().parse_args(arguments)
        return int(options.run(options))
    except PaceError as err:
        print(f"pacetomo: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("pacetomo: interrupted", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        sys.stderr.close()
        return 1
    except OSError as err:
        print(f"pacetomo: {err.filename or 'output'}: {err.strerror or err}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pacetomo",
        description="Parallel cryo-ET tilt series in SerialEM, rehearsed on a simulated microscope.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"pacetomo {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_rehearse(commands)
    _add_plan(commands)
    _add_check(commands)
    _add_replay(commands)
    _add_report(commands)
    _add_status(commands)
    _add_script(commands)
    add_edit_command(partial(_add, commands))
    add_file_commands(partial(_add, commands))
    add_export(partial(_add, commands))
    add_output_commands(partial(_add, commands))
    return parser


if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - has no public name
    from pacetomo.job import Job
    from pacetomo.report.records import Note
    from pacetomo.settings import ResolvedSettings
    from pacetomo.targets import TargetSet


def _add(commands: Commands, name: str, help_text: str, example: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=help_text,
        description=help_text[0].upper() + help_text[1:] + ".",
        epilog=f"example:\n  pacetomo {name} {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_rehearse(commands: Commands) -> None:
    from pacetomo.rehearse import DEFAULT_TARGETS, FIDELITIES, SAMPLES, STAGES, Rehearsal

    parser = _add(
        commands,
        "rehearse",
        "acquire a target file on a simulated microscope, with a report",
        "lamella_tgts.txt --stage krios --set pretilt=-9 --out rehearsal",
    )
    parser.add_argument(
        "target_file",
        nargs="?",
        type=Path,
        metavar="TARGETFILE",
        help="targets to acquire (default: a bundled example of the sample)",
    )
    parser.add_argument("--sample", choices=SAMPLES, help=f"default: {Rehearsal.sample}")
    parser.add_argument("--stage", choices=STAGES, help=f"default: {Rehearsal.stage}")
    parser.add_argument(
        "--fidelity",
        choices=FIDELITIES,
        help=f"with images, or positions only, which is much faster (default: {Rehearsal.fidelity})",
    )
    parser.add_argument(
        "--seed", type=_natural, help=f"other seed, other microscope (default: {Rehearsal.seed})"
    )
    parser.add_argument(
        "--targets",
        type=_count,
        metavar="N",
        help=f"the first N targets of the file (default: all; {DEFAULT_TARGETS} of the example)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="overrides",
        help="a setting, over the target file's; may be repeated",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="new folder, or that of an interrupted rehearsal, which goes on where it stopped "
        "(default: rehearsal, rehearsal_2 …)",
    )
    parser.add_argument("--truth", type=Path, metavar="FILE", help="truth log (default: DIR/truth.jsonl)")
    parser.set_defaults(run=_run_rehearse)


def _add_plan(commands: Commands) -> None:
    parser = _add(
        commands, "plan", "print exposures, dose and estimated time of a target file", "lamella_tgts.txt"
    )
    _add_area(parser, is_needed=False)
    parser.add_argument(
        "--settings",
        action="store_true",
        dest="show_settings",
        help="print the settings in force: value, origin, what it is, what is allowed",
    )
    parser.add_argument(
        "--policies",
        action="store_true",
        dest="show_policies",
        help="print what is done about each kind of trouble; needs no target file",
    )
    parser.set_defaults(run=partial(_run_plan, parser))


def _add_check(commands: Commands) -> None:
    parser = _add(
        commands, "check", "say what would go wrong with a target file, and what to do", "lamella_tgts.txt"
    )
    _add_area(parser)
    parser.set_defaults(run=_run_check)


def _add_area(parser: argparse.ArgumentParser, is_needed: bool = True) -> None:
    parser.add_argument("target_file", type=Path, metavar="TARGETFILE", nargs=None if is_needed else "?")
    parser.add_argument("--facility", type=Path, metavar="FILE", help="a facility's settings in TOML form")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="overrides",
        help="a setting, over the target file's; may be repeated",
    )


def _add_replay(commands: Commands) -> None:
    from pacetomo.replay import TRACKERS

    parser = _add(
        commands,
        "replay",
        "run a tracking model over the metadata of past parallel sessions, or learn a stage profile from them",
        "lamella_ts_001.mrc.mdoc\n  pacetomo replay */*_ts_*.mdoc --learn krios_stage.json",
    )
    parser.add_argument("mdocs", type=Path, nargs="+", metavar="FILE.mdoc")
    parser.add_argument("--tracker", choices=TRACKERS, default="joint", help="default: %(default)s")
    parser.add_argument(
        "--n0",
        type=_finite,
        metavar="UM",
        help="distance from the tilt axis in µm (default: the first Y shift; single: fitted to the record)",
    )
    parser.add_argument(
        "--data-points",
        type=_count,
        default=4,
        metavar="N",
        help="single: displacements per fit (default: 4)",
    )
    parser.add_argument(
        "--learn",
        type=Path,
        metavar="PROFILE",
        help="write what repeats in the files to a stage profile, for the setting stageProfile",
    )
    parser.set_defaults(run=_run_replay)


def _add_report(commands: Commands) -> None:
    parser = _add(
        commands, "report", "write the report of a run from its journal", "lamella_tgts_run01.jsonl"
    )
    parser.add_argument("journal", type=Path, metavar="JOURNAL")
    parser.add_argument("--truth", type=Path, metavar="FILE", help="truth log of a rehearsal")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: report.html beside the journal")
    parser.set_defaults(run=_run_report)


def _add_status(commands: Commands) -> None:
    parser = _add(
        commands,
        "status",
        "say how the areas of a session folder stand and what a restart would do; exit status 1 if anything needs "
        "somebody",
        "D:\\data\\session1",
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path(), metavar="FOLDER", help="default: here"
    )
    parser.set_defaults(run=_run_status)


def _add_script(commands: Commands) -> None:
    parser = _add(commands, "script", "print a script to paste into SerialEM", "acquire")
    parser.add_argument("name", nargs="?", default="acquire", metavar="NAME", help="default: %(default)s")
    parser.set_defaults(run=_run_script)


def _whole(text: str, lowest: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if number < lowest:
        raise argparse.ArgumentTypeError(f"{text} is below {lowest}")
    return number


def _natural(text: str) -> int:
    return _whole(text, 0)


def _count(text: str) -> int:
    return _whole(text, 1)


def _finite(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of µm")
    return number


def _say(text: str) -> None:
    print(text)


def _run_rehearse(options: argparse.Namespace) -> int:
    from pacetomo.progress import ProgressBar
    from pacetomo.rehearsal_continued import continue_rehearsal, find_record
    from pacetomo.rehearsal_record import FINISHED
    from pacetomo.rehearse import Rehearsal, nearest_free_folder, rehearse

    names = ("target_file", "sample", "stage", "fidelity", "seed", "targets", "truth")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    out = options.out or nearest_free_folder("rehearsal")
    rehearsal = Rehearsal(out=out, overrides=tuple(options.overrides), **given)
    record = find_record(rehearsal, {*given, *(["set"] if options.overrides else [])})
    if record is not None and record.phase == FINISHED:
        _say(f"The rehearsal in {out} is finished; another one needs another folder")
        return 0
    try:
        with ProgressBar(sys.stderr) as bar:
            if record is None:
                outcome = rehearse(rehearsal, bar.update_from)
            else:
                outcome = continue_rehearsal(out, record, _say, bar.update_from)
    except KeyboardInterrupt:
        journal = max(out.glob("*_run[0-9][0-9].jsonl"), default=None)
        hint = f"`pacetomo rehearse --out {out}` goes on with it"
        if journal is None:
            raise PaceError(f"interrupted before the first image; {hint}") from None
        hint += f", `pacetomo report {journal}` reports on it"
        raise PaceError(f"interrupted; what was acquired until then is in {out}, {hint}") from None
    if outcome.error is not None and not outcome.files.journal(outcome.files.latest_run).exists():
        raise PaceError(outcome.error)
    _report(outcome.files.journal(outcome.files.latest_run), outcome.truth, outcome.timeline, None)
    if outcome.error is not None:
        raise PaceError(f"the acquisition did not finish: {outcome.error}")
    return 0


def _run_plan(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    from pacetomo.plan import plan_table
    from pacetomo.preflight import find_problems
    from pacetomo.scope.facts import OFFLINE
    from pacetomo.settings import settings_table

    if options.show_policies:
        from pacetomo.policies import policies_table

        resolved = _resolved(options)
        _say(policies_table(resolved.policies, resolved.values()))
        return 0
    if options.target_file is None:
        parser.error("the following arguments are required: TARGETFILE")
    job = _job(options)
    if options.show_settings:
        _say(settings_table(job.resolved))
        return 0
    _complain([*job.targets.warnings, *job.resolved.warnings])
    _complain([p.describe() for p in find_problems(job, OFFLINE) if "image shift" in p.text])
    _say(f"{job.files.target_file.name}: {job.estimate().describe()}")
    prices = job.prices()
    times = job.dosing(prices.record_s, prices.dose_per_s).seconds
    _say(plan_table(job.plan, prices, len(job.active), times, job.tiles))
    return 0


def _run_check(options: argparse.Namespace) -> int:
    from pacetomo.preflight import find_problems
    from pacetomo.scope.facts import OFFLINE

    job = _job(options)
    problems = find_problems(job, OFFLINE)
    for text in (*job.targets.warnings, *job.resolved.warnings):
        _say(f"warning: {text}")
    for problem in problems:
        _say(f"{'error' if problem.fatal else 'warning'}: {problem.describe()}")
    if not problems:
        _say(f"{job.files.target_file.name}: {len(job.active)} targets, nothing to object to")
    return 1 if any(problem.fatal for problem in problems) else 0


def _job(options: argparse.Namespace) -> Job:
    from pacetomo.area_files import AreaFiles
    from pacetomo.files.target_file import read_targets
    from pacetomo.job import NOMINAL_STAGE_TO_SPECIMEN, make_job

    files = AreaFiles(options.target_file)
    targets = read_targets(options.target_file)
    return make_job(files, targets, _resolved(options, targets), NOMINAL_STAGE_TO_SPECIMEN)


def _resolved(options: argparse.Namespace, targets: TargetSet | None = None) -> ResolvedSettings:
    """Settings in force for a target file, if there is one."""
    from pacetomo.files.target_file import read_targets
    from pacetomo.settings import SettingsLayer, parse_assignment, read_settings_toml, resolve_settings

    if targets is None and options.target_file is not None:
        targets = read_targets(options.target_file)
    layers = [] if options.facility is None else [read_settings_toml(options.facility)]
    if targets is not None:
        layers.append(targets.settings_layer(options.target_file.name))
    layers.append(SettingsLayer("command line", dict(map(parse_assignment, options.overrides))))
    return resolve_settings(*layers)


def _run_replay(options: argparse.Namespace) -> int:
    from pacetomo.replay import replay_file

    if options.learn is not None:
        return _learn(options.mdocs, options.learn)
    for mdoc in options.mdocs:
        _say(replay_file(mdoc, options.n0, options.data_points, options.tracker).table())
    return 0


def _learn(mdocs: Sequence[Path], path: Path) -> int:
    from pacetomo.files.stage_profile import write_profile
    from pacetomo.stage_profiles import learn_from, verdict

    profile, told = learn_from(mdocs)
    backup = write_profile(path, profile)
    _complain(told)
    _say(profile.describe())
    warning = verdict(profile)
    _complain([] if warning is None else [warning])
    _say(f"profile: {path}" + ("" if backup is None else f" (the one before: {backup.name})"))
    return 0


def _run_report(options: argparse.Namespace) -> int:
    _report(options.journal, options.truth, None, options.out)
    return 0


def _report(
    journal: Path, truth: Path | None, timeline: Mapping[str, float] | None, out: Path | None
) -> None:
    from pacetomo.report import format_summary, read_journal, read_truth, summarise, write_report

    run = read_journal(journal)
    log = None if truth is None else read_truth(truth)
    page = write_report(out or journal.with_name("report.html"), run, log, journal.parent, timeline)
    _say(format_summary(summarise(run, log)))
    _complain(list(dict.fromkeys(_said(note) for note in run.notes)))
    _say(f"report: {page}")


def _said(note: Note) -> str:
    return f"target {note.target} is left out: {note.text}" if note.kind == "skip" else note.text


def _complain(texts: Sequence[str], most: int = 8) -> None:
    """Warnings on the console, the end of a long list counted only."""
    for text in texts[:most]:
        print(f"warning: {text}", file=sys.stderr)
    if len(texts) > most:
        print(f"warning: {len(texts) - most} more are in the report", file=sys.stderr)


def _run_status(options: argparse.Namespace) -> int:
    from pacetomo.status import closing_line, session_status, status_lines

    areas = session_status(options.folder)
    for line in (*status_lines(areas), closing_line(areas)):
        _say(line)
    return 1 if any(area.needs_person for area in areas) else 0


def _run_script(options: argparse.Namespace) -> int:
    from pacetomo.scripts import script_path

    _say(script_path(options.name).read_text(encoding="utf-8"))
    return 0
