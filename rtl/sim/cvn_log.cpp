// Linked into every simulation library; see cvn_log.h.
#include "cvn_log.h"

#include <cstdarg>
#include <cstdio>
#include <string>

namespace {
constexpr size_t MaxBytes = 1 << 16;
std::string& text() {
    static std::string buffer;
    return buffer;
}
}  // namespace

int cvn_printf(const char* format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    const int length = std::vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (text().size() < MaxBytes) text() += line;
    return length;
}

const char* cvn_log() { return text().c_str(); }

void cvn_log_clear() { text().clear(); }
