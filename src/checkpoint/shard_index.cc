#include "checkpoint/shard_index.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "checkpoint/strict_json.h"
#include "nibble/error.h"

namespace nibble {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::kCorruptFile, what); }

void check_bare_name(const std::string& shard, const std::string& tensor) {
  const bool bare = !shard.empty() && shard.size() <= 255 && shard != "." && shard != ".." &&
                    shard.find('/') == std::string::npos && shard.find('\\') == std::string::npos &&
                    shard.find('\0') == std::string::npos;
  if (!bare)
    refuse(cat("weight_map: tensor \"", tensor.substr(0, 200), "\" lies in \"",
               shard.substr(0, 200), "\"; expected the bare name of a file in the same folder"));
}

class IndexEvents : public StrictJson {
 public:
  ShardIndex index;
  bool has_weight_map = false;

 protected:
  std::string refusal(const std::string& why) const override { return why; }

  bool start_object(std::size_t) override {
    if (level_ == 1 && section_ == "weight_map") has_weight_map = true;
    return deeper();
  }
  bool start_array(std::size_t) override {
    if (level_ == 0) unexpected("an array");
    return deeper();
  }
  bool end_object() override {
    if (--level_ == 1) section_keys_.clear();
    return true;
  }
  bool end_array() override { return end_object(); }

  bool key(string_t& name) override {
    if (level_ == 1) {
      note(section_keys_of_top_, name);
      section_ = name;
    } else if (level_ == 2) {
      if (section_ != "weight_map") note(section_keys_, name);
      key_ = name;
    }
    return true;
  }

  bool string(string_t& shard) override {
    if (!in_map()) return plain("a string");
    check_bare_name(shard, key_);
    const auto next = static_cast<std::uint32_t>(index.shards.size());
    const auto [place, added] = shards_.emplace(shard, next);
    if (added) index.shards.push_back(shard);
    if (index.shards.size() > ShardIndex::kMaxShards ||
        index.tensors.size() >= ShardIndex::kMaxTensors)
      fail("weight_map: too many tensors or shards");
    index.tensors.emplace_back(key_, place->second);
    return true;
  }

  bool number_unsigned(number_unsigned_t number) override {
    if (level_ == 2 && section_ == "metadata" && key_ == "total_size") index.total_size = number;
    return plain("a number");
  }
  bool number_float(number_float_t number, const string_t&) override {
    const bool whole = number >= 0 && number < 9e15;
    if (level_ == 2 && section_ == "metadata" && key_ == "total_size" && whole)
      index.total_size = static_cast<std::uint64_t>(number);
    return plain("a number");
  }
  bool number_integer(number_integer_t) override { return plain("a negative number"); }
  bool boolean(bool) override { return plain("true or false"); }
  bool null() override { return plain("null"); }

 private:
  bool in_map() const { return level_ >= 2 && section_ == "weight_map"; }

  bool plain(std::string_view what) const {
    if (level_ == 0 || in_map() || (level_ == 1 && section_ == "weight_map")) unexpected(what);
    return true;
  }

  bool deeper() {
    if (in_map()) unexpected("an object or array");
    if (++level_ > 16) fail("nested deeper than 16 levels");
    return true;
  }

  void note(std::set<std::string>& keys, const std::string& name) const {
    if (keys.size() >= 1024) fail("more than 1024 keys in one object");
    if (!keys.insert(name).second) fail(cat("key \"", name.substr(0, 100), "\" is given twice"));
  }

  int level_ = 0;
  std::string section_, key_;
  std::set<std::string> section_keys_of_top_, section_keys_;
  std::map<std::string, std::uint32_t> shards_;
};

}  // namespace

ShardIndex parse_shard_index(std::string_view text) {
  IndexEvents events;
  events.run(text);
  if (!events.has_weight_map) refuse("\"weight_map\" is missing; expected an object");
  auto& tensors = events.index.tensors;
  std::sort(tensors.begin(), tensors.end());
  for (std::size_t i = 1; i < tensors.size(); ++i)
    if (tensors[i].first == tensors[i - 1].first)
      refuse(cat("weight_map: tensor \"", tensors[i].first.substr(0, 200), "\" is given twice"));
  return std::move(events.index);
}

}  // namespace nibble
