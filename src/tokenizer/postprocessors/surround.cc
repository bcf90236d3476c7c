// RobertaProcessing and BertProcessing: cls in front, sep behind. ByteLevel: nothing (it moves
// offsets, which are not kept here).
#include "tokenizer/postprocessors/postprocessor.h"

namespace nibble::tokenizer {
namespace {

class Surround : public Postprocessor {
 public:
  Surround(Ids before, Ids after) : before_(std::move(before)), after_(std::move(after)) {}
  Ids apply(Ids ids, bool add_special) const override {
    if (!add_special) return ids;
    ids.insert(ids.begin(), before_.begin(), before_.end());
    ids.insert(ids.end(), after_.begin(), after_.end());
    return ids;
  }

 private:
  Ids before_, after_;
};

// ["</s>", 2]
std::int32_t read_pair(const Json& settings, const char* key) {
  const Json& pair = required_array(settings, key);
  if (pair.size() != 2 || !pair[0].is_string() || !pair[1].is_number_unsigned() ||
      pair[1].get<std::uint64_t>() > INT32_MAX)
    throw Error(ErrorKind::kCorruptFile, cat("\"", key, "\" is not a pair of a token and its id"));
  return pair[1].get<std::int32_t>();
}

std::unique_ptr<Postprocessor> read_cls_sep(const Json& settings) {
  return surround({read_pair(settings, "cls")}, {read_pair(settings, "sep")});
}

}  // namespace

std::unique_ptr<Postprocessor> surround(Ids before, Ids after) {
  return std::make_unique<Surround>(std::move(before), std::move(after));
}

namespace postprocessors {

extern const Kind<Postprocessor> roberta{"RobertaProcessing", read_cls_sep};
extern const Kind<Postprocessor> bert{"BertProcessing", read_cls_sep};
extern const Kind<Postprocessor> byte_level{
    "ByteLevel",
    [](const Json&) { return surround({}, {}); },
};

}  // namespace postprocessors
}  // namespace nibble::tokenizer
