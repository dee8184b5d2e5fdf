"""Programs as C: what the processor beside an accelerator compiles and runs."""
