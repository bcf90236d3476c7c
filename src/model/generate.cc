#include "model/generate.h"

#include <algorithm>
#include <chrono>

#include "base/parallel.h"
#include "base/text.h"
#include "nibble/error.h"

namespace nibble {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostTogether = 64;                    // sequences written at once
constexpr std::size_t kCacheBytes = std::size_t{512} << 20;  // of their caches

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Depends on the model and the length only, so that the same text comes out everywhere.
std::size_t sequences_together(const HyperParams& hyper, std::size_t length) {
  const std::size_t bytes = 2 * sizeof(float) * hyper.layers * hyper.kv_heads * hyper.head_dim *
                            std::max<std::size_t>(1, length);
  return std::clamp<std::size_t>(kCacheBytes / bytes, 1, kMostTogether);
}

void check_prompt(std::size_t tokens, std::size_t context) {
  if (tokens == 0) throw Error(ErrorKind::kInvalidArgument, "the prompt holds no token");
  if (tokens > context)
    throw Error(ErrorKind::kInvalidArgument,
                cat("the prompt has ", tokens, " tokens; the model's context is ", context));
}

}  // namespace

Generated generate(const Transformer& model, std::span<const std::int32_t> prompt,
                   const GenerateOptions& options,
                   const std::function<bool(std::int32_t)>& on_token) {
  const std::size_t context = model.hyper().context;
  check_prompt(prompt.size(), context);
  KvCache cache(model.hyper(), std::min(context, prompt.size() + options.max_tokens),
                options.kv_type());
  return generate(model, cache, prompt, options, on_token);
}

Generated generate(const Transformer& model, KvCache& cache, std::span<const std::int32_t> tokens,
                   const GenerateOptions& options,
                   const std::function<bool(std::int32_t)>& on_token) {
  const std::size_t context = model.hyper().context;
  check_prompt(tokens.size(), context);
  if (cache.length() >= tokens.size())
    throw Error(ErrorKind::kInvalidArgument,
                cat("the cache has ", cache.length(), " of ", tokens.size(), " tokens already"));
  const auto extend = [&](std::span<const std::int32_t> ids) {
    const std::size_t needed = cache.length() + ids.size();
    if (needed > cache.capacity())
      cache.reserve(std::min(context, std::max(needed, 2 * cache.capacity())));
    return model.extend(cache, ids, options.compute);
  };
  Sampler sampler(options.sampler);
  std::vector<std::int32_t> past(tokens.begin(), tokens.end());
  Generated result;
  auto start = Clock::now();
  std::vector<float> logits = extend(tokens.subspan(cache.length()));
  result.prompt_seconds = seconds_since(start);
  start = Clock::now();
  while (result.ids.size() < options.max_tokens) {
    throw_if_stopped();
    const std::int32_t id = sampler.pick(logits, past);
    if (std::find(options.stop.begin(), options.stop.end(), id) != options.stop.end()) {
      result.stopped = true;
      break;
    }
    result.ids.push_back(id);
    past.push_back(id);
    if (on_token && !on_token(id)) break;
    if (result.ids.size() == options.max_tokens || cache.length() == context) break;
    logits = extend({&id, 1});
  }
  result.generate_seconds = seconds_since(start);
  return result;
}

std::vector<std::vector<std::int32_t>> write_text(const Transformer& model,
                                                  const WriteOptions& options) {
  const HyperParams& hyper = model.hyper();
  std::vector<std::vector<std::int32_t>> texts(options.sequences);
  SamplerOptions plain;
  plain.temperature = 1;
  plain.top_k = 0;
  plain.top_p = 1;
  plain.min_p = 0;
  const std::size_t together = sequences_together(hyper, options.length);
  for (std::size_t first = 0; first < options.sequences; first += together) {
    const std::size_t count = std::min(together, options.sequences - first);
    std::vector<KvCache> caches;
    std::vector<Sampler> samplers;
    std::vector<std::int32_t> current(count);
    std::vector<Continuation> batch;
    for (std::size_t i = 0; i < count; ++i) {
      caches.emplace_back(hyper, options.length);
      // Each sequence has its own numbers, whatever runs beside it.
      Random start(options.seed * 0x9E3779B97F4A7C15ull + first + i);
      current[i] =
          hyper.bos ? *hyper.bos : static_cast<std::int32_t>(start.below(hyper.vocabulary));
      plain.seed = start.bits();
      samplers.emplace_back(plain);
      texts[first + i] = {current[i]};
    }
    for (std::size_t i = 0; i < count; ++i) batch.push_back({&caches[i], {&current[i], 1}});
    for (std::size_t position = 1; position < options.length; ++position) {
      throw_if_stopped();
      const Tensor logits = model.extend(batch, options.compute);
      parallel_for(count, [&](std::size_t i) {
        current[i] = samplers[i].pick({logits.view().row(i), hyper.vocabulary}, texts[first + i]);
        texts[first + i].push_back(current[i]);
      });
      if (options.progress)
        options.progress({"Writing calibration text", "",
                          static_cast<double>(first * options.length + count * position),
                          static_cast<double>(options.sequences * options.length)});
    }
  }
  return texts;
}

}  // namespace nibble
