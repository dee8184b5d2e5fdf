# Recipes used by people, pre-commit and CI alike. `just` lists them.

default:
    @just --list

# format, lint, types, import contract, unit and golden tests: under two minutes
check: format-check lint types imports unit

format:
    ruff format .
    ruff check --fix .

format-check:
    ruff format --check .

lint:
    ruff check .

types:
    mypy

imports:
    lint-imports

unit:
    pytest -m "not rtl and not slow" tests

# everything, RTL included
test:
    pytest

rtl-lint:
    python tests/rtl/lint.py
