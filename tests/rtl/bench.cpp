// Generic bench around a Verilated top: gives Python the address and size of every port and ticks.
// CVN_PORTS lists the ports: PORT(name) for each.
#include <cstdint>
#include <cstring>

#include "Vtop.h"
#include "verilated.h"

namespace {

struct Bench {
  VerilatedContext context;
  Vtop top{&context};

  Bench() { context.fatalOnError(false); }
};

struct Port {
  const char* name;
  void* data;
  uint64_t bytes;
};

void tick(Bench& bench) {
  bench.top.clk_i = 0;
  bench.top.eval();
  bench.top.clk_i = 1;
  bench.top.eval();
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT Bench* bench_new() { return new Bench; }

EXPORT void bench_delete(Bench* bench) {
  bench->top.final();
  delete bench;
}

// Address of a port and its size in bytes; a null pointer if there is no such port.
EXPORT void* bench_port(Bench* bench, const char* name, uint64_t* bytes) {
#define PORT(port) {#port, &bench->top.port, sizeof(bench->top.port)},
  const Port ports[] = {CVN_PORTS};
#undef PORT
  for (const Port& port : ports) {
    if (std::strcmp(port.name, name) == 0) {
      *bytes = port.bytes;
      return port.data;
    }
  }
  return nullptr;
}

// Whether an assertion failed.
EXPORT int bench_failed(Bench* bench) { return bench->context.gotError(); }

// Combinational outputs after inputs changed, without a clock edge.
EXPORT void bench_settle(Bench* bench) {
  bench->top.clk_i = 0;
  bench->top.eval();
}

EXPORT void bench_tick(Bench* bench, uint64_t cycles) {
  for (uint64_t i = 0; i < cycles; i++) tick(*bench);
}

// Ticks until the one-byte port `stop` is not 0; the number of ticks, or `limit` + 1.
EXPORT uint64_t bench_run(Bench* bench, const uint8_t* stop, uint64_t limit) {
  for (uint64_t i = 0; i <= limit; i++) {
    if (*stop != 0) return i;
    tick(*bench);
  }
  return limit + 1;
}
