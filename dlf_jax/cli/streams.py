"""Files that commands read and write, among them stdin and stdout, called ``-``.

A file called ``-`` is written ``./-``.  If data goes to stdout, reports about the data
go to stderr, or are dropped if stderr is the same file.
"""

import dataclasses
import os
import re
import sys
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from dlf_jax.errors import UserError
from dlf_jax.files import check_output, read_file, reason, write_file

# Status of a program that SIGPIPE ends: the reader has closed the pipe.
_BROKEN_PIPE = 141
_DESCRIPTOR = re.compile(r"/dev/std(in|out|err)|/(?:dev|proc/self)/fd/(\d+)")
_STANDARD = {"in": 0, "out": 1, "err": 2}


@dataclasses.dataclass(frozen=True)
class Input:
    """A file to read.

    Attributes:
      name: shown in messages.
      descriptor: an open file, such as stdin; None for one with a path.
    """

    name: str
    descriptor: int | None

    def __str__(self) -> str:
        return self.name

    def read(self) -> bytes:
        """Returns the content.

        Raises:
          UserError: the file cannot be read, or is a terminal.
        """
        if self.descriptor is None:
            if os.path.isdir(self.name):
                raise UserError(
                    f"cannot read {self.name}: it is a folder; name the files in it, "
                    "or see `dlf bulk --help`"
                )
            return read_file(self.name)
        _check_open(self.name, self.descriptor)
        if os.isatty(self.descriptor):
            raise UserError(f"{self.name} is a terminal: name a file, or pipe one in")
        try:
            with open(os.dup(self.descriptor), "rb") as stream:
                return stream.read()
        except OSError as error:
            raise UserError(f"cannot read {self.name}: {reason(error)}") from error

    def output(self, ending: str) -> "Output":
        """Returns the default output: a file beside this one, or stdout for stdin."""
        if self.descriptor is None:
            path = Path(self.name)
            return Output(str(path.parent / f"{path.stem}{ending}"), None)
        return Output("stdout", 1)


@dataclasses.dataclass(frozen=True)
class Output:
    """A file to write.

    Attributes:
      name: shown in messages.
      descriptor: an open file, such as stdout; None for one with a path.
      slash: the user's name ends with a slash, and hence means a folder.
    """

    name: str
    descriptor: int | None
    slash: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def is_folder(self) -> bool:
        """True for a folder that exists, and for a name with a slash at its end."""
        return self.descriptor is None and (self.slash or os.path.isdir(self.name))

    @property
    def extension(self) -> str:
        """Extension of a path; "" for a file without a name, such as a pipe."""
        return "" if self.descriptor is not None else Path(self.name).suffix

    @property
    def is_stream(self) -> bool:
        """True for a pipe, a device and a descriptor."""
        exists = os.path.exists(self.name)
        return self.descriptor is not None or exists and not os.path.isfile(self.name)

    def check(self, force: bool) -> None:
        """Raises UserError if `write` would fail, before any work is lost."""
        if self.descriptor is None:
            check_output(self.name, force)
            return
        _check_open(self.name, self.descriptor)
        if os.isatty(self.descriptor) and not force:
            raise UserError(
                f"{self.name} is a terminal: name a file with -o, or use --force"
            )

    def write(self, data: bytes, force: bool) -> None:
        """Writes a file atomically, and a stream until the reader closes it.

        Raises:
          UserError: the file cannot be written, or exists and `force` is false.
        """
        if self.descriptor is None:
            write_file(self.name, data, force)
            return
        try:
            with open(os.dup(self.descriptor), "wb") as stream:
                stream.write(data)
        except BrokenPipeError:
            raise click.exceptions.Exit(_BROKEN_PIPE) from None
        except OSError as error:
            raise UserError(f"cannot write to {self.name}: {reason(error)}") from error

    def report(self, *lines: Any) -> None:
        """Prints lines about the output, never into the output itself.

        Raises:
          UserError: the lines cannot be written.
        """
        stream = self._beside(sys.stderr if self.is_stream else sys.stdout)
        if stream is None:
            return
        try:
            for line in lines:
                click.echo(line, file=stream)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise UserError(
                f"{self} is complete, but the report cannot be written: {reason(error)}"
            ) from error

    def note(self, line: str) -> None:
        """Prints a warning on stderr, unless stderr is the output."""
        if stream := self._beside(sys.stderr):
            print(f"dlf: {line}", file=stream)

    def _beside(self, stream: Any) -> Any:
        """Returns a stream, or None if the stream is this file."""
        try:
            here = os.stat(self.name if self.descriptor is None else self.descriptor)
            return None if os.path.samestat(os.fstat(stream.fileno()), here) else stream
        except (AttributeError, OSError, ValueError):  # a stream without a file
            return stream


def _check_open(name: str, descriptor: int) -> None:
    """Raises UserError for a standard stream that was closed when Python started."""
    streams = (sys.__stdin__, sys.__stdout__, sys.__stderr__)
    if descriptor < len(streams) and streams[descriptor] is None:
        raise UserError(f"{name} is closed: name a file")


class _Stream(click.ParamType):
    """The type of arguments that become an `Input` or an `Output`."""

    name = "path"

    def __init__(self, kind: type[Input] | type[Output], dash: str):
        self._kind, self._dash = kind, dash

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Distinguishes descriptors from paths."""
        if not value:
            self.fail("the name is empty", param, ctx)
        if value == "-":
            return self._kind(f"std{self._dash}", _STANDARD[self._dash])
        if known := _DESCRIPTOR.fullmatch(value):
            standard, number = known.groups()
            return self._kind(value, _STANDARD[standard] if standard else int(number))
        found = self._kind(str(Path(os.path.expanduser(value))), None)
        if isinstance(found, Output) and value.endswith(("/", os.sep)):
            return dataclasses.replace(found, slash=True)
        return found

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Leaves the names of files to the shell."""
        return [CompletionItem(incomplete, type="file")]


INPUT = _Stream(Input, "in")
OUTPUT = _Stream(Output, "out")
