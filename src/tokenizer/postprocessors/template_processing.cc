// TemplateProcessing: special tokens and the text, in the order of "single". Pairs of texts are not
// something a language model reads, so "pair" is left alone.
#include "tokenizer/postprocessors/postprocessor.h"

namespace nibble::tokenizer::postprocessors {
namespace {

constexpr std::size_t kMaxTemplateIds = 4096;

Ids read_special(const Json& settings, const std::string& name) {
  return with_context(cat("special token \"", name.substr(0, 60), "\""), [&] {
    const Json& special = required(settings, "special_tokens");
    Ids ids;
    for (const Json& id : required_array(required(special, name.c_str()), "ids")) {
      if (!id.is_number_unsigned() || id.get<std::uint64_t>() > INT32_MAX)
        throw Error(ErrorKind::kCorruptFile, "\"ids\" holds something that is not an id");
      ids.push_back(id.get<std::int32_t>());
    }
    return ids;
  });
}

std::unique_ptr<Postprocessor> read_template(const Json& settings) {
  Ids before, after;
  bool seen_text = false;
  for (const Json& piece : required_array(settings, "single")) {
    if (piece.is_object() && piece.contains("Sequence")) {
      const std::string name = required_string(piece["Sequence"], "id");
      if (name != "A" || seen_text)
        throw Error(ErrorKind::kUnsupported,
                    cat("\"single\" uses text ", name.substr(0, 20), " ",
                        seen_text ? "after it used a text already" : "", "; expected A, once"));
      seen_text = true;
      continue;
    }
    const Ids ids = read_special(settings, required_string(required(piece, "SpecialToken"), "id"));
    Ids& side = seen_text ? after : before;
    side.insert(side.end(), ids.begin(), ids.end());
    if (side.size() > kMaxTemplateIds)
      throw Error(ErrorKind::kUnsupported,
                  cat("\"single\" adds more than ", kMaxTemplateIds, " tokens"));
  }
  if (!seen_text)
    throw Error(ErrorKind::kUnsupported, "\"single\" leaves the text out; expected A, once");
  return surround(std::move(before), std::move(after));
}

}  // namespace

extern const Kind<Postprocessor> template_processing{"TemplateProcessing", read_template};

}  // namespace nibble::tokenizer::postprocessors
