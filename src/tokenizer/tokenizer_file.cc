// A handler for the events of the JSON parser that watches where it is.
#include "tokenizer/tokenizer_file.h"

#include <nlohmann/json.hpp>
#include <string>

#include "base/text.h"
#include "nibble/error.h"

namespace nibble::tokenizer {
namespace {

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxNodes = 1'000'000;     // of the tree; a token added later takes eight
constexpr std::size_t kMaxObjectKeys = 4'096;    // objects of the tree are searched one by one
constexpr std::size_t kMaxEntries = 16'777'216;  // of the vocabulary, and of the merges

[[noreturn]] void corrupt(const std::string& message) {
  throw Error(ErrorKind::kCorruptFile, message);
}

class Handler : public nlohmann::json_sax<Json> {
 public:
  explicit Handler(TokenizerFile& file) : file_(file) {}

  bool null() override { return value(nullptr); }
  bool boolean(bool v) override { return value(v); }
  bool number_integer(number_integer_t v) override { return number(v, v); }
  bool number_unsigned(number_unsigned_t v) override {
    return number(v, v > INT64_MAX ? INT64_MAX : static_cast<std::int64_t>(v));
  }
  bool number_float(number_float_t v, const string_t&) override { return value(v); }
  bool binary(binary_t&) override { return value(nullptr); }
  bool string(string_t& v) override {
    if (place_ != Place::kMerges) return value(v);
    if (in_pair_) {
      if (++pair_size_ > 2) corrupt("model.merges: an entry of more than two tokens");
      add_merge_side(v);
      return true;
    }
    if (v.starts_with("#version")) return true;
    const std::size_t blank = v.find(' ');
    if (blank == std::string::npos || v.find(' ', blank + 1) != std::string::npos)
      corrupt(cat("model.merges: \"", v.substr(0, 80), "\" is not two tokens and a blank"));
    add_merge_side(std::string_view(v).substr(0, blank));
    add_merge_side(std::string_view(v).substr(blank + 1));
    return true;
  }

  bool start_object(std::size_t) override {
    if (place_ != Place::kTree) wrong_value();
    if (at_model_key("vocab")) {
      file_.has_vocab = true;
      place_ = Place::kVocabulary;
    }
    return open(Json::object());
  }
  bool key(string_t& name) override {
    key_ = name;
    if (place_ == Place::kVocabulary) return true;
    Json& object = *open_.back();
    if (object.size() >= kMaxObjectKeys)
      throw Error(ErrorKind::kUnsupported, cat("an object of more than ", kMaxObjectKeys, " keys"));
    if (object.contains(name)) corrupt(cat("key \"", name.substr(0, 100), "\" is given twice"));
    return true;
  }
  bool end_object() override { return close(); }

  bool start_array(std::size_t) override {
    if (place_ == Place::kVocabulary) wrong_value();
    if (place_ == Place::kMerges) {
      if (in_pair_) wrong_value();
      in_pair_ = true;
      pair_size_ = 0;
      return true;
    }
    if (at_model_key("merges")) {
      file_.has_merges = true;
      place_ = Place::kMerges;
    }
    return open(Json::array());
  }
  bool end_array() override {
    if (!in_pair_) return close();
    if (pair_size_ != 2) corrupt("model.merges: an entry that is not two tokens");
    in_pair_ = false;
    return true;
  }

  bool parse_error(std::size_t offset, const std::string&,
                   const nlohmann::detail::exception& error) override {
    const std::string text = error.what();
    const auto colon = text.find(": ");
    corrupt(cat("not valid JSON at byte ", offset, ": ",
                colon == std::string::npos ? text : text.substr(colon + 2)));
  }

 private:
  enum class Place { kTree, kVocabulary, kMerges };

  // The value that comes now is that of `name` in the object "model".
  bool at_model_key(std::string_view name) const {
    return open_.size() == 2 && model_ && open_.back()->is_object() && key_ == name;
  }

  [[noreturn]] void wrong_value() const {
    if (place_ == Place::kVocabulary)
      corrupt(cat("model.vocab: the id of token \"", key_.substr(0, 60), "\" is not an integer"));
    corrupt("model.merges: an entry is neither a string nor two strings");
  }

  void add_merge_side(std::string_view token) {
    if (file_.merges.size() >= 2 * kMaxEntries)
      throw Error(ErrorKind::kUnsupported, cat("more than ", kMaxEntries, " merges"));
    file_.merges.add(token);
  }

  bool number(const Json& v, std::int64_t id) {
    if (place_ != Place::kVocabulary) return value(v);
    if (file_.ids.size() >= kMaxEntries)
      throw Error(ErrorKind::kUnsupported, cat("more than ", kMaxEntries, " tokens"));
    file_.tokens.add(key_);
    file_.ids.push_back(id);
    return true;
  }

  bool value(Json v) {
    if (place_ != Place::kTree) wrong_value();
    put(std::move(v));
    return true;
  }

  Json* put(Json v) {
    if (++nodes_ > kMaxNodes)
      throw Error(ErrorKind::kUnsupported,
                  cat("more than ", kMaxNodes, " values beside vocabulary and merges"));
    if (open_.empty()) return &(file_.tree = std::move(v));
    Json& parent = *open_.back();
    if (parent.is_object()) return &(parent[key_] = std::move(v));
    parent.push_back(std::move(v));
    return &parent.back();
  }

  bool open(Json container) {
    if (open_.size() >= kMaxDepth)
      throw Error(ErrorKind::kUnsupported, cat("nested deeper than ", kMaxDepth, " levels"));
    if (open_.size() == 1) model_ = open_.back()->is_object() && key_ == "model";
    open_.push_back(put(std::move(container)));
    return true;
  }

  bool close() {
    place_ = Place::kTree;
    open_.pop_back();
    return true;
  }

  TokenizerFile& file_;
  std::vector<Json*> open_;  // from the root to where we are; parents do not move meanwhile
  std::string key_;
  Place place_ = Place::kTree;
  bool model_ = false;  // the container at depth 2 is the value of "model"
  bool in_pair_ = false;
  int pair_size_ = 0;
  std::size_t nodes_ = 0;
};

}  // namespace

TokenizerFile read_tokenizer_file(std::string_view text) {
  TokenizerFile file;
  Handler handler(file);
  Json::sax_parse(text, &handler);
  if (!file.tree.is_object())
    corrupt(cat("the file holds a JSON ", file.tree.type_name(), "; expected an object"));
  return file;
}

}  // namespace nibble::tokenizer
