"""`python -m relayer.cli.xvmd`: the program `xvmd`."""

from relayer.cli.xvmd.app import main

main()
