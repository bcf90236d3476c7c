// A model that writes: weights and tokenizer of a folder or a GGUF file, ready to continue text.
//
//   const nibble::Model model = nibble::Model::open("SmolLM2-135M-int4");
//   model.generate("Once upon a time", {.max_tokens = 64},
//                  [](std::string_view piece) { std::cout << piece << std::flush; });
//
// Goals: the shortest way from a folder to text or logits; what a model's files say is what
// happens unless the caller says otherwise. No goals: batches, training, access to layers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nibble/compute.h"
#include "nibble/tokenizer.h"

namespace nibble {

// Optional numbers that are empty are taken from the model's generation_config.json, and where that
// says nothing from `nibble generate --help`.
struct TextOptions {
  std::size_t max_tokens = 128;               // the context ends a text too
  std::vector<std::string> stop = {};         // the text ends before the first of these; at most 64
  std::optional<double> temperature = {};     // 0 … 100; 0: always the most likely token
  std::optional<int> top_k = {};              // ≥ 0; 0: all
  std::optional<double> top_p = {};           // 0 … 1; 1: all
  std::optional<double> min_p = {};           // 0 … 1; 0: all
  std::optional<double> repeat_penalty = {};  // > 0; 1: none
  std::optional<double> presence_penalty = {};   // 0: none
  std::optional<double> frequency_penalty = {};  // 0: none
  std::optional<std::int64_t> repeat_last = {};  // tokens that penalties look at; −1: all
  std::uint64_t seed = 0;  // the same seed, model and CPU instruction set give the same text
};

struct GeneratedText {
  std::string text;               // without the prompt and without a stop string
  std::vector<std::int32_t> ids;  // of its tokens; a stop string's own are among them
  bool stopped = false;           // by a stop string or an id that ends texts; else by length
  std::size_t prompt_tokens = 0;  // special tokens in front included
  double prompt_seconds = 0;      // until the first token was known
  double generate_seconds = 0;    // of all tokens after the first
};

// What a model is, in numbers.
struct ModelFacts {
  std::string architecture;      // "qwen3"
  std::size_t layers = 0;        // decoder blocks
  std::size_t hidden = 0;        // numbers for each token between two blocks
  std::size_t vocabulary = 0;    // rows of logits; a tokenizer may know fewer tokens
  std::size_t context = 0;       // positions, prompt and text together
  std::string weights;           // how most layers are stored: "int4 groups of 128"
  std::size_t weight_bytes = 0;  // read for each token: blocks and head
};

// Weights stay in the mapped files: they must not change while a Model lives. One thread at a time
// may use a Model; it uses all threads of nibble/process.h.
class Model {
 public:
  // A model folder (config.json, tokenizer.json, safetensors) or a .gguf file; quantized ones as
  // `quantize` or other tools write them. Nothing is fetched.
  // Throws kNotFound, kCorruptFile, kUnsupported (an architecture, layout or tokenizer that is not
  // known; the message names what is), kResource.
  static Model open(const std::filesystem::path& path, Compute compute = Compute::kInt8);
  Model(Model&& other) noexcept;
  Model& operator=(Model&& other) noexcept;
  ~Model();

  const Tokenizer& tokenizer() const;  // lives as long as the Model
  const ModelFacts& facts() const;
  // What an instruction-tuned model wants to read for one message of a user.
  // Throws kNotFound where the model has no chat template.
  std::vector<std::int32_t> chat_prompt(std::string_view message) const;

  // Continues `prompt`. `on_text` sees the text as it comes, in whole UTF-8 characters.
  // Throws kInvalidArgument (a prompt that is empty or longer than the context, options out of
  // range), kNumeric, kInterrupted after request_stop(), and what `on_text` throws.
  GeneratedText generate(std::string_view prompt, const TextOptions& options = {},
                         const std::function<void(std::string_view)>& on_text = {}) const;
  // The same for token ids, each from 0 to vocabulary − 1.
  GeneratedText generate(std::span<const std::int32_t> prompt, const TextOptions& options = {},
                         const std::function<void(std::string_view)>& on_text = {}) const;

  // How much the model wants each token of the vocabulary after `ids`: [vocabulary], natural
  // logarithms up to a constant. Throws kInvalidArgument as generate() does.
  std::vector<float> logits(std::span<const std::int32_t> ids) const;

 private:
  struct Parts;
  explicit Model(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace nibble
