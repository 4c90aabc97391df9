"""The command `benchbox` itself, and how faults end: in one line, bugs with their traceback."""

from __future__ import annotations

import errno
import os
import re
import traceback
from pathlib import Path
from typing import Any, NoReturn

import click

from benchbox import __version__
from benchbox.errors import BenchboxError, CheckError, DataError
from benchbox.process_rank import (
    OtherProcessError,
    let_others_speak,
    process_count,
    process_number,
)

from . import own_process
from .printing import (
    allow_narrow_streams,
    is_verbose,
    paint,
    print_note,
    set_loudness,
    show_controls,
)

_LONGEST_MESSAGE = 2000  # characters: a cell or a name may be as long as its file
# no room, no room for this user, no longer to be written, too large a file, a failing device
_DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO)


_OUR_VARIABLES = "BENCHBOX_"
_VARIABLES = (
    *("BENCHBOX_CACHE", "BENCHBOX_CACHE_GB", "BENCHBOX_DATA", "BENCHBOX_PROTOCOLS"),
    "BENCHBOX_REPOSITORY",
)
# set by `run --tensorboard` for its recipe, and read by tests
_OTHER_VARIABLES = re.compile("BENCHBOX_(TENSORBOARD|GOLD|BENCH|CASES|FUZZ_.*)")


class UserError(click.ClickException):
    """A BenchboxError on its way out: one line, exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print it; wrong use, which every process of a run finds, is said by the first alone."""
        if process_number() and isinstance(self.__cause__, click.UsageError):
            let_others_speak()
            return
        if is_verbose() and self.__cause__ is not None:
            cause = self.__cause__
            for line in traceback.format_exception(type(cause), cause, cause.__traceback__):
                click.echo(line.rstrip("\n"), err=True, file=file)
        message = show_controls(" ".join(self.format_message().split()))
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[:_LONGEST_MESSAGE]}…"
        click.echo(paint(f"error: {message}", "red", "error:"), err=True, file=file)


class FailedCheckError(UserError):
    """A check of the data that failed, on its way out: one line, exit code 1."""

    exit_code = 1


class BenchboxCommand(click.Command):
    """A command that says so where an option of one value is given twice."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; of an option that is there twice the last value counts."""
        *_, order = self.make_parser(ctx).parse_args(args=list(args))
        for parameter in {id(one): one for one in order}.values():
            if not isinstance(parameter, click.Option) or parameter.multiple or parameter.count:
                continue
            is_plain_flag = parameter.is_flag and not parameter.secondary_opts
            if order.count(parameter) > 1 and not is_plain_flag:
                names = "/".join([*parameter.opts, *parameter.secondary_opts])
                print_note(f"warning: {names} is given more than once; the last one counts")
        return super().parse_args(ctx, args)


class _CommandGroup(click.Group):
    """A group of commands below the main one."""

    command_class = BenchboxCommand


