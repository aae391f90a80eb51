"""The command line: one group, and what an error looks like.

Exit codes: 0 done, 1 a check failed or results disagree, 2 bad usage or input.
"""

from __future__ import annotations

import errno
import sys

import click

from . import commands
from .errors import PianobenchError

__all__ = ["bench", "main"]


def main() -> None:
    """Run the command line; deliberate errors become one paragraph on standard error."""
    try:
        bench.main(standalone_mode=False)
    except PianobenchError as error:
        _fail(str(error), error.exit_code)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _fail("Interrupted. What was rendered and encoded is kept; run it again to go on.", 130)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
            raise
        where = f" at {error.filename}" if error.filename else ""
        _fail(
            f"Cannot write{where}: {error.strerror}. What was rendered and encoded is kept; free "
            "some space or choose another place with --cache or --results, and run it again.",
            2,
        )


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="pianobench")
def bench() -> None:
    """Say how well a music encoder and a head judge piano performance."""


for command in commands.__all__:
    bench.add_command(getattr(commands, command))


def _fail(message: str, code: int) -> None:
    click.echo(f"bench: {message}", err=True)
    sys.exit(code)
