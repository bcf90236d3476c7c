// Values that options of several commands share.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/transformer.h"

namespace nibble::cli {

// "1500", "2GiB", "5GB", "512M" -> bytes.
std::uint64_t parse_size(const std::string& option, const std::string& text);

// The same for --split-max-size, where "M" and "G" are powers of ten, as llama-gguf-split has them.
std::uint64_t parse_part_size(const std::string& text);

// "auto" (what the arithmetic wants), "f32", "f16", "bf16", "q8_0". Throws kInvalidArgument.
KvType parse_kv(const std::string& text, Compute compute);

// "auto" takes bfloat16 where the CPU multiplies it.
Compute parse_compute(const std::string& text);
std::string_view name_of(Compute compute);

}  // namespace nibble::cli
