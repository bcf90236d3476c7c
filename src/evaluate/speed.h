// How fast a model runs here, and how fast this machine could at best.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "model/transformer.h"

namespace nibble {

// What the machine does at best, measured: all threads at once.
struct Ceilings {
  double read_bytes = 0;  // per second, from memory
  double int8_ops = 0;    // per second; a multiplication and its addition are two
  double float_ops = 0;   // the same, of the dense product in `float_name`
  const char* float_name = "";
};
Ceilings measure_ceilings();
// The higher of each figure: another load on the machine only ever hides what it can do.
Ceilings highest(const Ceilings& first, const Ceilings& second);

// One row of the table: `prompt` tokens at once, or `generate` tokens one after another, after
// `depth` tokens; `parallel` sequences advance together while generating.
struct SpeedTest {
  std::size_t prompt = 0;
  std::size_t generate = 0;
  std::size_t depth = 0;
  std::size_t parallel = 1;
};

struct SpeedResult {
  std::vector<double> seconds = {};        // of each repetition
  std::vector<double> token_seconds = {};  // of each generated step, sorted
  std::size_t tokens = 0;                  // in a repetition, over all sequences
  double bytes = 0;                        // read for one generated step: weights and cache
  double ops = 0;                          // of one repetition: products of the linear layers
};

// Throws kInvalidArgument when the test exceeds the model's context.
SpeedResult measure_speed(const Transformer& model, const SpeedTest& test, std::size_t repetitions,
                          Compute compute, KvType kv);

// How near a rate, in tokens per second, comes to what bounds the test: reading the weights, or the
// products in bytes (`int8`) or floats. Above 1 the ceilings were measured under another load.
struct CeilingShare {
  double share = 0;
  const char* ceiling = "";  // "read", "int8", "f32", "bf16"
};
CeilingShare share_of(const Ceilings& ceilings, const SpeedTest& test, const SpeedResult& result,
                      double rate, bool int8);

// `values` in rising order, not empty; share in [0, 1].
double quantile(const std::vector<double>& values, double share);

}  // namespace nibble
