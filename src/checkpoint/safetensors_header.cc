#include "checkpoint/safetensors_header.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <set>
#include <string_view>

#include "base/json.h"
#include "base/text.h"
#include "checkpoint/strict_json.h"
#include "nibble/error.h"

namespace nibble {
namespace {

static_assert(std::endian::native == std::endian::little);

[[noreturn]] void refuse(std::string_view rule, const std::string& what) {
  throw Error(ErrorKind::kCorruptFile, cat(what, " (", rule, ")"));
}

std::string shown(std::string_view name) {
  return cat("tensor \"", name.substr(0, 200), name.size() > 200 ? "…" : "", "\"");
}

// Collects the entries; what they claim is checked afterwards.
class HeaderEvents : public StrictJson {
 public:
  std::vector<TensorInfo> tensors;
  std::vector<std::uint64_t> begins;  // offsets in the data, as claimed
  std::vector<std::uint64_t> ends;

 protected:
  std::string refusal(const std::string& why) const override {
    const std::string where =
        level_ < 2 ? "" : cat(metadata_ ? "__metadata__" : shown(name_), ": ");
    return cat("header: ", where, why, " (InvalidHeaderDeserialization)");
  }

  bool start_object(std::size_t) override {
    if (level_ >= 2) unexpected("an object");
    if (++level_ == 2 && !metadata_) {
      if (tensors.size() >= SafetensorsHeader::kMaxTensors)
        fail(cat("more than ", SafetensorsHeader::kMaxTensors, " tensors"));
      tensors.emplace_back().name = name_;
      begins.push_back(0);
      ends.push_back(0);
      seen_.clear();
      numbers_ = 0;
    }
    return true;
  }

  bool key(string_t& name) override {
    if (level_ == 1) {
      name_ = name;
      metadata_ = name == "__metadata__";
      if (metadata_ && had_metadata_) fail("key \"__metadata__\" is given twice");
      had_metadata_ |= metadata_;
    } else {
      const std::size_t limit = metadata_ ? SafetensorsHeader::kMaxMetadata : 64;
      if (seen_.size() >= limit) fail(cat("more than ", limit, " keys"));
      if (!seen_.insert(name).second) fail(cat("key \"", name.substr(0, 100), "\" is given twice"));
      field_ = name;
    }
    return true;
  }

  bool end_object() override {
    if (level_ == 2 && !metadata_)
      for (const char* field : {"dtype", "shape", "data_offsets"})
        if (!seen_.contains(field)) fail(cat("\"", field, "\" is missing"));
    --level_;
    seen_.clear();
    return true;
  }

  bool string(string_t& text) override {
    if (level_ < 2 || in_array_) unexpected("a string");
    if (metadata_) return true;
    if (field_ == "dtype") {
      const auto type = dtype_named(text);
      if (!type) fail(cat("unknown dtype \"", text.substr(0, 40), "\""));
      tensors.back().dtype = *type;
    } else if (is_array_field()) {
      unexpected("a string");
    }
    return true;
  }

  bool start_array(std::size_t) override {
    if (level_ < 2 || metadata_ || in_array_ || !is_array_field()) unexpected("an array");
    in_array_ = true;
    numbers_ = 0;
    return true;
  }

  bool end_array() override {
    in_array_ = false;
    if (field_ == "data_offsets" && numbers_ != 2)
      fail(cat("\"data_offsets\" has ", numbers_, " numbers; expected 2"));
    return true;
  }

  bool number_unsigned(number_unsigned_t number) override {
    if (!in_array_) return ignored("a number");
    ++numbers_;
    if (field_ == "shape") {
      if (numbers_ > SafetensorsHeader::kMaxDimensions)
        fail(cat("more than ", SafetensorsHeader::kMaxDimensions, " dimensions"));
      if (number > static_cast<std::uint64_t>(INT64_MAX))
        refuse("ValidationOverflow", cat(shown(name_), ": dimension ", number, " is too large"));
      tensors.back().shape.push_back(static_cast<std::int64_t>(number));
    } else {
      (numbers_ == 1 ? begins : ends).back() = number;
    }
    return true;
  }

  bool null() override { return ignored("null"); }
  bool boolean(bool) override { return ignored("true or false"); }
  bool number_integer(number_integer_t number) override { return ignored(cat("number ", number)); }
  bool number_float(number_float_t, const string_t& text) override {
    return ignored(cat("number ", text.substr(0, 40)));
  }

 private:
  bool is_array_field() const { return field_ == "shape" || field_ == "data_offsets"; }

  // Plain values of fields that the format does not know are passed over, as the reference does.
  bool ignored(std::string_view what) const {
    if (level_ < 2 || metadata_ || in_array_ || is_array_field() || field_ == "dtype")
      unexpected(what);
    return true;
  }

