// Harness of the cluster: clock, program memory, a DRAM behind the AXI4 port, watchdog, counters.
// The C functions at the end are the interface to covenant/sim/cluster.py.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "Vtop.h"
#include "cvn_log.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif
#if VM_COVERAGE
#include "verilated_cov.h"
#endif

namespace {

// xorshift64*: small, fast and the same on every machine.
struct Random {
    uint64_t state;
    explicit Random(uint64_t seed) : state(seed * 0x9E3779B97F4A7C15ull + 0x1234567ull) {}
    uint64_t next() {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        return state * 0x2545F4914F6CDD1Dull;
    }
    uint64_t below(uint64_t bound) { return bound ? next() % bound : 0; }
    bool chance(uint64_t permille) { return permille && next() % 1000 < permille; }
};

// Timing of the DRAM, in cycles and bytes per cycle; jitter and stalls are for tests.
struct Timing {
    uint64_t latency = 100;         // read request to first data beat
    uint64_t write_latency = 10;    // last data beat to write response
    uint64_t read_bytes = 64;       // per cycle
    uint64_t write_bytes = 64;      // per cycle
    uint64_t jitter = 0;            // up to so many cycles more per burst
    uint64_t stall_permille = 0;    // chance that a channel pauses in a cycle
};

enum Outcome { Done = 0, CycleLimit = 1, NoProgress = 2, Assertion = 3, BusError = 4 };

constexpr size_t BeatBytes = sizeof(Vtop::axi_r_data_i);
constexpr size_t MaxRequests = 256;

template <typename Port>
uint64_t low_bits(const Port& port) {
    uint64_t value = 0;
    std::memcpy(&value, &port, std::min(sizeof port, sizeof value));
    return value;
}

struct Burst {
    uint64_t address;
    uint64_t beats;
    uint64_t ready;  // cycle from which its data or response may go out
};

class Dram {
public:
    std::vector<uint8_t> bytes;
    Timing timing;
    bool out_of_range = false;
    uint64_t bad_address = 0;

    Dram(size_t size, uint64_t seed) : bytes(size), random_(seed) {}

    void restart() {
        reads_.clear();
        writes_.clear();
        responses_.clear();
        read_credit_ = write_credit_ = BeatBytes;
        have_beat_ = have_response_ = false;
        out_of_range = false;
    }

    bool busy() const { return !reads_.empty() || !writes_.empty() || !responses_.empty(); }

    // Sets the inputs of the cluster for this cycle; offered data stays until it is taken.
    void drive(Vtop& top, uint64_t cycle) {
        read_credit_ = std::min(read_credit_ + timing.read_bytes, BeatBytes + timing.read_bytes - 1);
        write_credit_ =
            std::min(write_credit_ + timing.write_bytes, BeatBytes + timing.write_bytes - 1);
        if (!have_beat_ && !reads_.empty() && reads_.front().ready <= cycle &&
            read_credit_ >= BeatBytes && !stalls()) {
            have_beat_ = true;
            read_credit_ -= BeatBytes;
            copy_out(&top.axi_r_data_i, reads_.front().address);
        }
        if (!have_response_ && !responses_.empty() && responses_.front() <= cycle && !stalls()) {
            have_response_ = true;
        }
        top.axi_r_valid_i = have_beat_;
        top.axi_r_last_i = have_beat_ && reads_.front().beats == 1;
        top.axi_b_valid_i = have_response_;
        top.axi_ar_ready_i = reads_.size() < MaxRequests && !stalls();
        top.axi_aw_ready_i = writes_.size() < MaxRequests && !stalls();
        top.axi_w_ready_i = write_credit_ >= BeatBytes && !stalls();
    }

    // Looks at the handshakes of this cycle.
    void sample(const Vtop& top, uint64_t cycle) {
        if (top.axi_r_valid_i && top.axi_r_ready_o) {
            have_beat_ = false;
            Burst& burst = reads_.front();
            burst.address += BeatBytes;
            if (--burst.beats == 0) reads_.pop_front();
        }
        if (top.axi_b_valid_i && top.axi_b_ready_o) {
            have_response_ = false;
            responses_.pop_front();
        }
        if (top.axi_ar_valid_o && top.axi_ar_ready_i) {
            accept(reads_, top.axi_ar_addr_o, top.axi_ar_len_o, cycle + wait());
        }
        if (top.axi_aw_valid_o && top.axi_aw_ready_i) {
            accept(writes_, top.axi_aw_addr_o, top.axi_aw_len_o, 0);
        }
        if (top.axi_w_valid_o && top.axi_w_ready_i) take_beat(top, cycle);
    }

private:
    std::deque<Burst> reads_, writes_;
    std::deque<uint64_t> responses_;
    Random random_;
    uint64_t read_credit_ = BeatBytes, write_credit_ = BeatBytes;
    bool have_beat_ = false, have_response_ = false;

