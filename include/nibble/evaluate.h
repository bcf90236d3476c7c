// How well a model predicts a text, and how far another model is from it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nibble/compute.h"
#include "nibble/resume.h"

namespace nibble {

struct MeasureOptions {
  // gptq-N, llamacpp-N, hf-stride-S; empty: gptq-N with N = min(2048, the model's context).
  std::string protocol = {};
  std::size_t windows = 0;  // only the first ones; 0: all
  std::size_t context = 0;  // window of hf-stride-S, refused elsewhere; 0: the model's own context
  Compute compute = Compute::kFloat32;
  std::optional<Compute> compute_other = {};  // of the second model compared; empty: as the first
  // A folder with low-rank additions to the model, as PEFT has them; of two models, to the second.
  std::filesystem::path adapter = {};
  // Two models compared: both read the text as the first one's tokenizer does. Otherwise it is
  // refused when their own tokenizers read it differently.
  bool base_tokenizer = false;
  // A long measurement keeps what it has scored in a folder of its own in here, where the same one
  // goes on when it is begun again; empty: nothing is kept.
  std::filesystem::path journals = {};
  double journal_after = 20;  // seconds
  Resume resume = Resume::kAuto;
  std::function<void(double done, double total)> progress = {};  // in tokens
  std::function<void(std::string_view line)> log = {};           // warnings
};

// Which tokens of which text were scored: a figure without this means nothing.
struct Scope {
  std::string protocol;
  std::size_t context = 0;      // tokens in a window
  std::size_t windows = 0;      // scored
  std::size_t tokens = 0;       // scored
  std::size_t text_tokens = 0;  // in the whole file
  std::string text_sha256;
};

struct PerplexityResult {
  Scope scope;
  double perplexity = 0;
  double standard_error = 0;       // of the perplexity
  double mean_nll = 0;             // nats per token; perplexity is its exponential
  std::vector<double> window_nll;  // nats per scored token of each window, in the text's order
};

// All divergences in nats, over the scored positions.
struct CompareResult {
  Scope scope;
  double mean_kl = 0;  // KL(base ‖ other)
  double mean_kl_error = 0;
  double median_kl = 0, kl_p90 = 0, kl_p95 = 0, kl_p99 = 0, kl_p999 = 0, max_kl = 0;
  double top1 = 0;  // share of positions where both find the same token most likely
  double top1_error = 0;
  double mean_delta_p = 0;  // of the probability of the text's token, other − base
  double rms_delta_p = 0;
  double log_ratio = 0;        // ln(perplexity of other / of base)
  double log_ratio_error = 0;  // paired: smaller than the errors of the two suggest
  double perplexity_base = 0, perplexity_base_error = 0;
  double perplexity = 0, perplexity_error = 0;
  std::vector<double> window_nll_base, window_nll;  // nats per scored token of each window
};

// `model` is a model folder. Throws kInvalidArgument (unknown protocol, text too short for one
// window, a context that the protocol does not read), kNotFound, kNumeric (logits that are not
// finite).
PerplexityResult measure_perplexity(const std::filesystem::path& model,
                                    const std::filesystem::path& text,
                                    const MeasureOptions& options = {});

// Runs both models side by side, window by window. Also throws kInvalidArgument when they do not
// read the text as the same tokens or differ in the size of their vocabularies.
CompareResult compare_models(const std::filesystem::path& base, const std::filesystem::path& other,
                             const std::filesystem::path& text, const MeasureOptions& options = {});

}  // namespace nibble
