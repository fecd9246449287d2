"""How a command ends: the exit code, and the one line on standard error or the JSON object on standard output that says
why it was refused. Called by ``cli.main`` alone; holds nothing of any one command."""

import io
import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import typer

from ic_assets.core.failures import Refused

# Typer's own answer to a wrong argument is a box of lines. Its error type is the parent of this public one, in click or,
# from 0.29 on, in Typer's own copy of it.
_USAGE_ERROR: type[Any] = typer.BadParameter.__bases__[0]
_REFUSED, _INTERRUPTED = 2, 130


def ready_to_speak() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a character that a terminal cannot show ends no command
            stream.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:  # libraries' warnings are for developers, and would bury the one line that counts
        warnings.simplefilter("ignore")


def ended(command: Callable[[], int]) -> int:
    """Runs ``command`` and gives the exit code of ``cli.main``. Whatever it raises has been said."""
    try:
        code = command()
    except _USAGE_ERROR as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            error.show()
            return _REFUSED
        return _refuse(f"{error.format_message()} See --help.")
    except Refused as refused:
        return _refuse(str(refused))
    except KeyboardInterrupt:
        code = _INTERRUPTED
    except BrokenPipeError:
        # Whoever read has seen enough (`| head`). Python's own flush at the end would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - a defect is shown as Python shows it, masked
        from ic_assets.commands.foreseen import explained

        line = explained(error)
        if line is None:
            _show_defect(error)
            return 1
        if isinstance(error, OSError):  # standard output itself may be full
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _refuse(line)
    if code == _INTERRUPTED:  # Typer's own answer to Ctrl-C is an empty line
        sys.stderr.write("ic-assets: stopped; nothing is lost, the same command goes on from here\n")
    return code


def _refuse(why: str) -> int:
    """Says it in one line for people and, where ``--json`` asks for a last line to parse, there too."""
    from ic_assets.core.masking import mask

    line = " ".join(mask(why).split())
    sys.stderr.write(f"ic-assets: {line}\n")
    # Of the arguments as they were given: the refusal may be about these.
    if "--json" in sys.argv[1:]:
        try:
            sys.stdout.write(json.dumps({"refused": line}, ensure_ascii=False) + "\n")
            sys.stdout.flush()
        except OSError:  # nobody reads any more
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return _REFUSED


def _show_defect(error: Exception) -> None:
    """Its traceback, as Python shows it, without secrets and rows."""
    from ic_assets.core.masking import mask, without_rows

    sys.stderr.write(mask("".join(traceback.format_exception(without_rows(error)))))