    bool stalls() { return random_.chance(timing.stall_permille); }
    uint64_t wait() {
        return timing.latency + (timing.jitter ? random_.below(timing.jitter + 1) : 0);
    }

    void accept(std::deque<Burst>& queue, uint64_t address, uint64_t length, uint64_t ready) {
        const uint64_t beats = length + 1;
        const uint64_t last = address + beats * BeatBytes - 1;
        if (last >= bytes.size() || (address >> 12) != (last >> 12) || address % BeatBytes) {
            out_of_range = true;
            bad_address = address;
        }
        queue.push_back({address, beats, ready});
    }

    void copy_out(void* port, uint64_t address) const {
        if (address + BeatBytes <= bytes.size()) {
            std::memcpy(port, &bytes[address], BeatBytes);
        }
    }

    void take_beat(const Vtop& top, uint64_t cycle) {
        write_credit_ -= BeatBytes;
        if (writes_.empty()) {
            out_of_range = true;
            bad_address = 0;
            return;
        }
        Burst& burst = writes_.front();
        const auto* data = reinterpret_cast<const uint8_t*>(&top.axi_w_data_o);
        const uint64_t strobe = low_bits(top.axi_w_strb_o);
        if (burst.address + BeatBytes <= bytes.size()) {
            for (size_t i = 0; i < BeatBytes; i++) {
                if (strobe >> i & 1) bytes[burst.address + i] = data[i];
            }
        }
        burst.address += BeatBytes;
        const bool last = --burst.beats == 0;
        if (last != bool(top.axi_w_last_o)) out_of_range = true;
        if (last) {
            writes_.pop_front();
            responses_.push_back(cycle + timing.write_latency);
        }
    }
};

class Cluster {
public:
    Dram dram;

    Cluster(size_t dram_bytes, uint64_t seed) : dram(dram_bytes, seed) { rebuild(seed); }

    ~Cluster() {
#if VM_TRACE
        if (trace_) trace_->close();
#endif
        top_->final();
    }

    // A new model whose memories and registers start with random bits; the program is kept.
    void rebuild(uint64_t seed) {
        if (top_) top_->final();
        top_.reset();
        context_ = std::make_unique<VerilatedContext>();
        context_->randReset(2);
        context_->randSeed(static_cast<int>(seed % 0x7FFFFFFF) + 1);
        context_->fatalOnError(false);
        top_ = std::make_unique<Vtop>(context_.get());
        time_ = 0;
        top_->clk_i = 0;
        top_->start_i = 0;
        top_->imem_we_i = 0;
        idle_bus();
        top_->rst_ni = 1;
        top_->eval();
        top_->rst_ni = 0;
        for (int i = 0; i < 4; i++) tick();
        top_->rst_ni = 1;
        tick();
        write_program();
    }

    void load_program(const uint64_t* words, size_t count) {
        program_.assign(words, words + count);
        write_program();
    }

    Outcome run(uint64_t max_cycles, uint64_t patience) {
        cvn_log_clear();
        dram.restart();
        idle_bus();
        top_->start_i = 1;
        uint64_t last_progress = 0, progress = 0;
        for (uint64_t cycle = 0; cycle < max_cycles; cycle++) {
            dram.drive(*top_, cycle);
            top_->clk_i = 0;
            top_->eval();
            dump();
            dram.sample(*top_, cycle);
            top_->clk_i = 1;
            top_->eval();
            dump();
            top_->start_i = 0;
            if (context_->gotFinish()) return Assertion;
            if (dram.out_of_range) return BusError;
            if (top_->done_o && cycle > 0) {
                idle_bus();
                return Done;
            }
            if ((cycle & 1023) == 0) {
                const uint64_t now = activity();
                if (now != progress || dram.busy()) {
                    progress = now;
                    last_progress = cycle;
                } else if (cycle - last_progress > patience) {
                    return NoProgress;
                }
            }
        }
        return CycleLimit;
    }

