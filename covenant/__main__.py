"""`python -m covenant`."""

from covenant.cli.main import main

main()