class BenchboxGroup(click.Group):
    """The command group: faults that the user can mend end as one line."""

    command_class = BenchboxCommand
    group_class = _CommandGroup

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the program, or, called with arguments by a test, a command within its process."""
        if args or "args" in options:
            return super().main(*args, **options)
        own_process.open_standard_streams()
        code = 1
        try:
            return super().main(**options)
        except SystemExit as ending:
            code = _exit_code(ending)
            raise
        finally:
            own_process.limit_ending(code)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Read the options before a command; wrong use of them ends in one line, too."""
        allow_narrow_streams()
        set_loudness()
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.UsageError as fault:
            raise _usage_error(fault, "benchbox") from fault

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; end what a user can mend, and Ctrl-C, in one line."""
        try:
            return super().invoke(ctx)
        except CheckError as fault:
            raise FailedCheckError(str(fault)) from fault
        except BenchboxError as fault:
            if process_count() > 1 and not _may_report(fault):
                raise click.exceptions.Exit(UserError.exit_code) from fault
            raise UserError(str(fault)) from fault
        except OtherProcessError:
            return None
        except click.UsageError as fault:
            raise _usage_error(fault, ctx.command_path) from fault
        except KeyboardInterrupt:
            exit_interrupted("interrupted")
        except Exception as fault:
            reason = _describe_disk_fault(fault)
            if not reason:
                raise
            own_process.give_up_full_stdout()
            raise UserError(reason) from fault


def _may_report(fault: BenchboxError) -> bool:
    """Tell whether this one of several processes is to say why they end."""
    from benchbox.runs import execute

    return execute.claim_report(fault)


def _describe_disk_fault(fault: Exception) -> str:
    """Say what a disk that is full or failing did, "" of any other fault.

    Libraries that write weights hide the system's number in a fault of their own.
    """
    for number in _DISK_FAULTS:
        words = os.strerror(number)
        if isinstance(fault, OSError) and fault.errno == number:
            place = fault.filename or "what was to be written"
            return f"{place}: {words}; make room or choose another disk, then the same command"
        if words in str(fault):
            return f"{words} ({fault}); make room or choose another disk, then the same command"
    return ""


def add_loudness(group: click.Group) -> None:
    """Give every command -q and -v; called when all commands are there."""
    for command in group.commands.values():
        if isinstance(command, click.Group):
            add_loudness(command)
        else:
            command.params += _loudness_options()


def _loudness_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            callback=_hear_quiet,
            help="No progress and no notes; warnings and errors alone.",
        ),
        click.Option(
            ["-v", "--verbose"],
            is_flag=True,
            expose_value=False,
            callback=_hear_verbose,
            help="Say more: seconds of each step, the traceback behind an error.",
        ),
    ]


def _hear_quiet(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if value:
        from benchbox import progress

        set_loudness(quiet=True)
        progress.set_quiet(True)
        ctx.call_on_close(lambda: progress.set_quiet(False))


def _hear_verbose(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if value:
        set_loudness(verbose=True)


def _exit_code(ending: SystemExit) -> int:
    """Return the number that a process ends with, as Python reads it."""
    if ending.code is None:
        return 0
    if isinstance(ending.code, int):
        return ending.code
    return 1


def _usage_error(fault: click.UsageError, command: str) -> click.ClickException:
    """Say in one line what was used wrongly and who tells how.

    A group without a command keeps its help.
    """
    if "\n" in fault.message:
        return fault
    if fault.ctx:
        command = fault.ctx.command_path
    message = fault.format_message().rstrip(".")
    return UserError(f"{message}; `{command} --help` says how it is used")


def exit_failed() -> NoReturn:
    """End with exit code 1: a check failed."""
    raise click.exceptions.Exit(1)


def exit_interrupted(note: str) -> NoReturn:
    """End with exit code 130 after Ctrl-C."""
    print_note(note)
    raise click.exceptions.Exit(130) from None


def require_results(results: Path) -> None:
    """Raise DataError for a folder of results that is not there."""
    if not results.is_dir():
        raise DataError(
            f"{results}: no such folder of results; `benchbox run --results {results} …` makes one"
        )


def require_right_level(results: Path) -> None:
    """Raise DataError for a folder without runs some levels above or below one that has them."""
    from benchbox.runs import run_folders

    is_empty = results.is_dir() and not run_folders.holds_runs(results)
    if is_empty and run_folders.nearby_results(results) is not None:
        raise DataError(run_folders.explain_no_runs(results))


@click.group(
    "benchbox",
    cls=BenchboxGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="benchbox")
def main() -> None:
    """Benchmark suite and leaderboard for facial landmarks and gaze.

    Start with `benchbox run --method glsr --protocol synth-300w-full`; it needs no data.
    """
    for name in sorted(os.environ):
        is_known = name in _VARIABLES or _OTHER_VARIABLES.fullmatch(name)
        if name.startswith(_OUR_VARIABLES) and not is_known:
            known = ", ".join(_VARIABLES)
            print_note(f"warning: {name} is set and read by nothing; known: {known}")
    if os.environ.get("BENCHBOX_PROTOCOLS"):
        from benchbox.protocols import protocol_card

        for folder in protocol_card.missing_folders():
            print_note(f"warning: BENCHBOX_PROTOCOLS lists {folder}, which is no folder")
