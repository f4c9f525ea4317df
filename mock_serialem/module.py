"""The ``serialem`` module for scripts in this process: looks, returns and refuses like the real one."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mock_serialem.commands import TABLE, Result, check_arguments, check_count, python_result
from mock_serialem.dispatch import execute
from mock_serialem.errors import (
    NORMAL_EXIT,
    CommandError,
    ScriptExit,
    ScriptKilled,
    SEMerror,
    SEMexited,
    SEMmoduleError,
)
from mock_serialem.pictures import buffer_pixels, put_pixels
from mock_serialem.session import Session


def make_module(session: Session) -> ModuleType:
    """Make a module named ``serialem`` whose commands act on a session, and start a script in it.

    The module has every command of SerialEM's table as a function, the exceptions, ``bufferImage``,
    ``PutImageInBuffer`` and the other module-level names. A name that SerialEM does not have raises AttributeError.
    """
    module = ModuleType("serialem", "SerialEM commands on a simulated microscope.")
    names = module.__dict__
    names.update(SEMerror=SEMerror, SEMexited=SEMexited, SEMmoduleError=SEMmoduleError)
    for name in TABLE:
        names[name] = _command_function(session, name)
    names.update(_module_functions(session))
    session.begin_script()
    return module


def _named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    function.__name__ = function.__qualname__ = name
    return function


def _command_function(session: Session, name: str) -> Callable[..., Result]:
    letters = TABLE[name].letters

    def call(*args: object, **keywords: object) -> Result:
        if keywords:
            raise TypeError(f"{name}() takes no keyword arguments")
        values = check_arguments(name, letters, args)
        try:
            reported = execute(session, name, values)
        except ScriptExit as end:
            session.end_script()
            if end.code:
                return None
            raise SEMexited(NORMAL_EXIT) from None
        except ScriptKilled:
            session.end_script()
            raise
        return python_result(reported, session.script.tuples)

    return _named(call, name)


def _module_functions(session: Session) -> dict[str, Callable[..., Any]]:
    def connect(*args: object) -> None:
        check_arguments("ConnectToSEM", "is", args)

    def return_tuples(*args: object) -> None:
        values = check_arguments("ReturnAllValuesAsTuples", "i", args)
        session.script.tuples = bool(values[0]) if values else True

    def set_timeout(*args: object) -> None:
        check_arguments("SetBufferImageTimeout", "D", args)

    def initialized(*args: object) -> None:
        check_count("ScriptIsInitialized", "", len(args))

    def number_of_functions(*args: object) -> int:
        check_count("ReportNumModuleFuncs", "", len(args))
        return len(TABLE)

    def buffer_image(*args: object) -> NDArray[Any]:
        (name,) = check_arguments("bufferImage", "S", args)
        try:
            pixels = buffer_pixels(session, str(name))
        except CommandError as err:
            raise SEMmoduleError(err.message) from err
        pixels.flags.writeable = False
        return pixels

    def put_image(*args: object) -> None:
        check_count("PutImageInBuffer", "OSiisii", len(args))
        rest = check_arguments("PutImageInBuffer", "Siisii", args[1:])
        try:
            put_pixels(session, _as_array(args[0]), *rest)  # type: ignore[arg-type]
        except CommandError as err:
            raise SEMmoduleError(err.message) from err

    functions: dict[str, Callable[..., Any]] = {
        "ConnectToSEM": connect,
        "ReturnAllValuesAsTuples": return_tuples,
        "SetBufferImageTimeout": set_timeout,
        "ScriptIsInitialized": initialized,
        "ReportNumModuleFuncs": number_of_functions,
        "bufferImage": buffer_image,
        "PutImageInBuffer": put_image,
    }
    return {name: _named(function, name) for name, function in functions.items()}


def _as_array(image: object) -> NDArray[Any]:
    try:
        view = memoryview(image)  # type: ignore[arg-type]
    except TypeError as err:
        raise SEMmoduleError("the image has no buffer that can be read") from err
    if not view.contiguous:
        raise SEMmoduleError("the image is not contiguous in memory")
    return np.asarray(view)
