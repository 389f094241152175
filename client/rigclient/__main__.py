"""`python -m rigclient` is `rig`."""

from rigclient.cli.main import main

main()
