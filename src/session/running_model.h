// A model with its tokenizer, ready to continue a prompt.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "model/generate.h"
#include "model/source.h"
#include "model/stop_strings.h"
#include "model/transformer.h"
#include "nibble/tokenizer.h"
#include "session/generation_settings.h"

namespace nibble {

struct Written {
  std::string text;  // without the prompt
  Generated generated;
  std::size_t prompt_tokens = 0;  // that were computed

  double prompt_rate() const;  // tokens per second
  double rate() const;         // of the tokens after the first
};

class RunningModel {
 public:
  // A model folder or file, with an adapter or without. Throws what ModelSource, open_tokenizer and
  // generation_settings throw.
  explicit RunningModel(const std::filesystem::path& folder,
                        const std::filesystem::path& adapter = {});

  // Makes the layers ready for this arithmetic.
  void prepare(Compute compute) { transformer_.prepare(compute); }

  const ModelSource& source() const { return source_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const Transformer& transformer() const { return transformer_; }
  const HyperParams& hyper() const { return source_.hyper(); }
  // How its folder wants text to be sampled.
  const GenerationSettings& settings() const { return settings_; }

  // `on_text` sees the text as it comes, in whole characters. The ids that end a text are added to
  // those of `options`; `stops` end it too, and are no part of it, though their tokens are of
  // `generated`.
  Written write(std::string_view prompt, GenerateOptions options,
                const std::function<void(std::string_view)>& on_text = {},
                StopStrings stops = StopStrings({})) const;
  // The same for ids of which `cache` has the first, see generate().
  Written write(KvCache& cache, std::span<const std::int32_t> ids, GenerateOptions options,
                const std::function<void(std::string_view)>& on_text, StopStrings stops) const;

 private:
  ModelSource source_;
  GenerationSettings settings_;
  std::unique_ptr<Tokenizer> tokenizer_;
  Transformer transformer_;
  std::vector<std::int32_t> stop_;  // ids that end a text: of the config, tokenizer and settings
};

}  // namespace nibble
