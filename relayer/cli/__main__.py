"""`python -m relayer.cli` is `xvm`."""

from relayer.cli.app import main

main()