  int level_ = 0;  // open objects
  bool metadata_ = false, had_metadata_ = false, in_array_ = false;
  std::string name_, field_;
  std::set<std::string> seen_;  // keys of the object of level 2
  std::size_t numbers_ = 0;     // of the open array
};

void sort_by_name(HeaderEvents& events, SafetensorsHeader& header) {
  std::vector<std::uint32_t> order(events.tensors.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return events.tensors[a].name < events.tensors[b].name;
  });
  header.tensors.reserve(order.size());
  header.offsets.reserve(order.size());
  for (const std::uint32_t i : order) {
    if (!header.tensors.empty() && header.tensors.back().name == events.tensors[i].name)
      refuse("InvalidHeaderDeserialization",
             cat("header: ", shown(header.tensors.back().name), " is given twice"));
    header.tensors.push_back(std::move(events.tensors[i]));
    header.offsets.push_back(events.begins[i]);
    header.tensors.back().bytes = events.ends[i];  // the end, until the ranges are checked
  }
}

[[noreturn]] void refuse_size(const std::string& last, std::uint64_t end, std::uint64_t size) {
  if (end < size)
    refuse("MetadataIncompleteBuffer", cat("the data ends at byte ", end, " with ", shown(last),
                                           " but the file has ", size, " bytes"));
  const double percent = 100.0 * static_cast<double>(size) / static_cast<double>(end);
  throw Error(
      ErrorKind::kCorruptFile,
      cat(shown(last), " ends at byte ", end, " but the file has only ", size,
          " bytes (MetadataIncompleteBuffer)\n  why: the download was probably interrupted (",
          static_cast<int>(percent), "% present)"),
      "download the file again");
}

// The tensors must cover the data exactly: no hole, no overlap, nothing behind the last one.
void check_tiling(SafetensorsHeader& header, std::uint64_t data_begin, std::uint64_t file_size) {
  auto& tensors = header.tensors;
  std::vector<std::uint32_t> order(tensors.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::pair(header.offsets[a], tensors[a].bytes) <
           std::pair(header.offsets[b], tensors[b].bytes);
  });
  std::uint64_t expected = 0;
  for (const std::uint32_t i : order) {
    const std::uint64_t begin = header.offsets[i], end = tensors[i].bytes;
    if (begin > end || begin != expected)
      refuse("InvalidOffset",
             cat(shown(tensors[i].name), " has data_offsets [", begin, ", ", end,
                 "]; expected to begin at ", expected, ", where the tensor before it ends"));
    const std::uint64_t needed = tensor_bytes(tensors[i]);
    if (end - begin != needed)
      refuse("TensorInvalidInfo",
             cat(shown(tensors[i].name), " has ", end - begin, " bytes (data_offsets [", begin,
                 ", ", end, "]); its dtype ", name(tensors[i].dtype), " and shape [",
                 fmt::format("{}", fmt::join(tensors[i].shape, ", ")), "] need ", needed));
    tensors[i].bytes = needed;
    expected = end;
  }
  std::uint64_t data_end = 0;
  if (__builtin_add_overflow(data_begin, expected, &data_end))
    refuse("ValidationOverflow", cat("the data would end at byte 2^64 or later"));
  if (data_end != file_size)
    refuse_size(order.empty() ? std::string("(none)") : tensors[order.back()].name, data_end,
                file_size);
  for (auto& offset : header.offsets) offset += data_begin;
}

}  // namespace

std::uint64_t tensor_bytes(const TensorInfo& info) {
  std::uint64_t count = 1;
  bool overflow = false;
  for (const std::int64_t length : info.shape)
    overflow |=
        length < 0 || __builtin_mul_overflow(count, static_cast<std::uint64_t>(length), &count);
  overflow |= __builtin_mul_overflow(count, static_cast<std::uint64_t>(bits(info.dtype)), &count);
  if (overflow)
    refuse("ValidationOverflow",
           cat(shown(info.name), ": shape [", fmt::format("{}", fmt::join(info.shape, ", ")),
               "] is too large"));
  if (count % 8 != 0)
    refuse("MisalignedSlice", cat(shown(info.name), ": ", count, " bits are not whole bytes"));
  return count / 8;
}

SafetensorsHeader read_safetensors_header(std::span<const std::byte> file) {
  if (file.size() < 8)
    refuse("HeaderTooSmall",
           cat("the file has ", file.size(), " bytes; a safetensors file has at least 8"));
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), sizeof(length));
  if (length > SafetensorsHeader::kMaxBytes)
    refuse("HeaderTooLarge",
           cat("bytes 0 to 7 claim a header of ", length, " bytes; at most ",
               SafetensorsHeader::kMaxBytes, " are allowed. Is this a safetensors file?"));
  if (length > file.size() - 8)
    refuse("InvalidHeaderLength", cat("the header claims ", length, " bytes; ", file.size() - 8,
                                      " follow byte 8. The download was probably interrupted"));
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + 8, length);
  if (!text.starts_with('{'))
    refuse("InvalidHeaderStart", "the header does not begin with \"{\" at byte 8");
  HeaderEvents events;
  events.run(text);
  SafetensorsHeader header;
  sort_by_name(events, header);
  check_tiling(header, 8 + length, file.size());
  return header;
}

std::string write_safetensors_header(
    std::span<const TensorInfo> tensors,
    std::span<const std::pair<std::string, std::string>> metadata) {
  std::string text = R"({"__metadata__":{"format":"pt")";
  for (const auto& [key, value] : metadata)
    text += cat(",", Json(key).dump(), ":", Json(value).dump());
  text += "}";
  std::uint64_t offset = 0;
  for (const TensorInfo& info : tensors) {
    text += cat(",", Json(info.name).dump(), R"(:{"dtype":")", name(info.dtype), R"(","shape":[)",
                fmt::format("{}", fmt::join(info.shape, ",")), R"(],"data_offsets":[)", offset, ",",
                offset + info.bytes, "]}");
    offset += info.bytes;
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  std::string header(8, '\0');
  std::memcpy(header.data(), &length, sizeof(length));
  return header + text;
}

}  // namespace nibble
