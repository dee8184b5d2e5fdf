"""The command line: arguments and printing only; every command calls `pipeline`."""
