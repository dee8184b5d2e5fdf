"""From a mapping to a program image.

`lower` makes a `Program` (invocations → redundant writes removed → hardware loops), `encode` its
words, `image` the off-chip contents around it, `check` proves it without knowing how it was made,
`files` keeps it on disk. Everything machine-specific comes from the control node of the `Acg`.
"""
