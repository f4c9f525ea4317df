"""Series in the form in which other programs take them: what `pacetomo export` does.

One module a program makes texts out of series that have been read (`reading`); nothing but `folder` writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pacetomo.errors import StackError
from pacetomo.export.aretomo3 import aretomo3_files
from pacetomo.export.folder import place_stack, write_files
from pacetomo.export.imod import imod_files
from pacetomo.export.mdocs import ViewsInOrder, views_by_tilt, views_by_time
from pacetomo.export.nextpyp import nextpyp_files, nextpyp_views
from pacetomo.export.product import Options, Product, Remark, refuse_same_names, stack_name
from pacetomo.export.relion5 import relion5_files
from pacetomo.export.scipion import scipion_files
from pacetomo.export.series import Series, View
from pacetomo.export.warp import warp_files
from pacetomo.files.atomic import Wait
from pacetomo.files.exchange import Progress

PROGRAMS: Mapping[str, Callable[[Sequence[Series], Options], Product]] = {
    "imod": imod_files,
    "relion5": relion5_files,
    "warp": warp_files,
    "aretomo3": aretomo3_files,
    "scipion": scipion_files,
    "nextpyp": nextpyp_files,
}
"""What is made for each program."""

_SECTIONS: Mapping[str, ViewsInOrder] = {
    "warp": views_by_time,
    "aretomo3": views_by_time,
    "scipion": views_by_tilt,
    "nextpyp": nextpyp_views,
}
"""Order of a stack's sections where it lies beside an mdoc: that of the mdoc's. The other programs take it as it is."""

_OTHER_ORDER = {
    "scipion": "the stack is not in order of tilt, which Scipion needs; use --with-stacks",
    "nextpyp": "the stack is in another order than what is written; to import it, use --with-stacks",
}
"""What to say of a stack that is not put beside and is in another order."""


class Exported(NamedTuple):
    """Folder of an export, how many files it got, what to know about them, and the series that have no stack there.

    `without_stack` is empty where no stacks were asked for.
    """

    folder: Path
    files: int
    remarks: tuple[Remark, ...]
    without_stack: tuple[str, ...] = ()


def export(
    program: str,
    series: Sequence[Series],
    options: Options,
    folder: Path,
    with_stacks: bool = False,
    progress: Progress | None = None,
    wait: Wait | None = None,
    copy_stacks: bool = False,
) -> Exported:
    """Export series for a program.

    Parameters
    ----------
    program : str
        One of `PROGRAMS`.
    series : sequence of Series
        At least one.
    options : Options
        What their metadata do not hold.
    folder : Path
        Where to; made if it is not there.
    with_stacks : bool
        Put the stacks beside the metadata: linked, or copied where they cannot be or are in another order.
    progress : callable, optional
        Told how many sections of a stack are copied, of how many.
    wait : callable, optional
        As in `pacetomo.files.atomic`.
    copy_stacks : bool
        Put the stacks beside as copies, which other programs may change.

    Returns
    -------
    Exported
        A stack that is not there or cannot be put beside is a remark and keeps no other from it.

    Raises
    ------
    PaceError
        If something else cannot be read or written. Existing files have kept their content under their own or a
        backup name.
    """
    refuse_same_names(series)
    product = PROGRAMS[program](series, options)
    write_files(folder, product.files, series, wait)
    remarks = [Remark(each.name, text) for each in series for text in each.warnings]
    remarks += product.remarks
    lacking = []
    for each in series:
        sections = [view.section for view in _SECTIONS.get(program, _as_it_is)(each)]
        name = each.stack.name if program == "imod" else stack_name(each)
        if with_stacks or copy_stacks:
            try:
                place_stack(each, folder / name, sections, progress, wait, copy_stacks)
            except StackError as err:
                lacking.append(each.name)
                remarks.append(Remark(each.name, str(err)))
        elif program in _OTHER_ORDER and each.has_stack and sections != sorted(sections):
            remarks.append(Remark(each.name, _OTHER_ORDER[program]))
    return Exported(folder, len(product.files), tuple(remarks), tuple(lacking))


def _as_it_is(series: Series) -> Sequence[View]:
    return series.views
