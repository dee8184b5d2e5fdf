"""covenant: one YAML file describes an accelerator; mapping, program, RTL and numbers follow."""

__version__ = "0.1.0"
