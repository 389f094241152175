"""Tables that nobody reads to their end, as in `rig laps | head -1`."""

import os
import subprocess
import sys


def test_a_table_that_nobody_reads_ends_as_sigpipe_does() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    code = (
        "from rigclient.cli.terminal import streams, text; import click; "
        "streams.run(click.command()(lambda: text.Console().print('x')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")
