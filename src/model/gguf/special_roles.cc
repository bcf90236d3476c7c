// Names from the tokenizer's files, ids from the model's where those have none.
#include "model/gguf/special_roles.h"

#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "model/gguf/no_counterpart.h"
#include "model/gguf/token_type.h"
#include "tokenizer/special_names.h"

namespace nibble {
namespace {

using Ids = std::vector<std::int32_t>;
using Id = std::optional<std::int32_t>;

constexpr std::uint64_t kMaxConfigBytes = 16ull << 20;

// Tokens that end a turn of a conversation; a template that writes one expects it as an answer's
// end.
constexpr std::array<std::string_view, 3> kTurnEnds = {"<|im_end|>", "<|eot_id|>", "<end_of_turn>"};

// "eos_token_id": an id, or a list of which the first is the one that training used.
Id id_in_config(const fs::path& folder, const char* key, std::size_t tokens) {
  for (const char* name : {"config.json", "generation_config.json"}) {
    const fs::path file = folder / name;
    if (!fs::exists(file)) continue;
    const Json config = read_json(file, kMaxConfigBytes);
    const auto found = config.find(key);
    if (!config.is_object() || found == config.end()) continue;
    const Json& value = found->is_array() && !found->empty() ? found->front() : *found;
    if (value.is_number_unsigned() && value.get<std::uint64_t>() < tokens)
      return value.get<std::int32_t>();
  }
  return std::nullopt;
}

struct Around {
  Ids before, after;
};

// What `tokenizer` puts around every text.
Around special_around(const Tokenizer& tokenizer) {
  const Ids both = tokenizer.encode(""), text = tokenizer.encode("a", {.add_special = false}),
            whole = tokenizer.encode("a");
  for (std::size_t count = 0; count <= both.size(); ++count) {
    Ids expected(both.begin(), both.begin() + static_cast<std::ptrdiff_t>(count));
    expected.insert(expected.end(), text.begin(), text.end());
    expected.insert(expected.end(), both.begin() + static_cast<std::ptrdiff_t>(count), both.end());
    if (expected == whole)
      return {{both.begin(), both.begin() + static_cast<std::ptrdiff_t>(count)},
              {both.begin() + static_cast<std::ptrdiff_t>(count), both.end()}};
  }
  no_counterpart("post-processor: what it adds depends on the text");
}

// Are `added` none, or the token with this role? A role without a token takes it.
bool adds(const Tokenizer& tokenizer, const Ids& added, const char* role, Id& id) {
  if (added.empty()) return false;
  if (!id) id = added.front();
  if (added != Ids{*id}) {
    std::vector<std::string> texts;
    for (const std::int32_t token : added) texts.push_back(tokenizer.token_text(token));
    no_counterpart(cat("post-processor: it adds ", join(texts, " "), " to a text; a GGUF file can ",
                       "only add the ", role, " token, ", tokenizer.token_text(*id)));
  }
  return true;
}

}  // namespace

void set_special_roles(const fs::path& folder, const Tokenizer& tokenizer,
                       GgufVocabulary& vocabulary) {
  const tokenizer::SpecialNames names = tokenizer::read_special_names_in(folder);
  const auto named = [&](const char* role) -> Id {
    const std::string name = names.token(role);
    return name.empty() ? Id() : tokenizer.token_id(name);
  };
  const std::size_t count = vocabulary.tokens.size();
  vocabulary.bos = named("bos_token");
  vocabulary.eos = named("eos_token");
  vocabulary.unk = named("unk_token");
  vocabulary.pad = named("pad_token");
  if (!vocabulary.bos) vocabulary.bos = id_in_config(folder, "bos_token_id", count);
  if (!vocabulary.eos) vocabulary.eos = id_in_config(folder, "eos_token_id", count);
  const Around around = special_around(tokenizer);
  vocabulary.add_bos = adds(tokenizer, around.before, "BOS", vocabulary.bos);
  vocabulary.add_eos = adds(tokenizer, around.after, "EOS", vocabulary.eos);
  for (const std::string_view end : kTurnEnds) {
    const Id id = tokenizer.token_id(end);
    if (id && id != vocabulary.eos && tokenizer.is_special(*id) &&
        vocabulary.chat_template.find(end) != std::string::npos)
      vocabulary.eot = id;
  }
}

}  // namespace nibble
