// Where the text of failing assertions goes: a buffer instead of standard output.
#pragma once

// Takes the place of `printf` inside the Verilator runtime (VL_PRINTF).
int cvn_printf(const char* format, ...);

// Text printed so far.
extern "C" __attribute__((visibility("default"))) const char* cvn_log();
extern "C" __attribute__((visibility("default"))) void cvn_log_clear();
