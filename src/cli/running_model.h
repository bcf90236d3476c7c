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

namespace nibble::cli {

struct Written {
  std::string text;  // without the prompt
  Generated generated;
  std::size_t prompt_tokens = 0;  // that were computed

  double prompt_rate() const;  // tokens per second
  double rate() const;         // of the tokens after the first
};

class RunningModel {
 public:
  // A model folder or file. Throws what ModelSource and open_tokenizer throw.
  explicit RunningModel(const std::filesystem::path& folder);

  // Makes the layers ready for this arithmetic.
  void prepare(Compute compute) { transformer_.prepare(compute); }

  const ModelSource& source() const { return source_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const HyperParams& hyper() const { return source_.hyper(); }

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
  std::unique_ptr<Tokenizer> tokenizer_;
  Transformer transformer_;
};

}  // namespace nibble::cli
