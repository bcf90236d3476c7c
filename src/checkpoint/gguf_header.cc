#include "checkpoint/gguf_header.h"

#include <algorithm>
#include <numeric>

#include "checkpoint/gguf_type.h"

namespace nibble {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(ErrorKind::kCorruptFile, what); }

std::string shown(std::string_view name) { return cat("tensor \"", name, "\""); }

void read_version(ByteReader& reader) {
  const auto version = reader.number<std::uint32_t>("version");
  if ((version & 0xFFFF) == 0 && version != 0)
    throw Error(ErrorKind::kUnsupported, "the numbers have their most significant byte first",
                "take the file for little-endian machines");
  if (version != 2 && version != 3)
    throw Error(ErrorKind::kUnsupported,
                cat("GGUF version ", version, "; versions 2 and 3 are read"));
}

std::uint64_t alignment_of(const GgufMetadata& metadata) {
  const auto value =
      metadata.integer("general.alignment", GgufHeader::kMinAlignment, GgufHeader::kMaxAlignment);
  const auto alignment = static_cast<std::uint64_t>(value.value_or(32));
  if ((alignment & (alignment - 1)) != 0)
    refuse(cat("key \"general.alignment\" is ", alignment, "; expected a power of two"));
  return alignment;
}

// Elements and bytes of a tensor of these sizes, the contiguous one first.
std::uint64_t bytes_of(const GgufType& type, std::span<const std::int64_t> sizes) {
  const std::uint64_t row = sizes.empty() ? 1 : static_cast<std::uint64_t>(sizes.front());
  if (row % type.block() != 0)
    refuse(cat("has rows of ", row, " elements, which is no multiple of the ", type.block(),
               " in a block of its type"));
  std::uint64_t bytes = 0;
  bool fits = multiply_fits(row / type.block(), type.block_bytes(), bytes);
  for (std::size_t i = 1; i < sizes.size(); ++i)
    fits = fits && multiply_fits(bytes, static_cast<std::uint64_t>(sizes[i]), bytes);
  if (!fits) refuse(cat("has sizes ", list_text(sizes), ", more bytes than can be counted"));
  return bytes;
}

// Reads an info; the offset is still one in the data.
void read_info(ByteReader& reader, TensorInfo& info, std::uint64_t& offset) {
  const std::string_view name = reader.text(GgufHeader::kMaxName, "tensor name");
  if (name.empty() || !is_valid_utf8(name))
    refuse(cat("byte ", reader.position(), ": a tensor's name is empty or not UTF-8"));
  info.name = name;
  with_context(shown(name), [&] {
    const auto dimensions = reader.number<std::uint32_t>("number of dimensions");
    if (dimensions > GgufHeader::kMaxDimensions)
      refuse(cat("has ", dimensions, " dimensions; at most ", GgufHeader::kMaxDimensions,
                 " are allowed"));
    info.shape.resize(dimensions);
    for (std::int64_t& size : info.shape) {
      size = reader.number<std::int64_t>("size");
      if (size < 0) refuse(cat("has a size of ", size));
    }
    const GgufType type = gguf_type(reader.number<std::uint32_t>("type"));
    info.dtype = type.dtype;
    info.blocks = type.blocks;
    info.bytes = bytes_of(type, info.shape);
    offset = reader.number<std::uint64_t>("offset");
    std::reverse(info.shape.begin(), info.shape.end());
  });
}

std::vector<std::uint32_t> order_by(std::size_t count, auto&& before) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), before);
  return order;
}

// Makes offsets of the data offsets of the file. Every range lies in the file, none in another.
void place_in_file(GgufHeader& header, std::uint64_t position, std::uint64_t file_size) {
  const std::uint64_t alignment = alignment_of(header.metadata);
  std::uint64_t data = 0;
  if (!pad_fits(position, alignment, data)) refuse("the header is too long");
  for (std::size_t i = 0; i < header.tensors.size(); ++i) {
    const TensorInfo& info = header.tensors[i];
    std::uint64_t& offset = header.offsets[i];
    if (offset % alignment != 0)
      refuse(cat(shown(info.name), " begins at byte ", offset,
                 " of the data, which is no multiple of the alignment ", alignment));
    std::uint64_t end = 0;
    if (!add_fits(offset, data, offset) || !add_fits(offset, info.bytes, end))
      refuse(cat(shown(info.name), " has an offset that no file has"));
    if (end > file_size)
      refuse(cat(shown(info.name), " ends at byte ", end, " but the file has only ", file_size,
                 " bytes: the download was probably interrupted"));
  }
  const auto order = order_by(header.tensors.size(), [&](std::uint32_t a, std::uint32_t b) {
    return header.offsets[a] < header.offsets[b];
  });
  std::uint64_t end = 0;
  const TensorInfo* before = nullptr;
  for (const std::uint32_t i : order) {
    if (header.tensors[i].bytes == 0) continue;
    if (header.offsets[i] < end)
      refuse(cat(shown(header.tensors[i].name), " overlaps ", shown(before->name)));
    before = &header.tensors[i];
    end = header.offsets[i] + before->bytes;
  }
}

// In place: a second copy of a million infos would be more memory than the file is worth.
void sort_by_name(GgufHeader& header) {
  auto order = order_by(header.tensors.size(), [&](std::uint32_t a, std::uint32_t b) {
    return header.tensors[a].name < header.tensors[b].name;
  });
  for (std::uint32_t first = 0; first < order.size(); ++first)
    for (std::uint32_t at = first; order[at] != at;) {
      const std::uint32_t from = order[at];
      order[at] = at;
      if (from == first) break;
      std::swap(header.tensors[at], header.tensors[from]);
      std::swap(header.offsets[at], header.offsets[from]);
      at = from;
    }
  for (std::size_t i = 1; i < header.tensors.size(); ++i)
    if (header.tensors[i].name == header.tensors[i - 1].name)
      refuse(cat(shown(header.tensors[i].name), " is given twice"));
}

void note_long_names(GgufHeader& header) {
  for (const TensorInfo& info : header.tensors)
    if (info.name.size() >= 64) {
      header.warnings.push_back(cat(shown(info.name), " has a name of ", info.name.size(),
                                    " bytes; other programs read at most 63"));
      return;
    }
}

}  // namespace

GgufHeader read_gguf_header(std::span<const std::byte> file) {
  ByteReader reader(file);
  const auto magic = reader.take(4, "the mark GGUF");
  if (std::memcmp(magic.data(), "GGUF", 4) != 0) refuse("does not begin with GGUF");
  read_version(reader);
  const auto tensors = reader.number<std::uint64_t>("number of tensors");
  const auto pairs = reader.number<std::uint64_t>("number of pairs");
  // The smallest info: a name of one character, no dimensions, type and offset.
  constexpr std::uint64_t kLeast = 8 + 1 + 4 + 4 + 8;
  reader.count(tensors, kLeast, GgufHeader::kMaxTensors, "tensors");
  GgufHeader header;
  header.metadata = GgufMetadata::read(reader, pairs);
  reader.count(tensors, kLeast, GgufHeader::kMaxTensors, "tensors");
  header.tensors.resize(static_cast<std::size_t>(tensors));
  header.offsets.resize(header.tensors.size());
  for (std::size_t i = 0; i < header.tensors.size(); ++i)
    read_info(reader, header.tensors[i], header.offsets[i]);
  place_in_file(header, reader.position(), file.size());
  sort_by_name(header);
  note_long_names(header);
  return header;
}

}  // namespace nibble