    uint64_t counter(size_t index) const {
        uint64_t value = 0;
        const auto* bytes = reinterpret_cast<const uint8_t*>(&top_->counters_o);
        if ((index + 1) * sizeof value <= sizeof top_->counters_o) {
            std::memcpy(&value, bytes + index * sizeof value, sizeof value);
        }
        return value;
    }

    uint64_t idle_units() const { return low_bits(top_->unit_idle_o); }
    uint64_t missing_semaphores() const { return low_bits(top_->sem_missing_o); }
    uint64_t program_counter() const { return low_bits(top_->pc_o); }

    bool trace(const char* file) {
#if VM_TRACE
        context_->traceEverOn(true);
        trace_ = std::make_unique<VerilatedVcdC>();
        top_->trace(trace_.get(), 99);
        trace_->open(file);
        return true;
#else
        (void)file;
        return false;
#endif
    }

    void coverage(const char* file) {
#if VM_COVERAGE
        context_->coveragep()->write(file);
#else
        (void)file;
#endif
    }

private:
    std::unique_ptr<VerilatedContext> context_;
    std::unique_ptr<Vtop> top_;
    std::vector<uint64_t> program_;
    uint64_t time_ = 0;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> trace_;
#endif

    void dump() {
#if VM_TRACE
        if (trace_) trace_->dump(time_++);
#endif
    }

    void idle_bus() {
        top_->axi_ar_ready_i = top_->axi_aw_ready_i = top_->axi_w_ready_i = 0;
        top_->axi_r_valid_i = top_->axi_b_valid_i = top_->axi_r_last_i = 0;
    }

    void tick() {
        top_->clk_i = 0;
        top_->eval();
        top_->clk_i = 1;
        top_->eval();
    }

    void write_program() {
        top_->imem_we_i = 1;
        for (size_t i = 0; i < program_.size(); i++) {
            top_->imem_addr_i = i;
            top_->imem_wdata_i = program_[i];
            tick();
        }
        top_->imem_we_i = 0;
    }

    // Changes whenever something useful happens.
    uint64_t activity() const {
        return counter(1) + counter(9) + counter(10) + program_counter() * 0x10001ull;
    }
};

}  // namespace

#define CVN_EXPORT extern "C" __attribute__((visibility("default")))

CVN_EXPORT void* cvn_create(uint64_t dram_bytes, uint64_t seed) {
    return new Cluster(dram_bytes, seed);
}
CVN_EXPORT void cvn_destroy(void* cluster) { delete static_cast<Cluster*>(cluster); }
CVN_EXPORT void cvn_rebuild(void* cluster, uint64_t seed) {
    static_cast<Cluster*>(cluster)->rebuild(seed);
}
CVN_EXPORT void cvn_load_program(void* cluster, const uint64_t* words, uint64_t count) {
    static_cast<Cluster*>(cluster)->load_program(words, count);
}
CVN_EXPORT uint8_t* cvn_dram(void* cluster) {
    return static_cast<Cluster*>(cluster)->dram.bytes.data();
}
CVN_EXPORT void cvn_set_timing(void* cluster, const uint64_t* values) {
    static_cast<Cluster*>(cluster)->dram.timing = {values[0], values[1], values[2],
                                                   values[3], values[4], values[5]};
}
CVN_EXPORT int cvn_run(void* cluster, uint64_t max_cycles, uint64_t patience) {
    return static_cast<Cluster*>(cluster)->run(max_cycles, patience);
}
CVN_EXPORT uint64_t cvn_counter(void* cluster, uint64_t index) {
    return static_cast<Cluster*>(cluster)->counter(index);
}
// 0: idle units, 1: semaphores waited for, 2: program counter, 3: last bad bus address.
CVN_EXPORT uint64_t cvn_status(void* cluster, uint64_t which) {
    const auto* self = static_cast<Cluster*>(cluster);
    switch (which) {
        case 0: return self->idle_units();
        case 1: return self->missing_semaphores();
        case 2: return self->program_counter();
        default: return self->dram.bad_address;
    }
}
CVN_EXPORT void cvn_coverage(void* cluster, const char* file) {
    static_cast<Cluster*>(cluster)->coverage(file);
}
CVN_EXPORT int cvn_trace(void* cluster, const char* file) {
    return static_cast<Cluster*>(cluster)->trace(file);
}
